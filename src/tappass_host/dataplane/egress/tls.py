"""Read one TLS ClientHello strictly: who is being called, and is the name hidden?

Only what the proxy must know is kept; everything is checked to its last byte, because a
hello that two parsers read differently is how a name is smuggled past one of them.
Layout: RFC 8446 section 4.1.2 and 5.1, server_name: RFC 6066 section 3.
"""

from typing import NamedTuple

from tappass_host.dataplane.egress.refusal import RefusedError

_HANDSHAKE = 22
_CLIENT_HELLO = 1
_MAX_FRAGMENT = 2**14
_SERVER_NAME = 0
_HOST_NAME = 0
# encrypted_client_hello (https://www.rfc-editor.org/rfc/rfc9849, 2026-03) and the code points of its drafts
# and of its forerunner, encrypted_server_name, which servers of that age still read.
_HIDDEN_NAME = frozenset({*range(0xFE08, 0xFE0E), 0xFFCE})


class Hello(NamedTuple):
    """What the client says before anything is encrypted.

    Args:
        names: every host name of the server_name extension, as sent.
        hidden: an extension is present that carries an encrypted name.
    """

    names: tuple[bytes, ...]
    hidden: bool


class HelloReader:
    """Reassembles the first handshake message from records that come in any number of pieces."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._next = 0
        self._message = bytearray()

    def feed(self, received: bytes | bytearray) -> Hello | None:
        """Look at everything received so far, which only grows; None: more is needed.

        Raises:
            RefusedError: it is not TLS, is malformed, or is longer than the limit.
        """
        while (fragment := self._fragment(received)) is not None:
            self._message += fragment
            if (hello := self._complete()) is not None:
                return hello
        if len(received) >= self._limit:
            raise RefusedError(f"the TLS ClientHello is longer than {self._limit} bytes")
        return None

    def _fragment(self, received: bytes | bytearray) -> bytes | None:
        start = self._next
        head = received[start : start + 5]
        if head[:1] not in (b"", b"\x16") or (len(head) > 1 and head[1] != 3):  # noqa: PLR2004 - TLS major version
            raise RefusedError("a tunnel carries TLS only, and this is not a TLS handshake")
        if len(head) < 5:  # noqa: PLR2004 - record header
            return None
        length = int.from_bytes(head[3:5])
        if not 0 < length <= _MAX_FRAGMENT:
            raise RefusedError("malformed TLS record")
        end = start + 5 + length
        if end > self._limit:
            raise RefusedError(f"the TLS ClientHello is longer than {self._limit} bytes")
        if len(received) < end:
            return None
        self._next = end
        return bytes(received[start + 5 : end])

    def _complete(self) -> Hello | None:
        message = self._message
        if message[0] != _CLIENT_HELLO:
            raise RefusedError("the first TLS message is not a ClientHello")
        if len(message) < 4:  # noqa: PLR2004 - handshake header
            return None
        end = 4 + int.from_bytes(message[1:4])
        if end > self._limit:
            raise RefusedError(f"the TLS ClientHello is longer than {self._limit} bytes")
        if len(message) < end:
            return None
        if len(message) > end:
            raise RefusedError("the TLS record goes on after the ClientHello")
        return _parse(bytes(message[4:end]))


class _Cursor:
    """Takes length-prefixed pieces off a byte string and never reads past its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, size: int) -> bytes:
        piece = self._data[self._at : self._at + size]
        if len(piece) != size:
            raise RefusedError("malformed TLS ClientHello")
        self._at += size
        return piece

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def vector(self, prefix: int) -> bytes:
        return self.take(self.number(prefix))

    def end(self) -> None:
        if self:
            raise RefusedError("malformed TLS ClientHello")


def _parse(body: bytes) -> Hello:
    cursor = _Cursor(body)
    cursor.take(2 + 32)  # legacy_version, random
    for prefix in (1, 2, 1):  # session id, cipher suites, compression methods
        cursor.vector(prefix)
    extensions = _extensions(cursor.vector(2)) if cursor else {}
    cursor.end()
    names = _names(extensions[_SERVER_NAME]) if _SERVER_NAME in extensions else ()
    return Hello(names, bool(_HIDDEN_NAME & extensions.keys()))


def _extensions(block: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    cursor = _Cursor(block)
    while cursor:
        kind = cursor.number(2)
        if kind in found:
            raise RefusedError("a TLS extension occurs twice in the ClientHello")
        found[kind] = cursor.vector(2)
    return found


def _names(extension: bytes) -> tuple[bytes, ...]:
    outer = _Cursor(extension)
    entries = _Cursor(outer.vector(2))
    outer.end()
    names = []
    while entries:
        if entries.number(1) != _HOST_NAME:
            raise RefusedError("a TLS server name of an unknown kind")
        names.append(entries.vector(2))
    return tuple(names)
