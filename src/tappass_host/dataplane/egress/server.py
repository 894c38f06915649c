"""The proxy as a whole: listeners, the set of open visits, reload, expiry, limits."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Coroutine
from functools import partial

from tappass_host.dataplane.egress.channel import SCRATCH_BYTES, Channel
from tappass_host.dataplane.egress.deadline import Deadline
from tappass_host.dataplane.egress.gate import DeadlineMaker, Gate, Resolver, system_resolver
from tappass_host.dataplane.egress.http1 import Headers
from tappass_host.dataplane.egress.inject import Injections
from tappass_host.dataplane.egress.listeners import peer_allowed, tcp_socket, unix_socket
from tappass_host.dataplane.egress.record import Record, to_stderr
from tappass_host.dataplane.egress.refusal import RefusedError, response
from tappass_host.dataplane.egress.secret import resolve_secret
from tappass_host.dataplane.egress.session import Dialer, Session, system_dialer
from tappass_host.dataplane.egress.visit import Visit
from tappass_host.policy.errors import SchemaError
from tappass_host.sdk.configs.egress import EgressConfig

_SWEEP_S = 1.0
# How many clients that were turned away may still be reading the reason.
_LEAVING = 64


class EgressProxy:
    """A proxy for one sandbox.

    Args:
        config: what it runs from; `reload` replaces it.
        record: called with every verdict; if it raises, the answer is no.
        resolve: name to addresses.
        dial: opens a connection to an address.
        secret: value behind a reference.
        deadline: makes the expiry of a policy.
    """

    def __init__(
        self,
        config: EgressConfig,
        *,
        record: Record = to_stderr,
        resolve: Resolver = system_resolver,
        dial: Dialer = system_dialer,
        secret: Callable[[str], str] = resolve_secret,
        deadline: DeadlineMaker = Deadline,
    ) -> None:
        self._scratch = bytearray(SCRATCH_BYTES)
        self._visits: set[Visit] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []
        self._secret = secret
        self.gate = Gate(config, record, resolve, deadline)
        self._injections = Injections(config.inject, secret)
        token = secret(config.listen.token_ref) if config.listen.tcp else ""
        self._session = Session(self.gate, dial, self._make_upstream, token, self._inject)

    # -- life

    async def start(self) -> dict[str, str]:
        """Listen; gives the addresses bound, `{"unix": path, "tcp": "host:port"}`.

        Raises:
            SchemaError, MissingTargetError, OSError: a listener cannot be had; none is left open.
        """
        listen = self.gate.config.listen
        bound: dict[str, str] = {}
        try:
            if listen.unix:
                await self._listen(unix_socket(listen), trusted=True)
                bound["unix"] = listen.unix
            if listen.tcp:
                listener = tcp_socket(listen)
                await self._listen(listener, trusted=False)
                bound["tcp"] = "{}:{}".format(*listener.getsockname()[:2])
        except BaseException:
            await self.close()
            raise
        self._spawn(self._sweep())
        return bound

    async def close(self) -> None:
        """Stop listening and end every connection."""
        for server in self._servers:
            server.close()
        for visit in list(self._visits):
            visit.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # connections close in the next turn of the loop

    def reload(self, config: EgressConfig) -> int:
        """Put another configuration in force; gives the number of connections cut.

        Raises:
            SchemaError: it is for another sandbox or other listeners; what was in force stays.
        """
        old = self.gate.config
        if (config.sandbox, config.listen) != (old.sandbox, old.listen):
            raise SchemaError("a reload may not change sandbox or listeners", remedy="restart the proxy")
        injections = Injections(config.inject, self._secret)
        self.gate.load(config)
        self._injections = injections
        return self._cut("the policy changed")

    def lock_down(self, why: str) -> int:
        """Deny everything and cut everything, until a `reload` succeeds."""
        self.gate.lock_down(why)
        return self._cut(why)

    def open_visits(self) -> int:
        """Connections held right now."""
        return len(self._visits)

    # -- connections

    async def _listen(self, listener: socket.socket, *, trusted: bool) -> None:
        loop = asyncio.get_running_loop()

        def make() -> Channel:
            return self._make_channel(lambda channel: self._accept(channel, trusted=trusted))

        if listener.family == socket.AF_UNIX:
            self._servers.append(await loop.create_unix_server(make, sock=listener))
        else:
            self._servers.append(await loop.create_server(make, sock=listener))

    def _make_channel(self, opened: Callable[[Channel], None] | None) -> Channel:
        limits = self.gate.config.limits
        limit = max(limits.header_bytes, limits.hello_bytes)
        return Channel(self._scratch, limit, opened=opened)

    def _make_upstream(self, visit: Visit) -> Channel:
        channel = self._make_channel(None)
        channel.left = partial(self._leave, visit)
        return channel

    def _accept(self, client: Channel, *, trusted: bool) -> None:
        visit = Visit(client, self.gate.label(), trusted=trusted)
        if refusal := self._unwelcome(visit):
            self._turn_away(visit, refusal)
            return
        self._visits.add(visit)
        client.left = partial(self._leave, visit)
        self._spawn(self._session.serve(visit))

    def _unwelcome(self, visit: Visit) -> RefusedError | None:
        if len(self._visits) >= self.gate.config.limits.connections:
            return RefusedError("too many connections", status=503)
        connection = visit.client.transport.get_extra_info("socket")
        if visit.trusted and not peer_allowed(connection, self.gate.config.listen):
            return RefusedError("this socket belongs to another user")
        return None

    def _turn_away(self, visit: Visit, error: RefusedError) -> None:
        with contextlib.suppress(RefusedError):  # denied either way
            self.gate.note(visit, "deny", error.rule, error.why)
        last_words = response(visit.subject(), error)
        if len(self._tasks) < self.gate.config.limits.connections + _LEAVING:
            self._spawn(visit.client.finish(last_words))
        else:
            visit.client.abort()

    def _leave(self, visit: Visit) -> None:
        """One end is gone. The other may still have bytes to deliver; the visit counts until it has."""
        upstream = visit.upstream
        if visit.client.gone and upstream and not upstream.gone:
            upstream.transport.close()
        elif visit.client.gone:
            self._visits.discard(visit)

    def _inject(self, headers: Headers, host: str, port: int) -> tuple[Headers, list[str]]:
        return self._injections.put(headers, host, port)  # looked up anew: a reload replaces them

    # -- policy over time

    def _cut(self, why: str) -> int:
        doomed = [visit for visit in self._visits if not self.gate.still_allows(visit)]
        for visit in doomed:
            with contextlib.suppress(RefusedError):  # a cut is never withheld for want of a record
                self.gate.note(visit, "cut", "", why)
            visit.abort()
        return len(doomed)

    async def _sweep(self) -> None:
        """Once a second: end what is idle, and everything when the policy ends."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP_S)
            if closed := self.gate.closed():
                self._cut(closed.why)
            oldest = loop.time() - self.gate.config.limits.idle_s
            for visit in [visit for visit in self._visits if visit.seen() < oldest]:
                visit.abort()

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
