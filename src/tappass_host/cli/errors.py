"""What a refusal looks like, and with which exit code the command ends.

0 ok, 1 findings, 2 usage or bad input, 3 trust refusal, 4 a required target or service missing, 5 internal.
A person reads what is wrong, where, and what to do; with `--json` the same is one object on standard error:
`{"error": {"code", "message", "file", "line", "column", "pointer", "remedy"}}`.
"""

import re
import sys
from collections.abc import Sequence
from typing import Final, NamedTuple

import click

from tappass_host.cli.output import clean, coloured, columns, paint
from tappass_host.policy.errors import TappassError

EXIT_CODES: Final = {
    0: "ok",
    1: "findings: the command worked, and what it looked for is there",
    2: "usage or bad input: nothing was written",
    3: "trust refusal: a signature, version, time, audience or key is not acceptable",
    4: "a required target or service is missing on this machine",
    5: "internal error: a defect of tappass; run again with --debug",
}
FINDINGS: Final = 1
USAGE: Final = 2
INTERNAL: Final = 5
# Columns before the text of a refusal.
_HEAD: Final = 9

_PLACE = re.compile(r"(?P<file>.+?):(?P<line>[1-9][0-9]*)(?::(?P<column>[1-9][0-9]*))?")


class Problem(NamedTuple):
    """One refusal, whatever raised it. `line` and `column` are 0 where none is known."""

    code: str
    message: str
    exit_code: int
    file: str = ""
    line: int = 0
    column: int = 0
    pointer: str = ""
    remedy: str = ""

    @property
    def place(self) -> str:
        """`file:line:column`, as far as it is known."""
        return ":".join([self.file, *(str(n) for n in (self.line, self.column) if n)])


def problem_of(error: Exception) -> Problem:
    """Describe an exception."""
    if isinstance(error, TappassError):
        place = _PLACE.fullmatch(error.source)
        return Problem(
            code=_code(type(error).__name__),
            message=error.message,
            exit_code=error.exit_code,
            file=place["file"] if place else error.source,
            line=int(place["line"]) if place else 0,
            column=int(place["column"] or 0) if place else 0,
            pointer=error.pointer,
            remedy=error.remedy,
        )
    if isinstance(error, click.UsageError):
        return _usage(error)
    if isinstance(error, click.ClickException):
        return Problem("usage", error.format_message(), USAGE)
    message = f"{type(error).__name__}: {error}"
    remedy = "this is a defect of tappass: run it again with --debug and report what it prints"
    return Problem("internal", message, INTERNAL, remedy=remedy)


def _usage(error: click.UsageError) -> Problem:
    message = error.format_message().rstrip(".")
    remedy = f"see {error.ctx.command_path} --help" if error.ctx else ""
    return Problem("usage", message[:1].lower() + message[1:], USAGE, remedy=remedy)


def _code(name: str) -> str:
    """`CascadeViolationError` -> `cascade-violation`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name.removesuffix("Error")).lower()


def report(error: Exception, args: Sequence[str]) -> int:
    """Print a refusal on standard error.

    Args:
        error: what was raised.
        args: the command line; it says whether to answer in JSON and with a traceback.

    Returns:
        The exit code.
    """
    problem = problem_of(error)
    if problem.exit_code == INTERNAL and "--debug" in args:
        import traceback

        traceback.print_exception(error)
    if "--json" in args:
        sys.stderr.write(_as_json(problem) + "\n")
    else:
        sys.stderr.write("\n".join(_as_text(problem)) + "\n")
    return problem.exit_code


def _as_json(problem: Problem) -> str:
    import json

    fields = problem._asdict()
    del fields["exit_code"]
    return json.dumps({"error": fields})


def _as_text(problem: Problem) -> list[str]:
    on = coloured(sys.stderr)
    lines = _wrapped(f"{paint('error', 'red', 'bold', on=on)}    ", problem.message)
    for label, text in (("at", problem.place), ("field", problem.pointer), ("remedy", problem.remedy)):
        if text:
            lines += _wrapped(f"  {paint(label.ljust(7), 'dim', on=on)}", text)
    return lines


def _wrapped(head: str, text: str) -> list[str]:
    """Wrap on a terminal beside the head; in a pipe a line stays a line."""
    first, *rest = [piece for line in text.splitlines() or [""] for piece in _fitted(line)]
    return [head + first, *(" " * _HEAD + line for line in rest)]


def _fitted(line: str) -> list[str]:
    width = columns(sys.stderr)
    if not width or len(line) + _HEAD <= width:
        return [clean(line)]
    import textwrap

    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.wrap(
        clean(line), width - _HEAD, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )
