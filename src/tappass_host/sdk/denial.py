"""The one text that everybody who is denied reads, whatever denied them: at most 400 characters.

What was denied, by which policy and version, by which statement and why, whom to ask, and the id to ask with.
What an agent wrote is shown in ASCII alone, so that no character looks like another; the words of a policy's
author may be of any script. Control and bidirectional characters are escaped in both.
"""

from typing import Final, NamedTuple

from tappass_host.policy.wire import printable

MAX_TEXT: Final = 400
_WHAT: Final = 96
_STATEMENT: Final = 80
_NAME: Final = 48
_WHOM: Final = 80
_SHORTEST: Final = 12


class Denial(NamedTuple):
    """What a denial has to say.

    Attributes:
        what: the call, as the agent made it.
        policy: name of the policy.
        version: of the policy; 0 if none is known.
        statement: which one decided; empty if none did.
        why: the annotation of the statement, or a short reason.
        whom: an owner or address to turn to; empty if nobody is known.
        request: id under which it is recorded.
    """

    what: str
    policy: str
    version: int
    statement: str
    why: str
    whom: str
    request: str


def denial_text(denial: Denial) -> str:
    """The text, one line."""
    name = shorten(visible(denial.policy), _NAME) or "policy"
    by = f"policy {name} v{denial.version}" if denial.version else name
    statement = shorten(visible(denial.statement), _STATEMENT)
    whom = shorten(readable(denial.whom), _WHOM)
    request = shorten(ascii_only(denial.request), _NAME)
    head = f"Denied: {shorten(ascii_only(denial.what), _WHAT) or 'the call'}. By {by}"
    head += f", {statement}: " if statement else ": "
    tail = f" Ask {whom}." if whom else ""
    tail += f" Request {request} (tappass-host why {request})." if request else ""
    room = max(MAX_TEXT - len(head) - len(tail) - 1, _SHORTEST)
    return f"{head}{shorten(readable(denial.why), room)}.{tail}"[:MAX_TEXT]


def ascii_only(text: str) -> str:
    """A text of an agent: everything but printable ASCII escaped."""
    safe = text.encode("ascii", "backslashreplace").decode("ascii")
    return "".join(c if " " <= c <= "~" else f"\\x{ord(c):02x}" for c in safe)


def readable(text: str) -> str:
    """A text of an author: control and bidirectional characters escaped, a full stop at its end left out."""
    return printable(text).rstrip(". ")


def visible(text: str) -> str:
    """A text of an author that may hold a text of somebody else."""
    return printable(text)


def shorten(text: str, limit: int) -> str:
    """At most so many characters."""
    return text if len(text) <= limit else text[: limit - 3] + "..."
