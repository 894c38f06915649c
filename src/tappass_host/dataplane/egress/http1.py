"""Read one HTTP/1.x message head strictly and write it back in one unambiguous form.

Whatever two parsers could read differently is refused, not repaired: that is how requests
are smuggled (RFC 9112 sections 5, 6, 11.2).
"""

import re
from typing import NamedTuple

from tappass_host.dataplane.egress.refusal import RefusedError

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_PATH = re.compile(r"[\x21\x24-\x7e]*")  # what may stand in a request line, without `"` and `#`
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(?::(?P<port>[0-9]{1,5}))?")
_LENGTH = re.compile(r"[0-9]{1,16}")
_STATUS = re.compile(r"HTTP/1\.[01] (?P<code>[1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?")
_HTTP_PORT = 80
# RFC 9110 section 7.6.1, plus the non-standard ones that clients send to proxies.
_HOP_NAMES = (
    "connection", "http2-settings", "keep-alive", "proxy-authenticate", "proxy-authentication-info",
    "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
)  # fmt: skip
_HOP = frozenset(_HOP_NAMES)
# A `Connection` header that names one of these would strip what the framing and the routing stand on.
_NEVER_NAMED = frozenset({"content-length", "transfer-encoding", "host"})

Headers = list[tuple[str, str]]


class Framing(NamedTuple):
    """How the body ends: after `length` bytes, with the last chunk, or with the connection."""

    kind: str
    length: int = 0


NO_BODY = Framing("length", 0)
CHUNKED = Framing("chunked")
UNTIL_CLOSE = Framing("close")


class Target(NamedTuple):
    """Where a request goes, as written; `path` is empty for CONNECT."""

    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        return self.host if self.port == _HTTP_PORT else f"{self.host}:{self.port}"


class Request(NamedTuple):
    version: str
    method: str
    target: Target
    headers: Headers
    framing: Framing


class Response(NamedTuple):
    code: int
    head: bytes
    framing: Framing


def bad(why: str, status: int = 400) -> RefusedError:
    """The message is not acceptable HTTP."""
    return RefusedError(why, status=status)


def values(headers: Headers, name: str) -> list[str]:
    """All values of one header; names are lower case here."""
    return [value for key, value in headers if key == name]


def parse_request(head: bytes) -> Request:
    """Parse a request head without its final empty line.

    Raises:
        RefusedError: malformed, ambiguous, or not a request to a proxy.
    """
    line, headers = _split(head)
    match line.split(" "):
        case [method, target, "HTTP/1.1" | "HTTP/1.0" as version] if _TOKEN.fullmatch(method):
            pass
        case _:
            raise bad("malformed request line")
    if len(values(headers, "host")) > 1:
        raise bad("more than one Host header")
    if method == "CONNECT":
        return Request(version, method, _connect_target(target), headers, NO_BODY)
    parsed = _absolute_target(target)
    _check_hop_headers(headers)
    return Request(version, method, parsed, headers, _request_framing(headers, version))


def end_to_end(headers: Headers) -> Headers:
    """The headers that are for the origin server: no hop-by-hop ones, and no Host, which the URL gives."""
    dropped = _HOP | {"host"} | _connection_names(headers)
    return [(k, v) for k, v in headers if k not in dropped]


def write_request(request: Request, kept: Headers) -> bytes:
    """The head for the origin server, in origin form and with the Host of the URL.

    Args:
        request: a parsed forward request.
        kept: its `end_to_end` headers, with whatever the proxy put in.
    """
    headers = [("host", request.target.authority), *kept, ("connection", "close")]
    if request.framing is CHUNKED:
        headers.append(("transfer-encoding", "chunked"))
    return _write(f"{request.method} {request.target.path} {request.version}", headers)


