"""Copy a message body from one side to the other, framed anew, with nothing behind its end."""

import re

from tappass_host.dataplane.egress.channel import Channel
from tappass_host.dataplane.egress.http1 import CHUNKED, UNTIL_CLOSE, Framing, bad

_CHUNK_SIZE = re.compile(rb"(?P<size>[0-9A-Fa-f]{1,12})[ \t]*(?:;[\t\x20-\x7e]*)?")
_MAX_LINE = 256
_MAX_TRAILERS = 64
_PIECE = 65536


async def read_head(source: Channel, limit: int, too_long: int = 431) -> bytes:
    """Take one message head, without its final empty line, off a connection.

    Args:
        source: the connection.
        limit: bytes.
        too_long: status of the refusal of a longer one.

    Raises:
        RefusedError: too long, or the connection ended within it.
        ConnectionError: nothing came at all.
    """
    while (end := source.inbox.find(b"\r\n\r\n")) < 0:
        if len(source.inbox) >= limit:
            raise bad(f"a message head longer than {limit} bytes", too_long)
        if not await source.more():
            if source.inbox:
                raise bad("the connection ended within a message head")
            raise ConnectionResetError("nothing was sent")
    if end > limit:
        raise bad(f"a message head longer than {limit} bytes", too_long)
    return source.take(end + 4)[:-4]


async def copy_body(source: Channel, sink: Channel, framing: Framing) -> None:
    """Forward exactly one body.

    Raises:
        RefusedError: malformed chunks.
        ConnectionError: it ended early, or the sink is gone.
    """
    if framing is CHUNKED:
        await _copy_chunks(source, sink)
    elif framing is UNTIL_CLOSE:
        while piece := await _piece(source, _PIECE):
            await _send(sink, piece)
    else:
        await _copy_exactly(source, sink, framing.length)


async def _copy_exactly(source: Channel, sink: Channel, left: int) -> None:
    while left:
        piece = await _piece(source, min(left, _PIECE))
        if not piece:
            raise ConnectionResetError("the body ended early")
        left -= len(piece)
        await _send(sink, piece)


async def _copy_chunks(source: Channel, sink: Channel) -> None:
    while size := await _chunk_size(source):
        while size:
            piece = await _piece(source, min(size, _PIECE))
            if not piece:
                raise ConnectionResetError("the body ended early")
            size -= len(piece)
            await _send(sink, b"%x\r\n%b\r\n" % (len(piece), piece))
        if await _line(source):
            raise bad("malformed chunk")
    for _ in range(_MAX_TRAILERS):
        if not await _line(source):  # trailers are dropped: no header may arrive that the head did not show
            await _send(sink, b"0\r\n\r\n")
            return
    raise bad("too many trailers")


async def _chunk_size(source: Channel) -> int:
    match = _CHUNK_SIZE.fullmatch(await _line(source))
    if match is None:
        raise bad("malformed chunk")
    return int(match["size"], 16)


async def _line(source: Channel) -> bytes:
    while (end := source.inbox.find(b"\r\n", 0, _MAX_LINE)) < 0:
        if len(source.inbox) >= _MAX_LINE:
            raise bad("malformed chunk")
        if not await source.more():
            raise ConnectionResetError("the body ended early")
    return source.take(end + 2)[:-2]


async def _piece(source: Channel, most: int) -> bytes:
    if not source.inbox:
        await source.more()
    return source.take(most)


async def _send(sink: Channel, data: bytes) -> None:
    sink.write(data)
    await sink.drain()
