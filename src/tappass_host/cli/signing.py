"""Putting signatures on documents, and telling whether they are enough."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tappass_host.cli import home
from tappass_host.cli.policies import Document
from tappass_host.policy.errors import TrustError

if TYPE_CHECKING:
    from tappass_host.policy.trust.keys import PrivateKey


def endorse(document: Document, keys: Sequence["PrivateKey"]) -> bytes:
    """The envelope with a signature by each key beside those that it already has.

    Raises:
        EnvelopeError: too many signatures, or too large.
    """
    from tappass_host.policy.trust.dsse import PAYLOAD_TYPES, parse_envelope, sign, write_envelope

    added = parse_envelope(sign(document.payload, PAYLOAD_TYPES["policy"], keys))
    if document.form != "envelope":
        return write_envelope(added)
    from msgspec.structs import replace

    had = parse_envelope(document.envelope, source=document.source)
    known = {signature for _, signature in had.signatures}
    fresh = tuple(pair for pair in added.signatures if pair[1] not in known)
    return write_envelope(replace(had, signatures=had.signatures + fresh))


def standing(envelope: bytes, org_id: str, *, now: int) -> str:
    """In one sentence: would the organisation's root take these signatures now?"""
    from tappass_host.policy.trust.signed import open_signed

    try:
        root = home.trusted_root(org_id, now=now)
        signed = open_signed(envelope, root.keys_of("policy", now=now), now=now)
    except TrustError as error:
        return f"Not accepted by the root of {org_id} yet: {error.message}"
    return f"Accepted by the root of {org_id} v{root.version}: {len(signed.key_ids)} signature(s) count"
