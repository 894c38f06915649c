"""SQL as text: names and values quoted, and a statement taken apart the strict way.

There is no serializer for SQL, so this is the one place that quotes. What `tokens` cannot read with certainty
(comments, dollar quotes, escape strings, semicolons, line breaks) it refuses: a statement that it takes is
one statement for every database that follows the standard's quoting.
"""

import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from tappass_host.policy.errors import RenderError

Kind = Literal["word", "name", "string", "number", "sign"]

# A word directly before a quote is the prefix of another kind of string (E'', X'', U&''), so it ends nowhere.
_TOKEN: Final = re.compile(
    r"""(?P<word>[A-Za-z_][A-Za-z0-9_]*(?!['"]))
    |(?P<name>"(?:[^"]|"")+")
    |(?P<string>'(?:[^']|'')*')
    |(?P<number>-?[0-9]+(?:\.[0-9]+)?(?![A-Za-z0-9_.]))
    |(?P<sign><=|>=|<>|!=|[(),.=<>*])""",
    re.VERBOSE | re.ASCII,
)


class Token(NamedTuple):
    """One token; names and strings without their quotes, words in lower case."""

    kind: Kind
    text: str


def identifier(name: str) -> str:
    """A quoted name.

    Raises:
        RenderError: it is empty, or holds a line break or another control character.
    """
    return _quoted(name, '"', "the name of a column, table or schema")


def literal(text: str) -> str:
    """A quoted text value.

    Raises:
        RenderError: it holds a line break or another control character.
    """
    return _quoted(text, "'", "a text value") if text else "''"


def is_plain(text: str) -> bool:
    """Whether a text can be quoted: printable, on one line, not empty."""
    return bool(text) and not _has_control(text)


def tokens(statement: str) -> tuple[Token, ...]:
    """The tokens of one statement.

    Raises:
        RenderError: it is empty, or holds something that is no plain token.
    """
    if not is_plain(statement):
        raise RenderError(f"{statement!r} is not one line of SQL")
    return tuple(_tokens(statement))


def _tokens(statement: str) -> Iterator[Token]:
    at = 0
    while at < len(statement):
        if statement[at] == " ":
            at += 1
            continue
        found = _TOKEN.match(statement, at)
        if found is None:
            raise RenderError(f"{statement!r} is not plain SQL from position {at}")
        yield _token(found)
        at = found.end()


def _token(found: re.Match[str]) -> Token:
    kind, text = str(found.lastgroup), found.group()
    if kind in ("name", "string"):
        quote = text[0]
        text = text[1:-1].replace(quote * 2, quote)
    return Token(kind, text.lower() if kind == "word" else text)  # type: ignore[arg-type]


def _quoted(text: str, quote: str, what: str) -> str:
    if not is_plain(text):
        raise RenderError(f"{text!r} cannot be {what}")
    return f"{quote}{text.replace(quote, quote * 2)}{quote}"


def _has_control(text: str) -> bool:
    # `splitlines` knows every separator of Unicode; some client or log may break the line there.
    return any(ord(char) < ord(" ") or char == "\x7f" for char in text) or text.splitlines() != [text]
