"""From an envelope to bytes that enough trusted keys signed.

Three rules: distinct public keys count, never key ids or signatures; a key is judged at
the trusted now, never at the time that the signed document claims for itself; and nothing
looks into the payload before its signatures hold.
"""

import msgspec

from tappass_host.policy.canonical import digest
from tappass_host.policy.errors import EnvelopeError, SignatureError
from tappass_host.policy.trust.dsse import PAYLOAD_TYPES, Envelope, Role, parse_envelope
from tappass_host.policy.trust.keys import PublicKey


class TrustedKey(msgspec.Struct, frozen=True):
    """A key and the instant (Unix seconds) from which it counts no more."""

    key: PublicKey
    expires_at: int | None = None

    def counts(self, now: int) -> bool:
        """Tell whether a signature by this key counts now."""
        return self.expires_at is None or now < self.expires_at


class RoleKeys(msgspec.Struct, frozen=True):
    """Who may sign in one role, and how many of them must."""

    role: Role
    keys: tuple[TrustedKey, ...]
    threshold: int

    def key_ids(self) -> frozenset[str]:
        """Names of all keys of the role, expired ones included."""
        return frozenset(trusted.key.key_id for trusted in self.keys)


class Signed(msgspec.Struct, frozen=True):
    """Bytes whose signatures hold.

    Attributes:
        payload: the exact bytes.
        digest: `sha256:<hex>` of them.
        key_ids: the distinct keys that signed, sorted.
    """

    payload: bytes
    digest: str
    key_ids: tuple[str, ...]


def open_signed(data: bytes, keys: RoleKeys, *, now: int, source: str = "") -> Signed:
    """Decode an envelope of one role and check its signatures.

    Raises:
        EnvelopeError: malformed, or made for another role.
        SignatureError: fewer distinct keys signed than the role's threshold.
    """
    envelope = parse_envelope(data, source=source)
    return check_signed(envelope, keys, now=now, source=source)


def check_signed(envelope: Envelope, keys: RoleKeys, *, now: int, source: str = "") -> Signed:
    """Check a decoded envelope; see `open_signed`."""
    expected = PAYLOAD_TYPES[keys.role]
    if envelope.payload_type != expected:
        message = f"payload type of another role, {keys.role} needs {expected}"
        raise EnvelopeError(message, pointer="/payloadType", source=source)
    signers = _signers(envelope, [trusted.key for trusted in keys.keys if trusted.counts(now)])
    if len(signers) < keys.threshold:
        raise _too_few(envelope, keys, found=len(signers), now=now, source=source)
    names = tuple(sorted(key.key_id for key in signers))
    return Signed(envelope.payload, digest(envelope.payload), names)


def _signers(envelope: Envelope, keys: list[PublicKey]) -> set[PublicKey]:
    message = envelope.message()
    found: set[PublicKey] = set()
    for hint, signature in envelope.signatures:
        # The hint only orders the search: a wrong one costs time and decides nothing.
        for key in sorted(keys, key=lambda key: (key.key_id != hint, key)):
            if key.verifies(signature, message):
                found.add(key)
                break
    return found


def _too_few(envelope: Envelope, keys: RoleKeys, *, found: int, now: int, source: str) -> SignatureError:
    """Say what an operator needs: how many count, and which of the trusted keys have expired."""
    expired = [trusted.key for trusted in keys.keys if not trusted.counts(now)]
    message = f"{found} of {keys.threshold} needed signatures by distinct trusted {keys.role} keys"
    if late := sorted(key.key_id for key in _signers(envelope, expired)):
        message += f"; signed with expired keys {', '.join(late)}"
    return SignatureError(message, pointer="/signatures", source=source, remedy="sign it with a trusted key")
