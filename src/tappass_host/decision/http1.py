"""As much of HTTP/1.1 as one request on a unix socket needs; everything else is refused. Pure.

One request a connection, a length that is written down, no chunks, no continuation, no pipelining: two
readers cannot disagree about where a message ends.
"""

import re
from typing import Final, NamedTuple

from tappass_host.policy.errors import WireError

MAX_HEAD: Final = 8192
NONCE: Final = re.compile(r"[0-9a-f]{32}")
_LINE: Final = re.compile(r"(GET|POST) (/[A-Za-z0-9/_.-]{0,256}) HTTP/1\.1")
_HEADER: Final = re.compile(r"([A-Za-z0-9-]{1,64}):[ \t]*([ -~]{0,4096}?)[ \t]*")
_LENGTH: Final = re.compile(r"0|[1-9][0-9]{0,9}")
_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class Request(NamedTuple):
    """A request whose body is still to be read."""

    method: str
    path: str
    headers: dict[str, str]
    length: int

    @property
    def nonce(self) -> str:
        """The nonce of the one who asks; empty if there is none in its form."""
        given = self.headers.get("tappass-nonce", "")
        return given if NONCE.fullmatch(given) else ""


def parse_head(head: bytes, *, max_body: int) -> Request:
    """Read a request up to its empty line.

    Raises:
        WireError: anything unusual.
    """
    try:
        first, *rest = head.removesuffix(b"\r\n\r\n").decode("ascii").split("\r\n")
    except UnicodeDecodeError:
        raise WireError("a head that is not ASCII") from None
    line = _LINE.fullmatch(first)
    if line is None:
        raise WireError("not a request line of HTTP/1.1")
    headers = _headers(rest)
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers or "expect" in headers or not _LENGTH.fullmatch(length):
        raise WireError("the length of the body must be written down")
    if int(length) > max_body:
        raise WireError(f"a body of {length} bytes; the limit is {max_body}")
    return Request(line[1], line[2], headers, int(length))


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for text in lines:
        match = _HEADER.fullmatch(text)
        if match is None or match[1].lower() in headers:
            raise WireError("a header that is malformed or comes twice")
        headers[match[1].lower()] = match[2]
    return headers


def response(
    status: int, body: bytes, *, kind: str = "text/plain; charset=utf-8", nonce: str = "", effect: str = ""
) -> bytes:
    """A whole answer; the connection closes after it."""
    lines = [f"HTTP/1.1 {status} {_REASONS[status]}", f"Content-Type: {kind}"]
    lines += [f"Tappass-Nonce: {nonce}"] if nonce else []
    lines += [f"Tappass-Effect: {effect}"] if effect else []
    lines += [f"Content-Length: {len(body)}", "Cache-Control: no-store", "Connection: close", "", ""]
    return "\r\n".join(lines).encode("ascii") + body
