"""Row filters: a small part of SQL, read and written anew, never passed through.

A filter is written by whoever writes policies and runs where files are still open, so it may compare columns
with values and nothing else: no functions, no subqueries, no other tables.

    or:   and (OR and)*
    and:  not (AND not)*
    not:  NOT not | (or) | column test
    test: (= <> != < <= > >=) value | [NOT] LIKE text | [NOT] IN (value, ...) | [NOT] BETWEEN value AND value
        | IS [NOT] NULL
"""

from typing import Final

from tappass_host.policy.errors import RenderError
from tappass_host.sdk.sql import Token, identifier, literal, tokens

_COMPARES: Final = frozenset({"=", "<>", "!=", "<", "<=", ">", ">="})
_VALUES: Final = frozenset({"true", "false"})
# Words that have a meaning in a filter, or would start something that is not one.
_RESERVED: Final = frozenset(
    {"and", "or", "not", "in", "is", "like", "null", "between", "select", "from", "exists", "case", "cast"}
    | _VALUES
)
# Deeper than any filter that a person writes.
_MAX_DEPTH: Final = 16


def written(text: str) -> str | None:
    """The filter in canonical SQL, every name quoted; None if it says more than a filter may."""
    try:
        parser = _Parser(tokens(text))
        sql = parser.any_of(0)
    except RenderError:
        return None
    return sql if parser.at_end else None


class _Parser:
    """Recursive descent over the tokens; raises RenderError at the first that does not fit."""

    def __init__(self, found: tuple[Token, ...]) -> None:
        self._tokens = found
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at == len(self._tokens)

    def any_of(self, depth: int) -> str:
        if depth > _MAX_DEPTH:
            raise RenderError("a filter nested too deep")
        return self._joined("or", [self._all_of(depth)], depth)

    def _all_of(self, depth: int) -> str:
        return self._joined("and", [self._one(depth)], depth)

    def _joined(self, word: str, parts: list[str], depth: int) -> str:
        while self._took("word", word):
            parts.append(self._all_of(depth) if word == "or" else self._one(depth))
        joined = f" {word.upper()} ".join(parts)
        return f"({joined})" if len(parts) > 1 else joined

    def _one(self, depth: int) -> str:
        if depth > _MAX_DEPTH:
            raise RenderError("a filter nested too deep")
        if self._took("word", "not"):
            return f"(NOT {self._one(depth + 1)})"
        if self._took("sign", "("):
            inner = self.any_of(depth + 1)
            self._need("sign", ")")
            return inner
        return self._test(self._column())

    def _column(self) -> str:
        token = self._next()
        if token.kind == "name" or (token.kind == "word" and token.text not in _RESERVED):
            return identifier(token.text)
        raise RenderError(f"{token.text!r} is not a column")

    def _test(self, column: str) -> str:
        token = self._next()
        if token.kind == "sign" and token.text in _COMPARES:
            return f"{column} {token.text} {self._value()}"
        if token == Token("word", "is"):
            word = "IS NOT NULL" if self._took("word", "not") else "IS NULL"
            self._need("word", "null")
            return f"{column} {word}"
        negated = "NOT " if token == Token("word", "not") else ""
        return self._member(f"{column} {negated}", self._next() if negated else token)

    def _member(self, start: str, token: Token) -> str:
        if token == Token("word", "like"):
            return f"{start}LIKE {self._text()}"
        if token == Token("word", "between"):
            low = self._value()
            self._need("word", "and")
            return f"({start}BETWEEN {low} AND {self._value()})"
        if token == Token("word", "in"):
            return f"{start}IN ({', '.join(self._values())})"
        raise RenderError(f"{token.text!r} is not a test")

    def _values(self) -> list[str]:
        self._need("sign", "(")
        values = [self._value()]
        while self._took("sign", ","):
            values.append(self._value())
        self._need("sign", ")")
        return values

    def _value(self) -> str:
        token = self._next()
        if token.kind == "string":
            return literal(token.text)
        if token.kind == "number":
            return token.text
        if token.kind == "word" and token.text in _VALUES:
            return token.text.upper()
        raise RenderError(f"{token.text!r} is not a value")

    def _text(self) -> str:
        token = self._next()
        if token.kind != "string":
            raise RenderError(f"{token.text!r} is not a text")
        return literal(token.text)

    def _next(self) -> Token:
        if self.at_end:
            raise RenderError("a filter that ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _took(self, kind: str, text: str) -> bool:
        if self.at_end or self._tokens[self._at] != (kind, text):
            return False
        self._at += 1
        return True

    def _need(self, kind: str, text: str) -> None:
        if not self._took(kind, text):
            raise RenderError(f"a filter without its {text!r}")