def parse_response(head: bytes, request: Request) -> Response:
    """Parse the head of an origin's answer and write it anew for the client.

    Raises:
        RefusedError: malformed, ambiguous, or a protocol switch nobody asked for.
    """
    line, headers = _split(head)
    status = _STATUS.fullmatch(line)
    if status is None:
        raise bad("malformed answer of the server", 502)
    code = int(status["code"])
    if code == 101:  # noqa: PLR2004 - Switching Protocols: Upgrade is never forwarded
        raise bad("the server switched protocols", 502)
    framing = _response_framing(headers, request.method, code)
    if framing is CHUNKED and request.version == "HTTP/1.0":
        raise bad("the server answered an HTTP/1.0 request in chunks", 502)
    kept = end_to_end(headers)
    if framing is CHUNKED:
        kept.append(("transfer-encoding", "chunked"))
    if code >= 200:  # noqa: PLR2004 - an interim answer says nothing about the connection
        kept.append(("connection", "close"))
    return Response(code, _write(line, kept), framing)


def _split(head: bytes) -> tuple[str, Headers]:
    lines = head.decode("latin-1").split("\r\n")
    return lines[0], [_header(line) for line in lines[1:]]


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if line[:1] in (" ", "\t"):
        raise bad("folded header line")
    if not colon or not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
        raise bad("malformed header line")
    return name.lower(), value.strip(" \t")


def _write(line: str, headers: Headers) -> bytes:
    return "\r\n".join([line, *(f"{k}: {v}" for k, v in headers), "", ""]).encode("latin-1")


def _authority(text: str, default_port: int) -> tuple[str, int]:
    match = _AUTHORITY.fullmatch(text)
    port = int(match["port"] or default_port) if match else 0
    if match is None or not 0 < port < 2**16:
        raise bad("malformed host or port")
    return match["host"].lower(), port


def _connect_target(text: str) -> Target:
    host, port = _authority(text, 0)  # a CONNECT without a port has no meaning
    return Target(host, port, "")


def _absolute_target(text: str) -> Target:
    scheme, separator, rest = text.partition("://")
    if not separator:
        raise bad("this is a proxy: the request must name a whole URL", 403)
    if scheme.lower() != "http":
        raise bad("only http URLs are forwarded; use CONNECT for the rest", 403)
    cut = min((i for i in (rest.find("/"), rest.find("?")) if i >= 0), default=len(rest))
    host, port = _authority(rest[:cut], _HTTP_PORT)
    path = rest[cut:]
    if not _PATH.fullmatch(path):
        raise bad("malformed URL")
    return Target(host, port, path if path.startswith("/") else "/" + path)


def _connection_names(headers: Headers) -> set[str]:
    return {name.strip().lower() for value in values(headers, "connection") for name in value.split(",")}


def _check_hop_headers(headers: Headers) -> None:
    named = _connection_names(headers)
    if values(headers, "upgrade") or "upgrade" in named:
        raise bad("Upgrade is not forwarded", 403)
    if named & _NEVER_NAMED:
        raise bad("the Connection header names a header that must not be dropped")


def _framing(headers: Headers) -> Framing | None:
    """What the two framing headers say; None if neither is there."""
    lengths, codings = values(headers, "content-length"), values(headers, "transfer-encoding")
    if lengths and codings:
        raise bad("both Content-Length and Transfer-Encoding")
    if codings:
        if [c.lower() for c in codings] != ["chunked"]:
            raise bad("a Transfer-Encoding other than chunked")
        return CHUNKED
    if not lengths:
        return None
    if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]):
        raise bad("duplicate or malformed Content-Length")
    return Framing("length", int(lengths[0]))


def _request_framing(headers: Headers, version: str) -> Framing:
    framing = _framing(headers)
    if framing is CHUNKED and version == "HTTP/1.0":
        raise bad("Transfer-Encoding in HTTP/1.0")
    return framing or NO_BODY


def _response_framing(headers: Headers, method: str, code: int) -> Framing:
    framing = _framing(headers)
    if method == "HEAD" or code < 200 or code in (204, 304):  # noqa: PLR2004 - RFC 9112 section 6.3: no body
        return NO_BODY
    return framing or UNTIL_CLOSE
