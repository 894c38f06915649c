"""What people and programs read: tables, colour, progress, JSON.

The answer goes to standard output, everything else to standard error. With `--json` the answer is one JSON
document and nothing else is said. Colour only on a terminal, and never with NO_COLOR (https://no-color.org).
Text from documents is printed with control and bidi characters escaped.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TextIO

_STYLES: Final = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "cyan": "36",
}
_WORD_STYLES: Final = {
    "allow": ("green",),
    "ask": ("yellow",),
    "deny": ("red",),
    "unmanaged": ("yellow",),
    "ok": ("green",),
    "enforced": ("green",),
    "partial": ("yellow",),
    "unenforceable": ("red",),
    "broken": ("red",),
    "failed": ("red",),
    "preview": ("yellow",),
}
# Shorter work than this shows no progress at all.
PATIENCE_S: Final = 1.0
_NARROWEST: Final = 40
# Columns of the word that begins a status line.
_WORD: Final = 9


def clean(text: str) -> str:
    """Escape what could fake or garble a line on a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def coloured(stream: TextIO) -> bool:
    """True if escape sequences are welcome there."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def columns(stream: TextIO) -> int:
    """Columns of the terminal; 0 in a pipe, where nothing is wrapped."""
    if not stream.isatty():
        return 0
    try:
        return max(
            int(os.environ.get("COLUMNS") or os.get_terminal_size(stream.fileno()).columns), _NARROWEST
        )
    except (OSError, ValueError):
        return 80


def paint(text: str, *styles: str, on: bool) -> str:
    """The text in a style, or as it is."""
    if not on or not styles:
        return text
    return f"\x1b[{';'.join(_STYLES[s] for s in styles)}m{text}\x1b[0m"


class Out:
    """Where a verb says what it found."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.colour = coloured(sys.stdout)
        self.width = columns(sys.stdout)

    def result(self, answer: Callable[[], object], text: Callable[[], None]) -> None:
        """Give the answer: a document with `--json`, else what `text` prints; only one of them is made."""
        if self.as_json:
            self.document(answer())
        else:
            text()

    def document(self, document: object) -> None:
        """Print one JSON document."""
        import msgspec

        encoded = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
        sys.stdout.write(_ascii_controls(encoded) + "\n")

    def raw(self, data: bytes) -> None:
        """Write a document to standard output as it is."""
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def line(self, text: str = "", *styles: str) -> None:
        """Print one line."""
        sys.stdout.write(paint(clean(text), *styles, on=self.colour) + "\n")

    def painted(self, text: str) -> None:
        """Print a line that the caller has cleaned and painted."""
        sys.stdout.write(f"{text}\n")

    def status(self, word: str, text: str, state: str = "") -> None:
        """Print a status line: a word, what it is about, and how it went."""
        room = self.width - _WORD - 1 - (len(state) + 2 if state else 0)
        *lines, last = _wrapped(clean(text), room) if self.width else [clean(text)]
        gap = " " * max(room - len(last), 0) if self.width else ""
        tail = f"{gap}  {self.word(state)}" if state else ""
        head = paint(word.ljust(_WORD), "bold", *_WORD_STYLES.get(word, ()), on=self.colour)
        body = f"\n{' ' * (_WORD + 1)}".join([*lines, last])
        sys.stdout.write(f"{head} {body}{tail}\n")

    def word(self, text: str) -> str:
        """A verdict or state in its colour."""
        return paint(clean(text), *_WORD_STYLES.get(text, ()), on=self.colour)

    def note(self, text: str) -> None:
        """Say something beside the answer, on standard error."""
        if not self.as_json:
            sys.stderr.write(paint(clean(text), "dim", on=coloured(sys.stderr)) + "\n")

    def table(self, rows: Iterable[Sequence[str]], header: Sequence[str] = (), *, indent: int = 0) -> None:
        """Print columns. On a terminal the last column wraps; in a pipe each row stays one line."""
        body = [[clean(cell) for cell in row] for row in rows]
        for fields, head in _aligned(body, header):
            self._row(fields, indent, head=head)

    def _row(self, fields: list[str], indent: int, *, head: bool) -> None:
        *front, last = fields
        hang = indent + sum(len(field) + 2 for field in front)
        first, *rest = _wrapped(last, self.width - hang) if self.width else [last]
        styled = "".join(f"{self._cell(field, head=head)}  " for field in front)
        sys.stdout.write(f"{' ' * indent}{styled}{self._cell(first, head=head)}".rstrip() + "\n")
        for more in rest:
            sys.stdout.write(" " * hang + self._cell(more, head=head) + "\n")

    def _cell(self, field: str, *, head: bool) -> str:
        styles = ("dim",) if head else _WORD_STYLES.get(field.strip(), ())
        return paint(field, *styles, on=self.colour)

    @contextmanager
    def progress(self, what: str, total: int = 0) -> Iterator["Progress"]:
        """Show how far a longer piece of work is; silent with `--json` and below a second."""
        progress = Progress(what, total, quiet=self.as_json)
        try:
            yield progress
        finally:
            progress.clear()


class Progress:
    """One line that is rewritten on a terminal, and plain lines in a pipe."""

    def __init__(self, what: str, total: int, *, quiet: bool) -> None:
        self.what = what
        self.total = total
        self.done = 0
        self._quiet = quiet
        self._since = time.monotonic()
        self._shown = False

    def announce(self, item: str) -> None:
        """Say at once what is going on: the work is known to take more than a second."""
        self._since -= PATIENCE_S
        self.step(item)

    def step(self, item: str) -> None:
        """Say which item comes now."""
        self.done += 1
        if self._quiet or time.monotonic() - self._since < PATIENCE_S:
            return
        count = f"{self.done}/{self.total}  " if self.total else ""
        text = f"{self.what}  {count}{clean(item)}"
        if sys.stderr.isatty():
            width = columns(sys.stderr)
            sys.stderr.write(f"\r\x1b[K{text[: width - 1]}")
            self._shown = True
        else:
            sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def clear(self) -> None:
        """Take the line off the terminal."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _aligned(body: list[list[str]], header: Sequence[str]) -> Iterator[tuple[list[str], bool]]:
    """Pad all columns but the last; the flag marks the header."""
    rows: list[Sequence[str]] = [header, *body] if header and body else [*body]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for at, row in enumerate(rows):
        padded = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        yield [*padded, row[-1]], bool(header) and at == 0


def _wrapped(text: str, width: int) -> list[str]:
    if len(text) <= max(width, _NARROWEST // 2):
        return [text]
    import textwrap

    return textwrap.wrap(text, max(width, _NARROWEST // 2), break_on_hyphens=False) or [""]


def _ascii_controls(encoded: str) -> str:
    """Escape characters that garble a terminal: JSON allows them raw."""
    if encoded.isascii():
        return encoded
    return "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in encoded)


def _escaped(char: str) -> str:
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
