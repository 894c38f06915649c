"""Attacks on the envelope: each is refused before any signature or payload is looked at."""

import base64
import json

import pytest

from tappass_host.policy.errors import EnvelopeError, SignatureError, WireError
from tappass_host.policy.trust.dsse import (
    MAX_ENVELOPE,
    MAX_PAYLOAD,
    MAX_PAYLOAD_BASE64,
    MAX_SIGNATURES,
    PAYLOAD_TYPES,
    pae,
    parse_envelope,
    sign,
)

POLICY = PAYLOAD_TYPES["policy"]

# The example of the DSSE protocol document, and what its definition says about the rest.
PAE = {
    "the specification's example": (
        "http://example.com/HelloWorld",
        b"hello world",
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world",
    ),
    "nothing": ("", b"", b"DSSEv1 0  0 "),
    "lengths are bytes, not characters": ("é", "é€".encode(), "DSSEv1 2 é 5 é€".encode()),
    "payload that imitates the encoding": ("t", b"1 x 1 y", b"DSSEv1 1 t 7 1 x 1 y"),
    "bytes that are no text": ("t", b"\x00\xff", b"DSSEv1 1 t 2 \x00\xff"),
}


@pytest.mark.parametrize("name", PAE)
def test_pae(name):
    payload_type, payload, expected = PAE[name]
    assert pae(payload_type, payload) == expected


def test_control_an_untouched_policy_is_accepted(sim):
    verified = sim.verify(sim.publish())
    assert verified.document == sim.head()
    assert verified.key_ids == tuple(sorted([sim.key_id("p1"), sim.key_id("p2")]))


def test_truncated_anywhere(sim):
    data = sim.publish()
    for end in [*range(0, len(data), 37), len(data) - 1]:
        with pytest.raises(EnvelopeError):
            sim.verify(data[:end])


def test_trailing_bytes(sim):
    with pytest.raises(EnvelopeError, match="Extra data"):
        sim.verify(sim.publish() + b"{}")


def test_oversized_envelope_is_refused_unread(sim):
    with pytest.raises(EnvelopeError, match="the limit is"):
        sim.verify(b"\xff" * (MAX_ENVELOPE + 1))


def test_oversized_payload_is_refused_undecoded(sim):
    data = sim.edit(sim.publish(), lambda e: e.update(payload="!" * (MAX_PAYLOAD_BASE64 + 1)))
    with pytest.raises(EnvelopeError, match="characters, the limit is") as caught:
        sim.verify(data)
    assert caught.value.pointer == "/payload"


def test_oversized_payload_is_not_signed_either(sim):
    with pytest.raises(EnvelopeError, match="the limit is"):
        sign(b" " * (MAX_PAYLOAD + 1), POLICY, [sim.key("p1")])


def test_deep_envelope(sim):
    with pytest.raises(EnvelopeError, match="nested deeper"):
        sim.verify(b'{"payload":' + b"[" * 100_000)


def test_deep_payload_that_is_signed(sim):
    data = sim.sign(b'{"a":' * 100 + b"1" + b"}" * 100, "policy", ["p1", "p2"])
    with pytest.raises(WireError, match="nested deeper"):
        sim.verify(data)


def test_duplicate_key_in_the_envelope(sim):
    """An ordinary decoder keeps the last: one tool would verify one payload, another use the other."""
    honest = sim.publish()
    evil = base64.b64encode(b'{"schema": "evil"}').decode()
    data = b'{"payload": "%s", %s' % (evil.encode(), honest[1:])
    assert json.loads(data) == json.loads(honest)
    with pytest.raises(EnvelopeError, match="duplicate key") as caught:
        sim.verify(data)
    assert caught.value.pointer == "/payload"


def test_duplicate_key_in_a_signed_payload(sim):
    payload = json.dumps(sim.head()).encode().replace(b'"version": 5', b'"version": 5, "version": 6')
    with pytest.raises(WireError, match="duplicate key") as caught:
        sim.verify(sim.sign(payload, "policy", ["p1", "p2"]))
    assert caught.value.pointer == "/version"


