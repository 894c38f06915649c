"""Frames between the runner and its child: four bytes of length, then one JSON object.

The child imports this before it is confined, so only the standard library is used.
"""

import json
import socket
import struct
import threading
from typing import Any

_LENGTH = struct.Struct(">I")
# Largest request of the runner: code, input and the answers of host functions.
MAX_TO_CHILD = 64 << 20
# Largest arguments of one call of a host function.
MAX_ARGUMENTS = 1 << 20


class FrameError(Exception):
    """The other side broke the protocol: too long, cut off, or not a JSON object."""


class ClosedError(Exception):
    """The other side is gone."""


def encode(message: object) -> bytes:
    """Write one message, or any JSON value.

    Raises:
        ValueError: NaN or infinity, which JSON does not have.
        TypeError: a value JSON does not have.
    """
    text = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


class Channel:
    """One end of a stream socket that speaks frames. Sending is safe from several threads."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sending = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        """Send one message.

        Raises:
            ValueError: NaN or infinity, which JSON does not have.
            TypeError: a value JSON does not have.
            ClosedError: the other side is gone.
        """
        payload = encode(message)
        try:
            with self._sending:
                self._sock.sendall(_LENGTH.pack(len(payload)) + payload)
        except OSError as error:
            raise ClosedError(str(error)) from error

    def receive(self, limit: int) -> bytes | None:
        """Read the payload of one frame, or None where the other side closed between frames.

        Raises:
            FrameError: a frame longer than `limit`, or cut off.
        """
        head = self._read(_LENGTH.size)
        if not head:
            return None
        (size,) = _LENGTH.unpack(head) if len(head) == _LENGTH.size else (limit + 1,)
        if size > limit:
            raise FrameError(f"a frame of {size} bytes, the limit is {limit}")
        payload = self._read(size)
        if len(payload) != size:
            raise FrameError("a frame was cut off")
        return payload

    def _read(self, size: int) -> bytes:
        """Read up to `size` bytes; fewer only at the end. Grows as bytes come, never ahead of them."""
        parts: list[bytes] = []
        while size:
            try:
                part = self._sock.recv(min(size, 1 << 16))
            except ConnectionError:
                break
            if not part:
                break
            parts.append(part)
            size -= len(part)
        return b"".join(parts)
