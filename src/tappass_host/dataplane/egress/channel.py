"""One end of a connection: collects bytes while a head is read, then forwards them to its peer.

Memory is bounded in both states: reading pauses when `limit` bytes wait to be parsed, and when
the peer's write buffer is full.
"""

import asyncio
from collections.abc import Callable
from typing import cast

SCRATCH_BYTES = 128 * 1024
_LINGER_S = 1.0


class Channel(asyncio.BufferedProtocol):
    """A transport with a small inbox; after `join`, a pipe into another channel.

    Args:
        scratch: receive buffer, shared by all channels of one loop (it is emptied in the same callback).
        limit: bytes that may wait here unread.
        opened: called when the connection stands.
        left: called once when it is gone.
    """

    __slots__ = (
        "_eof", "_error", "_limit", "_opened", "_read_wait", "_scratch", "_writable", "_write_wait",
        "gone", "inbox", "left", "peer", "seen", "transport",
    )  # fmt: skip

    def __init__(
        self,
        scratch: bytearray,
        limit: int,
        *,
        opened: "Callable[[Channel], None] | None" = None,
        left: Callable[[], None] | None = None,
    ) -> None:
        self._scratch = memoryview(scratch)
        self._limit = limit
        self._opened = opened
        self._read_wait: asyncio.Future[None] | None = None
        self._write_wait: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self._writable = True
        self._eof = False
        self.inbox = bytearray()
        self.peer: Channel | None = None
        self.seen = asyncio.get_running_loop().time()
        self.left = left
        self.gone = False
        self.transport: asyncio.Transport

    # -- called by the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if self._opened:
            self._opened(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint  # a recommendation only
        return self._scratch

    def buffer_updated(self, nbytes: int) -> None:
        self.seen = asyncio.get_running_loop().time()
        data = bytes(self._scratch[:nbytes])
        if self.peer:
            self.peer.write(data)
            return
        self.inbox += data
        if len(self.inbox) >= self._limit:
            self.transport.pause_reading()
        _wake(self._read_wait)

    def eof_received(self) -> bool:
        self._eof = True
        _wake(self._read_wait)
        if self.peer:
            self._end_of(self.peer)
        return True  # the other direction may still have something to say

    def pause_writing(self) -> None:
        self._writable = False
        if self.peer:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        self._writable = True
        if self.peer and not self.peer.transport.is_closing():
            self.peer.transport.resume_reading()
        _wake(self._write_wait)

    def connection_lost(self, exc: Exception | None) -> None:
        self._error = exc
        self._eof = self._writable = True
        _wake(self._read_wait)
        _wake(self._write_wait)
        if self.peer:
            self.peer.transport.close()
        self.gone = True
        if self.left:
            self.left()

    # -- called by the proxy

    def write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)

    def write_eof(self) -> None:
        if not self.transport.is_closing():
            self.transport.write_eof()

    async def drain(self) -> None:
        """Wait until what was written has room.

        Raises:
            ConnectionError: the connection is gone.
        """
        while not self._writable:
            self._write_wait = asyncio.get_running_loop().create_future()
            await self._write_wait
        if self.transport.is_closing():
            raise ConnectionResetError("connection lost")

    async def more(self) -> bool:
        """Wait for new bytes in the inbox; False: the other side is done.

        Raises:
            ConnectionError: the connection broke.
        """
        before = len(self.inbox)
        if before < self._limit and not self._eof:
            self.transport.resume_reading()
        while len(self.inbox) == before and not self._eof and not self.transport.is_closing():
            self._read_wait = asyncio.get_running_loop().create_future()
            await self._read_wait
        if len(self.inbox) == before and self._error:
            raise ConnectionResetError("connection lost") from self._error
        return len(self.inbox) > before

    def take(self, size: int) -> bytes:
        """Remove bytes from the front of the inbox."""
        data = bytes(self.inbox[:size])
        del self.inbox[:size]
        return data

    def join(self, other: "Channel") -> None:
        """From now on every byte received goes to `other`, waiting ones first."""
        self.peer = other
        if self.inbox:
            other.write(self.take(len(self.inbox)))
        if self._eof:
            self._end_of(other)
        elif other._writable and not self.transport.is_closing():  # noqa: SLF001 - same class
            self.transport.resume_reading()

    async def finish(self, last_words: bytes) -> None:
        """Say something and close; read on for a moment, since unread bytes turn a close into a reset."""
        self.write(last_words)
        self.write_eof()
        self.inbox.clear()
        try:
            async with asyncio.timeout(_LINGER_S):
                while await self.more():
                    self.inbox.clear()
        except (TimeoutError, ConnectionError):
            pass
        finally:
            self.transport.close()

    def _end_of(self, other: "Channel") -> None:
        """Nothing more will be forwarded to `other`; with both directions at their end, both close."""
        other.write_eof()
        if other._eof:  # noqa: SLF001 - same class
            self.transport.close()
            other.transport.close()

    def abort(self) -> None:
        self.transport.abort()


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter and not waiter.done():
        waiter.set_result(None)
