"""What every grammar of a policy shares: one way to refuse a text, one limit on its size."""

import re

from tappass_host.policy.errors import GrammarError

# PATH_MAX of Linux; no grammar of a policy needs a longer entry, and a cap keeps matching bounded.
MAX_TEXT = 4096
_SHOWN = 80
_MAX_PORT = 65535


def shown(text: str) -> str:
    """Quote `text` for a message: ASCII only, so that bidi and control characters cannot deceive."""
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def refuse(what: str, text: str, why: str, remedy: str) -> GrammarError:
    """Build the error of one refused text; the caller raises it."""
    return GrammarError(f"{what} {shown(text)} {why}", remedy=remedy)


def require_plain(what: str, text: str) -> None:
    """Refuse what no entry may be: empty, oversized, padded, or holding unprintable characters.

    Raises:
        GrammarError: naming the first of these.
    """
    if not text:
        raise refuse(what, text, "is empty", "write a value or remove the entry")
    if len(text) > MAX_TEXT:
        raise refuse(what, text, f"is longer than {MAX_TEXT} characters", "shorten it")
    if text != text.strip():
        raise refuse(what, text, "has blanks around it", "remove the blanks at both ends")
    if not text.isprintable():
        raise refuse(what, text, "holds a control or unprintable character", "remove that character")


def parse_port(what: str, text: str, port: str) -> int:
    """Read the port at the end of `text`: decimal, 1 to 65535, no leading zero.

    Raises:
        GrammarError: it is none.
    """
    if re.fullmatch(r"[1-9][0-9]{0,4}", port) and int(port) <= _MAX_PORT:
        return int(port)
    raise refuse(what, text, "has no valid port", "write a port from 1 to 65535 after the colon, or none")
