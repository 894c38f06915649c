"""The shipped host function `http_get`: the network surface of code in an interpreter.

The name is judged by the policy, then every address it resolves to; the connection goes to an address that
was judged, never through a second look-up. Each redirect is judged anew. No proxy, no cookie, no environment.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from tappass_host.policy.decide_net import connect_checks
from tappass_host.policy.effect import Effect
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.grammar.addresses import canonical_ip, local_kind
from tappass_host.policy.grammar.domains import canonical_host
from tappass_host.policy.model import Network as NetworkPolicy
from tappass_host.policy.model import Policy
from tappass_host.runners.calls import RefusedError
from tappass_host.sdk.configs.interpreter import Network

MAX_BODY = 1 << 20
MAX_REDIRECTS = 5
TOTAL_S = 20.0

_PORTS = {"http": 80, "https": 443}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Headers that say where a message goes or ends are ours alone.
_OURS = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "te", "upgrade", "expect", "trailer"}
)
# Reserved and unreserved characters of RFC 3986 and the percent sign: what may stand in a request line.
_REQUEST_SAFE = "!$&'()*+,;=:@/?%~-._[]"
_CHARSETS = frozenset({"utf-8", "us-ascii", "iso-8859-1", "windows-1252", "utf-16"})
_WHO = "tappass-http-get/1"

Resolve = Callable[..., list[Any]]


class _Origin(NamedTuple):
    scheme: str
    host: str
    port: int


class HttpGet:
    """A callable `(url, headers=None) -> {"url", "status", "headers", "text"}`.

    Args:
        network: what the manifest allows.
        observed: called with the reason instead of refusing, where the policy only observes.
        resolve: like `socket.getaddrinfo`.
        context: TLS settings; by default the system's, verifying.
    """

    def __init__(
        self,
        network: Network,
        *,
        observed: Callable[[str], None] | None = None,
        resolve: Resolve = socket.getaddrinfo,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._off = network.mode == "off"
        self._local = network.local == "allow"
        self._policy = _policy(network)
        self._observed = observed
        self._resolve = resolve
        self._context = context

    def __call__(self, url: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
        """Fetch one URL.

        Raises:
            RefusedError: the policy does not permit it, or a redirect or address it leads to.
            ValueError: no usable URL or header.
            OSError: the network failed.
        """
        deadline = time.monotonic() + TOTAL_S
        sent = _sendable(headers or {})
        for _ in range(MAX_REDIRECTS + 1):
            origin, path = _parse(url)
            status, received, body = self._fetch(origin, path, sent, deadline)
            location = received.get("location")
            if status not in _REDIRECTS or location is None:
                return {"url": url, "status": status, "headers": received, "text": _text(received, body)}
            url = urljoin(url, location)
            # What was meant for one server is not for another.
            sent = sent if _parse(url)[0] == origin else {}
        raise OSError(f"more than {MAX_REDIRECTS} redirects")

    def _fetch(
        self, origin: _Origin, path: str, headers: Mapping[str, str], deadline: float
    ) -> tuple[int, dict[str, str], bytes]:
        sock = self._wrapped(self._connect(origin, deadline), origin)
        # A server that drips one byte at a time resets every timeout but this one.
        alarm = threading.Timer(max(deadline - time.monotonic(), 0), _shut, (sock,))
        alarm.daemon = True
        alarm.start()
        try:
            if isinstance(sock, ssl.SSLSocket):
                sock.do_handshake()
            return _exchange(sock, origin, path, headers)
        except http.client.HTTPException as error:
            raise OSError(f"not an HTTP response: {type(error).__name__}") from None
        finally:
            alarm.cancel()
            sock.close()

    def _connect(self, origin: _Origin, deadline: float) -> socket.socket:
        self._judge_name(origin)
        failure: OSError | None = None
        for address in self._addresses(origin):
            left = deadline - time.monotonic()
            try:
                return socket.create_connection((address, origin.port), timeout=max(left, 0.001))
            except OSError as error:
                failure = error
        raise failure or OSError(f"{origin.host} has no address")

    def _judge_name(self, origin: _Origin) -> None:
        if self._off:
            self._object("the network is off")
            return
        for check in connect_checks(self._policy, origin.host, origin.port, "tcp"):
            if check.effect is not Effect.ALLOW:
                self._object(check.reason)

    def _addresses(self, origin: _Origin) -> list[str]:
        if canonical_ip(origin.host) is not None:
            return [origin.host]  # Judged as an address already, in its canonical spelling.
        found = self._resolve(origin.host, origin.port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
        return [each for each in addresses if self._may_reach(each)] or self._none_left(origin, addresses)

    def _may_reach(self, address: str) -> bool:
        ip = canonical_ip(address)
        return ip is not None and (self._local or local_kind(ip) is None)

    def _none_left(self, origin: _Origin, addresses: list[str]) -> list[str]:
        if addresses:
            self._object(f"{origin.host} resolves to a local address")
        return addresses

    def _object(self, reason: str) -> None:
        if self._observed is None:
            raise RefusedError(reason)
        self._observed(reason)

    def _wrapped(self, sock: socket.socket, origin: _Origin) -> socket.socket:
        if origin.scheme == "http":
            return sock
        context = self._context or ssl.create_default_context()
        return context.wrap_socket(sock, server_hostname=origin.host, do_handshake_on_connect=False)


def _exchange(
    sock: socket.socket, origin: _Origin, path: str, headers: Mapping[str, str]
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(origin.host, origin.port)
    connection.sock = sock
    fixed = {"Host": _host_header(origin), "User-Agent": _WHO, "Connection": "close"}
    connection.request("GET", path, headers={**headers, **fixed})
    response = connection.getresponse()
    body = response.read(MAX_BODY + 1)
    if len(body) > MAX_BODY:
        raise OSError(f"the response is larger than {MAX_BODY} bytes")
    return response.status, {name.lower(): value for name, value in response.getheaders()}, body


def _policy(network: Network) -> EffectivePolicy:
    """The network rules as a policy, so that `decide` and this function cannot differ."""
    always = "1970-01-01T00:00:00Z"
    rules = NetworkPolicy(
        default="deny",
        allow_domains=network.allow,
        deny_domains=network.deny,
        allow_cidrs=network.allow_cidrs,
        local=network.local,
    )
    return EffectivePolicy(
        Policy(version=1, issued_at=always, not_before=always, expires_at=always, org_id="-", network=rules)
    )


def _parse(url: str) -> tuple[_Origin, str]:
    if not isinstance(url, str):
        raise TypeError("url must be a text")
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("only http:// and https:// URLs with a host")
    if "@" in parts.netloc:
        raise ValueError("a URL must not carry a user name or password")
    address = canonical_ip(parts.hostname)
    host = str(address) if address is not None else canonical_host(parts.hostname)
    if not host:
        raise ValueError(f"{parts.hostname!a} is no host name")
    path = quote(parts.path or "/", safe=_REQUEST_SAFE)
    query = f"?{quote(parts.query, safe=_REQUEST_SAFE)}" if parts.query else ""
    return _Origin(parts.scheme, host, parts.port or _PORTS[parts.scheme]), path + query


def _host_header(origin: _Origin) -> str:
    name = f"[{origin.host}]" if ":" in origin.host else origin.host
    return name if origin.port == _PORTS[origin.scheme] else f"{name}:{origin.port}"


def _sendable(headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if name.lower() in _OURS or name.lower().startswith("proxy-"):
            raise ValueError(f"the header {name!a} cannot be set")
        if not isinstance(value, str):
            raise TypeError(f"the header {name!a} must be a text")
    return dict(headers)


def _text(headers: Mapping[str, str], body: bytes) -> str:
    _, _, charset = headers.get("content-type", "").lower().partition("charset=")
    charset = charset.partition(";")[0].strip(" \"'")
    return body.decode(charset if charset in _CHARSETS else "utf-8", "replace")


def _shut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        sock.close()
