"""Keys of the log: one for each epoch, used for a while and then erased. Pure: randomness comes from callers.

Whoever takes the machine has the key of the current epoch only, so what older epochs signed stays true. The
next public key is signed by the old private one, in the chain itself.
"""

import re
from typing import Final

from msgspec import Struct

from tappass_host.policy.canonical import canonical_bytes
from tappass_host.policy.errors import AuditError, KeyRefusedError
from tappass_host.policy.trust.keys import PrivateKey, PublicKey, generate

_CHECKPOINT: Final = b"tappass.audit-checkpoint/v1\n"
_SIGNATURE: Final = re.compile(r"[0-9a-f]{128}")


class EpochKey:
    """A private key and the number of the epoch it is for. No Struct, so that nothing can write it out."""

    __slots__ = ("_key", "number")

    def __init__(self, number: int, seed: bytes) -> None:
        self.number = number
        self._key: PrivateKey = generate(seed)

    @property
    def public(self) -> str:
        """The public key, `ed25519:<hex>`."""
        return self._key.public.text

    def sign(self, data: bytes) -> str:
        """Sign; hex."""
        return self._key.sign(data).hex()

    def seed(self) -> bytes:
        """The secret bytes, for the key file."""
        return self._key.raw()


class Checkpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A point of the chain for somebody else to keep: nothing up to it can be changed unnoticed.

    Attributes:
        log: identity of the chain.
        seq: number of the last record it covers.
        head: hash of that record.
        epoch: number of the key that signed it.
        at: when it was made.
        sig: Ed25519 over everything else, hex.
    """

    log: str
    seq: int
    head: str
    epoch: int
    at: str
    sig: str = ""


def checkpoint_bytes(checkpoint: Checkpoint) -> bytes:
    """What the signature of a checkpoint covers."""
    fields = {name: getattr(checkpoint, name) for name in checkpoint.__struct_fields__ if name != "sig"}
    return _CHECKPOINT + canonical_bytes(fields)


def checkpoint_line(checkpoint: Checkpoint) -> bytes:
    """A checkpoint as it is kept, without the line feed."""
    return canonical_bytes(checkpoint)


def verifies(public: str, sig: str, data: bytes) -> bool:
    """Whether a signature holds."""
    if not _SIGNATURE.fullmatch(sig):
        return False
    return parse_public(public).verifies(bytes.fromhex(sig), data)


def parse_public(text: str) -> PublicKey:
    """A public key under which a signature proves something.

    Raises:
        AuditError: any other.
    """
    try:
        return PublicKey.parse(text)
    except KeyRefusedError as error:
        raise AuditError(f"a key of the log is unusable: {error.message}") from error
