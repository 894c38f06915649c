"""Why a request is not let through: one exception type, and the one text that says so."""

from typing import NamedTuple

_MAX_TEXT = 400
_MAX_NAME = 120
REASONS = {
    400: "Bad Request",
    403: "Forbidden",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    502: "Bad Gateway",
    503: "Service Unavailable",
}


class RefusedError(Exception):
    """The request stops here.

    Args:
        why: one short clause for the agent, the log and the audit.
        rule: the statement of the policy that decided, empty if it was not the policy.
        status: HTTP status of the answer.
    """

    def __init__(self, why: str, *, rule: str = "", status: int = 403) -> None:
        super().__init__(why)
        self.why = why
        self.rule = rule
        self.status = status


class Subject(NamedTuple):
    """What the text is about."""

    request: str
    what: str
    policy: str


def printable(text: str, limit: int = _MAX_NAME) -> str:
    """Escape everything that could move a cursor, end a line or turn a terminal's reading order."""
    safe = text.encode("ascii", "backslashreplace").decode("ascii")
    safe = "".join(c if " " <= c <= "~" else f"\\x{ord(c):02x}" for c in safe)
    return safe if len(safe) <= limit else safe[: limit - 3] + "..."


def denial_text(subject: Subject, error: RefusedError) -> str:
    """What was refused, by which policy, why, and the id to ask with; at most 400 characters."""
    tail = f" Request {subject.request}.\n"
    what = printable(subject.what) or "request"
    head = f"tappass egress proxy: {what} refused by policy {printable(subject.policy, 60)}: "
    return head + printable(error.why, _MAX_TEXT - len(head) - len(tail) - 1) + "." + tail


def response(subject: Subject, error: RefusedError) -> bytes:
    """The whole HTTP answer; the connection closes after it."""
    body = denial_text(subject, error).encode("ascii")
    lines = [f"HTTP/1.1 {error.status} {REASONS[error.status]}", "Content-Type: text/plain; charset=us-ascii"]
    if error.status == 407:  # noqa: PLR2004 - clients that wait for a challenge need one
        lines.append('Proxy-Authenticate: Basic realm="tappass"')
    lines += [f"Content-Length: {len(body)}", "X-Content-Type-Options: nosniff", "Connection: close", "", ""]
    return "\r\n".join(lines).encode("ascii") + body
