"""The two sockets of the service: one for the sandbox, one for people."""

import asyncio
import contextlib
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final

from tappass_host.audit.events import AdminRefused
from tappass_host.decision import peers
from tappass_host.decision.admin import AdminDesk
from tappass_host.decision.call import Call
from tappass_host.decision.decider import Answer, Append, Decider, nothing_known
from tappass_host.decision.dialects import DIALECTS, plain
from tappass_host.decision.http1 import MAX_HEAD, Request, parse_head, response
from tappass_host.decision.payload import parse
from tappass_host.decision.peers import Peer
from tappass_host.policy.errors import AuditError, TappassError, WireError
from tappass_host.sdk.denial import ascii_only

_HOOK: Final = "/v1/hook/"
_DECIDE: Final = "/v1/decide"
_JSON: Final = "application/json"
_ADMIN_BODY: Final = 65536
_LINGER_S: Final = 1.0

Handler = Callable[[Request, bytes, Peer], Awaitable[bytes]]


class _StatusError(Exception):
    """An answer that is not about the call."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Server:
    """Listens, and lets the decider decide."""

    def __init__(self, decider: Decider, append: Append) -> None:
        self._decider, self._append = decider, append
        self._desk = AdminDesk(decider, append)
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> dict[str, str]:
        """Listen on both sockets; gives their paths.

        Raises:
            SchemaError, MissingTargetError, OSError: a socket cannot be had; none is left open.
        """
        config = self._decider.config
        try:
            await self._listen(config.listen.unix, config.listen.uids, self._agent)
            if config.admin is not None:
                await self._listen(config.admin.unix, config.admin.uids, self._admin)
        except BaseException:
            await self.close()
            raise
        return {"unix": config.listen.unix, **({"admin": config.admin.unix} if config.admin else {})}

    async def close(self) -> None:
        """Stop listening; calls that still wait get no answer, which is a denial."""
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # connections close in the next turn of the loop

    async def _listen(self, path: str, uids: tuple[int, ...], handler: Handler) -> None:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            try:
                # Only `close` cancels it, and nobody waits for it to say so.
                with contextlib.suppress(asyncio.CancelledError):
                    await self._serve(reader, writer, handler)
            finally:
                self._tasks.discard(task)

        listener = peers.listen(path, uids)
        self._servers.append(await asyncio.start_unix_server(connected, sock=listener, limit=MAX_HEAD))

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler
    ) -> None:
        try:
            writer.write(await self._answer(reader, writer, handler))
            with contextlib.suppress(OSError, TimeoutError):
                await writer.drain()
                await _linger(reader, writer)
        finally:
            writer.close()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler
    ) -> bytes:
        try:
            return await self._answered(reader, writer, handler)
        except _StatusError as error:
            return response(error.status, str(error).encode())
        except TappassError as error:
            return response(400, ascii_only(error.message).encode())
        except (OSError, asyncio.IncompleteReadError):
            return b""

    async def _answered(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler
    ) -> bytes:
        connection: socket.socket = writer.get_extra_info("socket")
        peer = peers.peer_of(connection)
        self._admit(peer, handler)
        limits = self._decider.config.limits
        most = limits.request_bytes if handler == self._agent else _ADMIN_BODY
        try:
            async with asyncio.timeout(limits.read_s):
                request, body = await _read(reader, most)
        except TimeoutError:
            raise _StatusError(408, "the request took too long") from None
        return await self._while_there(reader, handler(request, body, peer))

    def _admit(self, peer: Peer, handler: Handler) -> None:
        config = self._decider.config
        if len(self._tasks) > config.limits.connections:
            raise _StatusError(503, "too many connections")
        if handler == self._agent:
            if not peers.may_ask(peer, config.listen.uids):
                raise _StatusError(403, "this socket belongs to another user")
        elif config.admin is None or (why := peers.why_not_admin(peer, config.admin)):
            self._append(AdminRefused(uid=peer.uid, pid=peer.pid, reason=why))
            raise _StatusError(403, why)

    async def _while_there(self, reader: asyncio.StreamReader, work: Awaitable[bytes]) -> bytes:
        """Work on an answer for as long as somebody is there to read it."""
        working = asyncio.ensure_future(work)
        left = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait((working, left), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise ConnectionResetError("whoever asked is gone")
            return working.result()
        finally:
            for task in (working, left):
                task.cancel()
            await asyncio.gather(working, left, return_exceptions=True)

    # -- the sandbox

    async def _agent(self, request: Request, body: bytes, peer: Peer) -> bytes:
        if request.method != "POST":
            raise _StatusError(405, "POST only")
        if not request.nonce:
            raise _StatusError(400, "a Tappass-Nonce of 32 lower-case hex digits is needed")
        if request.path == _DECIDE:
            return await self._decide(request, body, peer)
        hooks = {hook.dialect: hook for hook in self._decider.config.hooks}
        name = request.path.removeprefix(_HOOK)
        if not request.path.startswith(_HOOK) or name not in hooks:
            raise _StatusError(404, "no such place here")
        dialect = DIALECTS[name]
        answer = await self._verdict(body, peer, name, lambda said: dialect.read(said, self._decider.policy))
        explicit = answer.explicit and hooks[name].answer == "explicit"
        text = dialect.allowed(answer.text, explicit=explicit) if answer.effect == "allow" else answer.text
        return response(200, text.encode(), nonce=request.nonce, effect=answer.effect)

    async def _decide(self, request: Request, body: bytes, peer: Peer) -> bytes:
        answer = await self._verdict(body, peer, plain.DIALECT, plain.read)
        said = {
            "nonce": request.nonce,
            "effect": answer.effect,
            "statement": answer.statement,
            "reason": answer.reason,
            "would": answer.would,
            "text": answer.text,
            "request": answer.request,
            "policy": {
                "version": self._decider.config.policy.version,
                "digest": self._decider.config.policy.digest,
            },
        }
        return response(200, _dumps(said), kind=_JSON, nonce=request.nonce, effect=answer.effect)

    async def _verdict(
        self, body: bytes, peer: Peer, dialect: str, read: Callable[[dict[str, Any]], Call]
    ) -> Answer:
        try:
            call = read(parse(body))
        except TappassError as error:
            return self._decider.refuse(nothing_known(dialect), peer, ascii_only(error.message))
        return await self._decider.decide(call, peer)

    # -- people

    async def _admin(self, request: Request, body: bytes, peer: Peer) -> bytes:
        if request.method == "GET" and request.path in self._desk.reads:
            return response(200, _dumps(self._desk.reads[request.path]()), kind=_JSON)
        if request.method == "POST" and request.path in self._desk.writes:
            try:
                return response(200, _dumps(self._desk.writes[request.path](parse(body), peer)), kind=_JSON)
            except AuditError as error:
                raise _StatusError(503, f"it could not be recorded: {error.message}") from error
        raise _StatusError(404, "no such place here")


async def _linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Closing while something is unread would take the answer away from whoever is still writing."""
    writer.write_eof()
    async with asyncio.timeout(_LINGER_S):
        while await reader.read(65536):
            pass


async def _read(reader: asyncio.StreamReader, max_body: int) -> tuple[Request, bytes]:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise WireError("a head that is too large") from None
    request = parse_head(head, max_body=max_body)
    return request, await reader.readexactly(request.length)


def _dumps(said: dict[str, Any]) -> bytes:
    return json.dumps(said, sort_keys=True).encode()