def test_payload_is_not_decoded_before_its_signatures_hold(sim):
    data = sim.sign(b"\xff not JSON", "policy", ["p1"])
    with pytest.raises(SignatureError):
        sim.verify(data)


def respell(text, how):
    return {
        "url-safe": text.replace("+", "-").replace("/", "_"),
        "no padding": text.rstrip("="),
        "extra padding": text + "====",
        "newline": text[:4] + "\n" + text[4:],
        "blank": text + " ",
        "foreign character": text[:4] + "*" + text[4:],
        "NUL": text + "\x00",
        "spare bits": text[:-3] + chr(ord(text[-3]) + 1) + "==",
        "non-ASCII": "\u0391" + text[1:],
    }[how]


@pytest.mark.parametrize("field", ["payload", "sig"])
@pytest.mark.parametrize(
    "how",
    [
        "url-safe",
        "no padding",
        "extra padding",
        "newline",
        "blank",
        "foreign character",
        "NUL",
        "spare bits",
        "non-ASCII",
    ],
)
def test_base64_in_any_other_spelling(sim, field, how):
    # One byte beyond a multiple of three leaves spare bits; ~ and ? give + and /.
    # A 64-byte signature always ends in two padding characters.
    payload = b"A~~~~???" * 6 + b"A"
    data = sign(payload, POLICY, [sim.key("p1"), sim.key("p2")])
    assert parse_envelope(data).payload == payload

    def change(envelope):
        holder = envelope if field == "payload" else envelope["signatures"][0]
        before = holder[field]
        holder[field] = respell(before, how)
        assert holder[field] != before

    with pytest.raises(EnvelopeError) as caught:
        sim.verify(sim.edit(data, change))
    assert caught.value.pointer == ("/payload" if field == "payload" else "/signatures/0/sig")


BENT = {
    "no signatures": (lambda e: e.update(signatures=[]), "/signatures"),
    "more signatures than anyone needs": (
        lambda e: e.update(signatures=e["signatures"] * MAX_SIGNATURES),
        "/signatures",
    ),
    "signature longer than any": (lambda e: e["signatures"][0].update(sig="A" * 100), "/signatures/0/sig"),
    "payload missing": (lambda e: e.pop("payload"), "/payload"),
    "payload null": (lambda e: e.update(payload=None), "/payload"),
    "unknown field": (lambda e: e.update(cert="x"), "/cert"),
    "unknown field in a signature": (lambda e: e["signatures"][1].update(alg="none"), "/signatures/1/alg"),
    "key id that is no text": (lambda e: e["signatures"][0].update(keyid=7), "/signatures/0/keyid"),
    "payload type missing": (lambda e: e.pop("payloadType"), "/payloadType"),
    "payload type of a root": (lambda e: e.update(payloadType=PAYLOAD_TYPES["root"]), "/payloadType"),
    "payload type in capitals": (lambda e: e.update(payloadType=POLICY.upper()), "/payloadType"),
    "payload type with a parameter": (lambda e: e.update(payloadType=POLICY + ";v=1"), "/payloadType"),
}


@pytest.mark.parametrize("name", BENT)
def test_bent_envelope(sim, name):
    change, where = BENT[name]
    with pytest.raises(EnvelopeError) as caught:
        sim.verify(sim.edit(sim.publish(), change))
    assert caught.value.pointer == where
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "name",
    ["\x1b[2J\x1b[1;1Haccepted", "\u202edetpecca", "\ud800", "x" * 1_000_000],
    ids=["escape", "bidi", "surrogate", "long"],
)
def test_names_that_attack_the_terminal(sim, name):
    """Anyone can send an envelope; what it is called must not be able to write the operator's screen."""
    for change in (lambda e: e.update({name: 1}), lambda e: e["signatures"][0].update({name: 1})):
        with pytest.raises(EnvelopeError) as caught:
            sim.verify(sim.edit(sim.publish(), change))
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 1000


def test_sign_needs_a_key(sim):
    with pytest.raises(EnvelopeError):
        sign(b"{}", POLICY, [])


def test_signing_is_deterministic(sim):
    assert sim.publish() == sim.publish()
