"""Attacks on who signed: distinct keys count, each judged now, in its own role."""

import base64

import pytest

from tappass_host.policy.canonical import canonical_bytes
from tappass_host.policy.errors import EnvelopeError, SchemaError, SignatureError
from tappass_host.policy.trust.dsse import PAYLOAD_TYPES, sign


def test_one_changed_byte(sim):
    with pytest.raises(SignatureError, match="0 of 2"):
        sim.verify(sim.tamper(sim.publish(), b'"version":5', b'"version":6'))


def test_equal_json_in_other_bytes(sim):
    """Signatures cover bytes: even a blank that changes nothing is not what was signed."""
    with pytest.raises(SignatureError):
        sim.verify(sim.tamper(sim.publish(), b'"version":5', b'"version": 5'))


def test_below_the_threshold(sim):
    with pytest.raises(SignatureError, match="1 of 2 needed signatures by distinct trusted policy keys"):
        sim.verify(sim.publish(signers=["p1"]))


def test_any_two_of_three_keys_will_do(sim):
    for signers in (["p1", "p2"], ["p3", "p1"], ["p1", "p2", "p3"]):
        assert sim.verify(sim.publish(signers=signers)).key_ids == tuple(sorted(map(sim.key_id, signers)))


def test_same_signature_twice(sim):
    data = sim.edit(sim.publish(signers=["p1"]), lambda e: e.update(signatures=e["signatures"] * 2))
    with pytest.raises(SignatureError, match="1 of 2"):
        sim.verify(data)


def test_same_key_twice_under_two_key_ids(sim):
    def change(envelope):
        first = envelope["signatures"][0]
        envelope["signatures"] = [first, first | {"keyid": sim.key_id("p2")}, first | {"keyid": "another"}]

    with pytest.raises(SignatureError, match="1 of 2"):
        sim.verify(sim.edit(sim.publish(signers=["p1"]), change))


def test_same_key_listed_twice_in_the_root(sim):
    sim.members["policy"] = ["p1", "p1"]
    with pytest.raises(SchemaError, match="a key is listed twice"):
        sim.repin()


def test_two_valid_signatures_with_one_key_id(sim):
    """Counting by key id would find one signer here, and let an attacker shadow an honest one."""

    def change(envelope):
        envelope["signatures"][1]["keyid"] = envelope["signatures"][0]["keyid"]

    assert len(sim.verify(sim.edit(sim.publish(), change)).key_ids) == 2


def test_key_ids_swapped_left_out_or_invented(sim):
    def swap(envelope):
        first, second = envelope["signatures"]
        first["keyid"], second["keyid"] = second["keyid"], first["keyid"]

    def leave_out(envelope):
        for signature in envelope["signatures"]:
            del signature["keyid"]

    def invent(envelope):
        for signature in envelope["signatures"]:
            signature["keyid"] = "root"

    for change in (swap, leave_out, invent):
        assert len(sim.verify(sim.edit(sim.publish(), change)).key_ids) == 2


def test_trusted_key_id_on_a_foreign_signature(sim, other_org):
    payload = canonical_bytes(sim.head())
    data = other_org.sign(payload, "policy", ["p1", "p2"])

    def claim(envelope):
        for signature, name in zip(envelope["signatures"], ["p1", "p2"], strict=True):
            signature["keyid"] = sim.key_id(name)

    with pytest.raises(SignatureError, match="0 of 2"):
        sim.verify(sim.edit(data, claim))


def test_rubbish_beside_good_signatures_is_ignored(sim):
    rubbish = {"keyid": sim.key_id("p3"), "sig": base64.b64encode(bytes(64)).decode()}
    data = sim.edit(sim.publish(), lambda e: e["signatures"].insert(0, rubbish))
    assert sim.key_id("p3") not in sim.verify(data).key_ids


def test_signature_of_another_policy(sim):
    """Signatures moved from one envelope to the next."""
    donor = sim.publish(version=6)
    stolen = {}
    sim.edit(donor, stolen.update)
    with pytest.raises(SignatureError):
        sim.verify(sim.edit(sim.publish(), lambda e: e.update(signatures=stolen["signatures"])))


@pytest.mark.parametrize("role", ["root", "freshness"])
def test_keys_of_another_role(sim, role):
    data = sim.publish(signers=sim.members[role] * 2)
    with pytest.raises(SignatureError, match="0 of 2"):
        sim.verify(data)


@pytest.mark.parametrize("role", ["root", "freshness"])
def test_policy_signed_as_another_type_and_relabelled(sim, role):
    """Equal keys in two roles still sign two different things: the type is under the signature."""
    data = sim.publish(role=role)
    with pytest.raises(EnvelopeError, match="payload type"):
        sim.verify(data)
    relabelled = sim.edit(data, lambda e: e.update(payloadType=PAYLOAD_TYPES["policy"]))
    with pytest.raises(SignatureError, match="0 of 2"):
        sim.verify(relabelled)


def test_signature_over_the_bare_payload(sim):
    """Without the pre-authentication encoding a signature could be lifted from any other protocol."""
    payload = canonical_bytes(sim.head())

    def change(envelope):
        for signature, name in zip(envelope["signatures"], ["p1", "p2"], strict=True):
            signature["sig"] = base64.b64encode(sim.key(name).sign(payload)).decode()

    with pytest.raises(SignatureError):
        sim.verify(sim.edit(sim.publish(), change))


def test_key_expiry_is_judged_now_and_not_at_issued_at(sim):
    """A stolen key that has expired can still write any `issued_at` it likes."""
    sim.expiry["p1"] = sim.at(10)
    sim.repin()
    data = sim.publish(issued_at=sim.at(1))
    sim.now += 10 * 86_400 - 1
    assert sim.verify(data)
    sim.now += 1
    with pytest.raises(SignatureError, match="1 of 2") as caught:
        sim.verify(data)
    assert sim.key_id("p1") in caught.value.message
    assert sim.key_id("p2") not in caught.value.message


def test_a_key_that_has_not_expired_can_replace_it(sim):
    sim.expiry["p1"] = sim.at(-1)
    sim.repin()
    assert sim.verify(sim.publish(signers=["p1", "p2", "p3"])).key_ids == tuple(
        sorted([sim.key_id("p2"), sim.key_id("p3")])
    )


def test_signature_by_nobody_known(sim, other_org):
    data = sign(canonical_bytes(sim.head()), PAYLOAD_TYPES["policy"], [other_org.key("p1")])
    with pytest.raises(SignatureError, match="0 of 2") as caught:
        sim.verify(data)
    assert caught.value.exit_code == 3
