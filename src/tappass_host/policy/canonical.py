"""The canonical form: one byte string per document, whoever writes it.

Equal to RFC 8785 (JSON Canonicalization Scheme) for documents without floats, which are
the only ones this project has. Signatures do not depend on it (they cover exact bytes);
digests of Runtimes, artifacts and audiences do.
"""

import re

import msgspec

from tappass_host.policy.errors import WireError
from tappass_host.policy.wire import MAX_INTEGER, pointer

# UTF-8 lead bytes of characters outside the Basic Multilingual Plane.
_ASTRAL = re.compile(rb"[\xf0-\xf4]")


def canonical_bytes(obj: object) -> bytes:
    """Encode structs, mappings and plain values in canonical form.

    Raises:
        WireError: a float, an integer beyond 2^53-1, a key that is not text, or text that
            is not Unicode, with its JSON Pointer where there is one.
    """
    plain = msgspec.to_builtins(obj)
    _check(plain, ())
    try:
        data = msgspec.json.encode(plain, order="sorted")
    except UnicodeEncodeError as error:
        raise WireError("a lone surrogate is not a character") from error
    # msgspec sorts keys by code point, RFC 8785 by UTF-16 unit: they differ only where a
    # key has a character beyond U+FFFF, so the slow way is taken only then.
    if data.isascii() or not _ASTRAL.search(data):
        return data
    return msgspec.json.encode(_ordered(plain))


def digest(data: bytes) -> str:
    """Name bytes by their content: `sha256:<64 hex digits>`."""
    import hashlib  # OpenSSL takes milliseconds to load; many commands never hash

    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _check(value: object, path: tuple[str | int, ...]) -> None:
    kind = type(value)
    if kind is dict:
        for key, member in value.items():  # type: ignore[attr-defined]  # narrowed by `kind`
            if type(key) is not str:
                raise WireError(f"key {key!r} is not text", pointer=pointer(path))
            if type(member) is not str:
                _check(member, (*path, key))
    elif kind is list:
        for index, member in enumerate(value):  # type: ignore[arg-type]
            if type(member) is not str:
                _check(member, (*path, index))
    elif kind is float:
        raise WireError("a float has no canonical form", pointer=pointer(path))
    elif kind is int and abs(value) > MAX_INTEGER:  # type: ignore[arg-type]
        raise WireError("integer beyond 2^53-1", pointer=pointer(path))


def _ordered(value: object) -> object:
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value, key=_utf16)}
    if isinstance(value, list):
        return [_ordered(member) for member in value]
    return value


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be")
