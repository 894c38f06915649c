"""From the first byte of a client to the end: authenticate, admit, then tunnel or forward."""

import asyncio
import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from tappass_host.dataplane.egress.body import copy_body, read_head
from tappass_host.dataplane.egress.channel import Channel
from tappass_host.dataplane.egress.gate import Gate
from tappass_host.dataplane.egress.http1 import (
    Headers,
    Request,
    end_to_end,
    parse_request,
    parse_response,
    values,
    write_request,
)
from tappass_host.dataplane.egress.refusal import RefusedError, response
from tappass_host.dataplane.egress.tls import Hello, HelloReader
from tappass_host.dataplane.egress.visit import Visit

Dialer = Callable[[Callable[[], Channel], str, int], Awaitable[Channel]]
Injector = Callable[[Headers, str, int], tuple[Headers, list[str]]]

_ESTABLISHED = b"HTTP/1.1 200 Connection Established\r\n\r\n"
# A TLS alert record: fatal, access_denied (RFC 8446 section 6). After the 200 no HTTP text would be read.
_TLS_DENIED = b"\x15\x03\x03\x00\x02\x02\x31"
_MAX_INTERIM = 8


async def system_dialer(make: Callable[[], Channel], address: str, port: int) -> Channel:
    """Connect to a literal address; nothing is looked up."""
    _, channel = await asyncio.get_running_loop().create_connection(make, address, port)
    return channel


class Session:
    """Serves visits under one gate.

    Args:
        gate: takes and records every verdict.
        dial: opens upstream connections.
        make_upstream: builds the channel for one.
        token: what a client of a TCP listener must present.
        inject: puts secrets into the headers of a plain HTTP request to a host and port; gives their names.
    """

    def __init__(
        self,
        gate: Gate,
        dial: Dialer,
        make_upstream: Callable[[Visit], Channel],
        token: str,
        inject: Injector,
    ) -> None:
        self._gate = gate
        self._dial = dial
        self._make_upstream = make_upstream
        self._token = token.encode()
        self._inject = inject

    async def serve(self, visit: Visit) -> None:
        """Never raises: what is no finished exchange ends in a denial or a closed connection."""
        try:
            await self._serve(visit)
        except RefusedError as error:
            await self._refuse(visit, error)
        except TimeoutError:
            await self._refuse(visit, RefusedError("nothing complete arrived in time", status=408))
        except ConnectionError:
            visit.abort()
        except Exception as error:  # noqa: BLE001 - fail closed, whatever it was
            await self._refuse(visit, RefusedError(f"internal error ({type(error).__name__})", status=502))

    async def _serve(self, visit: Visit) -> None:
        limits = self._gate.config.limits
        async with asyncio.timeout(limits.handshake_s):
            request = parse_request(await read_head(visit.client, limits.header_bytes))
            visit.kind = "CONNECT" if request.method == "CONNECT" else "HTTP"
            if not visit.trusted:
                self._check_token(request.headers)
            addresses = await self._gate.admit(visit, request.target.host, request.target.port)
            upstream = await self._connect(visit, addresses)
        if visit.kind == "CONNECT":
            await self._tunnel(visit, upstream)
        else:
            await self._exchange(visit, upstream, request)

    def _check_token(self, headers: Headers) -> None:
        given = values(headers, "proxy-authorization")
        if len(given) != 1 or not hmac.compare_digest(_token_of(given[0]), self._token):
            raise RefusedError("no valid token for this listener", status=407)

    async def _connect(self, visit: Visit, addresses: Sequence[str]) -> Channel:
        make = partial(self._make_upstream, visit)
        each = self._gate.config.limits.handshake_s / len(addresses)
        for address in addresses:
            visit.address = address
            try:
                async with asyncio.timeout(each):
                    visit.upstream = await self._dial(make, address, visit.port)
            except OSError:  # TimeoutError is one
                continue
            if visit.client.transport.is_closing():  # cut or gone while we were dialling
                raise ConnectionResetError("the client is gone")
            return visit.upstream
        raise RefusedError("the server cannot be reached", status=502)

    async def _tunnel(self, visit: Visit, upstream: Channel) -> None:
        visit.client.write(_ESTABLISHED)
        visit.started = True
        if not visit.opaque:
            try:
                hello = await self._read_hello(visit)
            except (RefusedError, TimeoutError) as error:
                late = RefusedError("no TLS ClientHello came in time")
                self._gate.tolerate(visit, error if isinstance(error, RefusedError) else late)
            else:
                self._gate.check_hello(visit, hello)
        visit.client.join(upstream)
        upstream.join(visit.client)

    async def _read_hello(self, visit: Visit) -> Hello:
        limits = self._gate.config.limits
        reader = HelloReader(limits.hello_bytes)
        async with asyncio.timeout(limits.handshake_s):
            while (hello := reader.feed(visit.client.inbox)) is None:
                if not await visit.client.more():
                    raise RefusedError("the tunnel ended before a TLS ClientHello")
        return hello

    async def _exchange(self, visit: Visit, upstream: Channel, request: Request) -> None:
        headers, secrets = self._inject(end_to_end(request.headers), visit.host, visit.port)
        for name in secrets:
            self._gate.note(visit, "inject", f"credentials.secrets[{name}]", "put into the request")
        upstream.write(write_request(request, headers))
        body = asyncio.ensure_future(copy_body(visit.client, upstream, request.framing))
        body.add_done_callback(lambda task: _stop_on_error(task, upstream))
        try:
            await self._answer(visit, upstream, request)
        except ConnectionError:
            if body.done():
                await body  # the client's fault: raises what is wrong with its body
            raise RefusedError("the server broke the connection", status=502) from None
        finally:
            body.cancel()
        upstream.abort()
        await visit.client.finish(b"")

    async def _answer(self, visit: Visit, upstream: Channel, request: Request) -> None:
        for _ in range(_MAX_INTERIM):
            head = await read_head(upstream, self._gate.config.limits.header_bytes, 502)
            answer = parse_response(head, request)
            visit.started = True
            visit.client.write(answer.head)
            if answer.code >= 200:  # noqa: PLR2004 - not an interim answer
                await copy_body(upstream, visit.client, answer.framing)
                return
        raise RefusedError("too many interim answers", status=502)

    async def _refuse(self, visit: Visit, error: RefusedError) -> None:
        visit.over = True
        try:
            self._gate.note(visit, "deny", error.rule, error.why)
        except RefusedError as unrecorded:
            error = unrecorded
        if visit.upstream:
            visit.upstream.abort()
        if not visit.started:
            await visit.client.finish(response(visit.subject(), error))
        elif visit.kind == "CONNECT":
            await visit.client.finish(_TLS_DENIED)
        else:
            visit.client.abort()  # only a broken connection says that half an answer is not a whole one


def _token_of(value: str) -> bytes:
    """The secret of a Basic (its password) or Bearer value; empty if it is neither."""
    scheme, _, rest = value.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip().encode("utf-8")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(rest.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""


def _stop_on_error(task: "asyncio.Future[None]", upstream: Channel) -> None:
    if not task.cancelled() and task.exception() is not None:
        upstream.abort()
