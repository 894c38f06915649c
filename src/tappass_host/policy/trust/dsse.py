"""The envelope that carries every signed document: DSSE, over exact bytes.

Format: https://github.com/secure-systems-lab/dsse, protocol.md 1.0.0 and envelope.md. Two
things are narrower here than there: base64 is the standard alphabet with padding only (the
protocol admits the URL-safe one too), so that one payload has one spelling; and unknown
fields are refused.
"""

import binascii
from collections.abc import Sequence
from typing import Literal

from tappass_host.policy.canonical import canonical_bytes
from tappass_host.policy.errors import EnvelopeError, PolicyError
from tappass_host.policy.trust.document import Node, read
from tappass_host.policy.trust.keys import PrivateKey
from tappass_host.policy.wire import MAX_BYTES

Role = Literal["policy", "root", "freshness"]

# One type per role. The type is part of what is signed, so that a signature made for one
# role means nothing in another.
PAYLOAD_TYPES: dict[Role, str] = {
    "policy": "application/vnd.tappass.compiled-policy.v1+json",
    "root": "application/vnd.tappass.root.v1+json",
    "freshness": "application/vnd.tappass.freshness.v1+json",
}

MAX_PAYLOAD = MAX_BYTES
MAX_PAYLOAD_BASE64 = (MAX_PAYLOAD + 2) // 3 * 4
# Room for the signatures and for generous layout.
MAX_ENVELOPE = MAX_PAYLOAD_BASE64 + 64 * 1024
# Bounds the work that an unauthenticated sender can cause.
MAX_SIGNATURES = 16
_MAX_SIGNATURE_BASE64 = 88


class Signature(Node, frozen=True, kw_only=True):
    """One signature. `keyid` is a hint where to look, nothing more."""

    sig: str
    keyid: str = ""


class WireEnvelope(Node, frozen=True, kw_only=True):
    """The envelope as it is written."""

    payload: str
    payloadType: str  # noqa: N815  # the name in the format
    signatures: tuple[Signature, ...]


class Envelope(Node, frozen=True, kw_only=True):
    """A decoded envelope. Nothing in it is trusted yet.

    Attributes:
        payload: the exact bytes that were signed.
        payload_type: what they claim to be.
        signatures: (key id hint, signature bytes).
    """

    payload: bytes
    payload_type: str
    signatures: tuple[tuple[str, bytes], ...]

    def message(self) -> bytes:
        """The bytes that the signatures cover."""
        return pae(self.payload_type, self.payload)


def pae(payload_type: str, payload: bytes) -> bytes:
    """Pre-Authentication Encoding: type and payload with their lengths in bytes."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def parse_envelope(data: bytes, *, source: str = "") -> Envelope:
    """Decode an envelope, checking sizes before anything is decoded.

    Raises:
        EnvelopeError: with the JSON Pointer of the fault.
    """
    try:
        wire = read(data, WireEnvelope, max_bytes=MAX_ENVELOPE, source=source)
    except PolicyError as error:
        message = f"not a DSSE envelope: {error.message}"
        raise EnvelopeError(message, pointer=error.pointer, source=error.source) from error
    if not 0 < len(wire.signatures) <= MAX_SIGNATURES:
        raise EnvelopeError(f"needs 1 to {MAX_SIGNATURES} signatures", pointer="/signatures", source=source)
    return Envelope(
        payload=_decode(wire.payload, MAX_PAYLOAD_BASE64, "/payload", source),
        payload_type=wire.payloadType,
        signatures=tuple(
            (s.keyid, _decode(s.sig, _MAX_SIGNATURE_BASE64, f"/signatures/{index}/sig", source))
            for index, s in enumerate(wire.signatures)
        ),
    )


def write_envelope(envelope: Envelope) -> bytes:
    """Encode an envelope in canonical form."""
    signatures = tuple(Signature(keyid=hint, sig=_encode(sig)) for hint, sig in envelope.signatures)
    wire = WireEnvelope(
        payload=_encode(envelope.payload), payloadType=envelope.payload_type, signatures=signatures
    )
    return canonical_bytes(wire)


def sign(payload: bytes, payload_type: str, private_keys: Sequence[PrivateKey]) -> bytes:
    """Sign a payload with every given key and return the envelope's bytes.

    Raises:
        EnvelopeError: no key, too many, or a payload that no verifier would take.
    """
    if not 0 < len(private_keys) <= MAX_SIGNATURES:
        raise EnvelopeError(f"needs 1 to {MAX_SIGNATURES} keys to sign with")
    if len(payload) > MAX_PAYLOAD:
        raise EnvelopeError(f"{len(payload)} bytes, the limit is {MAX_PAYLOAD}")
    message = pae(payload_type, payload)
    signatures = tuple((key.public.key_id, key.sign(message)) for key in private_keys)
    return write_envelope(Envelope(payload=payload, payload_type=payload_type, signatures=signatures))


def _decode(text: str, limit: int, where: str, source: str) -> bytes:
    if len(text) > limit:
        raise EnvelopeError(f"{len(text)} characters, the limit is {limit}", pointer=where, source=source)
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise EnvelopeError("not standard base64 with padding", pointer=where, source=source) from error
    # The decoder ignores the unused bits of the last character: several texts, one value.
    if _encode(data) != text:
        raise EnvelopeError("not the canonical base64 of its bytes", pointer=where, source=source)
    return data


def _encode(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode("ascii")
