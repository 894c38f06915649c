"""SQL: one statement a line, each ended by a semicolon.

Statements are written with `sdk.sql`; here each is read back, and whatever could be two is refused.
"""

from tappass_host.policy.errors import RenderError
from tappass_host.sdk.emit.values import listed
from tappass_host.sdk.sql import tokens


def dump(doc: object) -> bytes:
    """Encode a list of statements (or several, in a mapping).

    Raises:
        RenderError: not a list of texts, or a text that is not surely one statement.
    """
    return "".join(f"{_statement(value)};\n" for value in listed(doc, "an SQL")).encode()


def _statement(value: object) -> str:
    if not isinstance(value, str):
        raise RenderError(f"{value!r} is not a statement")
    tokens(value)
    return value
