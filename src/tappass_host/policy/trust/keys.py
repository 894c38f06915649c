"""Ed25519 keys, refusing those under which a signature proves nothing.

RFC 8032 verification accepts public keys of small order, and under these one fixed
signature is valid for every message. It also lets some points be written in two ways,
so that one key could count twice. Such keys never become a `PublicKey`.

`cryptography` is imported where it is used: loading it costs tens of milliseconds.
"""

from typing import TYPE_CHECKING, Self

import msgspec

from tappass_host.policy.canonical import digest
from tappass_host.policy.errors import KeyRefusedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_PREFIX = "ed25519:"
_SIZE = 32
_HEX = frozenset("0123456789abcdef")

# The field and the curve constant of edwards25519, RFC 8032 section 5.1.
_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_SIGN_BIT = 1 << 255

# The eight points whose order divides the cofactor have these five y coordinates. The sign of
# x is left out of the comparison, so that both encodings of each are met, and the two that no
# encoder writes (x = 0 with the sign bit set) as well. `tests/attacks` recomputes the table.
_ORDER_8 = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
_SMALL_ORDER = {1: 1, _P - 1: 2, 0: 4, _ORDER_8: 8, _P - _ORDER_8: 8}


class PublicKey(msgspec.Struct, frozen=True, order=True):
    """A point of large order in its only encoding.

    Attributes:
        raw: the 32 bytes of RFC 8032.

    Raises:
        KeyRefusedError: malformed, not canonical, of small order, or not on the curve.
    """

    raw: bytes

    def __post_init__(self) -> None:
        _check_point(self.raw)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the form used in documents, `ed25519:` and 64 lower-case hex digits."""
        digits = text.removeprefix(_PREFIX)
        if digits == text or len(digits) != 2 * _SIZE or not _HEX.issuperset(digits):
            raise KeyRefusedError(f"not a public key of the form {_PREFIX}<64 hex digits>")
        return cls(bytes.fromhex(digits))

    @classmethod
    def from_pem(cls, data: bytes) -> Self:
        """Read a SubjectPublicKeyInfo PEM file."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        try:
            key = load_pem_public_key(data)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise KeyRefusedError("not a public key in PEM form") from error
        if not isinstance(key, Ed25519PublicKey):
            raise KeyRefusedError("not an Ed25519 public key")
        return cls(key.public_bytes_raw())

    @property
    def key_id(self) -> str:
        """Digest of the raw bytes: a name for people and a hint for verifiers, never a proof."""
        return digest(self.raw)

    @property
    def text(self) -> str:
        """The form used in documents."""
        return _PREFIX + self.raw.hex()

    def pem(self) -> bytes:
        """Write a SubjectPublicKeyInfo PEM file."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        key = Ed25519PublicKey.from_public_bytes(self.raw)
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Tell whether this key signed exactly these bytes."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature:
            return False
        return True


class PrivateKey:
    """A signing key. Not a struct, so that no encoder and no `repr` can write it out."""

    __slots__ = ("_key", "public")

    def __init__(self, key: "Ed25519PrivateKey") -> None:
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"PrivateKey({self.public.key_id})"

    def sign(self, message: bytes) -> bytes:
        """Sign; deterministic (RFC 8032)."""
        return self._key.sign(message)

    def raw(self) -> bytes:
        """The 32 secret bytes."""
        return self._key.private_bytes_raw()

    def pem(self) -> bytes:
        """Write a PKCS #8 PEM file, not encrypted."""
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def generate(entropy: bytes) -> PrivateKey:
    """Make a key from 32 bytes of `secrets.token_bytes`.

    The caller brings the randomness: nothing below `policy` has a source of its own.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if len(entropy) != _SIZE:
        raise KeyRefusedError(f"a private key is {_SIZE} bytes, not {len(entropy)}")
    return PrivateKey(Ed25519PrivateKey.from_private_bytes(entropy))


def private_from_pem(data: bytes, *, passphrase: bytes | None = None, source: str = "") -> PrivateKey:
    """Read a PKCS #8 PEM file.

    Raises:
        KeyRefusedError: another kind of key, not PEM, or the passphrase is missing or wrong.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(data, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        remedy = "make one with `tappass key new`; an encrypted key needs its passphrase"
        raise KeyRefusedError("not a readable private key", source=source, remedy=remedy) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyRefusedError("not an Ed25519 private key", source=source)
    return PrivateKey(key)


def _check_point(raw: bytes) -> None:
    if len(raw) != _SIZE:
        raise KeyRefusedError(f"a public key is {_SIZE} bytes, not {len(raw)}")
    y = int.from_bytes(raw, "little") & ~_SIGN_BIT
    if y >= _P:
        raise KeyRefusedError("public key is not canonical: y is not below 2^255-19")
    if y in _SMALL_ORDER:
        raise KeyRefusedError(
            f"public key has small order {_SMALL_ORDER[y]}: anyone can forge signatures under it"
        )
    if not _on_curve(y):
        raise KeyRefusedError("public key is not a point of edwards25519")


def _on_curve(y: int) -> bool:
    """Tell whether x^2 = (y^2 - 1) / (d y^2 + 1) has a root (Euler's criterion; x = 0 is excluded before)."""
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    return pow(square, (_P - 1) // 2, _P) == 1
