"""How the target judges a Bash line, as found by driving it (2.1.330, 2026-11-23).

deny and ask look at every command of a line, behind most wrappers, by base name, without the words that the
shell computes. allow looks at each command as it stands, and some constructs are never allowed. Where this is
not exact it errs towards what runs: it is there to find what a rendering leaves open.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from tappass_host.policy.grammar.commands import base_name
from tappass_host.policy.grammar.shell import CommandLine, SimpleCommand, parse_command_line
from tappass_host.providers.harness.claude_code.binary import (
    GRANTED_WRAPPERS,
    HARMLESS_VARIABLES,
    READ_ONLY_COMMANDS,
    UNSEEN_WRAPPERS,
)

# A word that the shell computes, in a line put together again; no rule holds it.
_HOLE: Final = "\ufffd"
# Expansions that an allowed command may hold.
_HARMLESS_EXPANSION: Final = re.compile(r"\$HOME\b|\$\(\([0-9 +*/-]*\)\)")
_QUOTED: Final = re.compile(r"'[^']*'|\\.")
_REDIRECTION: Final = re.compile(r"\d*[<>]{1,2}&\d|&>>?|>&|[<>]\|?")
# Outside quotes: substitutions, expansions, groups, functions, jobs, brace expansion.
_NEVER_ALLOWED: Final = re.compile(r"[`$(){}]|(?<!&)&(?!&)|\\\n")
_NEVER_ALLOWED_WORD: Final = re.compile(r"(?:^|[;&|\n])\s*(?:for|case|select|function|coproc|until)\s")


class Shell(NamedTuple):
    """Rules about Bash, compiled. `edits`: some rule lets files be written."""

    allow: tuple[tuple[str, re.Pattern[str]], ...]
    ask: tuple[tuple[str, re.Pattern[str]], ...]
    deny: tuple[tuple[str, re.Pattern[str]], ...]
    edits: bool

    def refused(self, kind: str, line: str) -> str | None:
        """The first rule of kind `deny` or `ask` that sees a command of the line."""
        found: Sequence[tuple[str, re.Pattern[str]]] = self.deny if kind == "deny" else self.ask
        if not found:
            return None
        texts = [_seen_text(command) for command in _seen(parse_command_line(line))]
        return next((rule for rule, pattern in found for text in texts if pattern.fullmatch(text)), None)

    def allowed(self, line: str) -> str | None:
        """What lets the whole line run: the rule of a command, `` for what runs by itself, or None."""
        if never_allowed(line) or not bash_reads(line):
            return None
        parsed = parse_command_line(line)
        commands = [c for c in parsed.commands if not _only_a_wrapper(c)] or _first_words(line)
        lets = [self._lets(command) for command in commands]
        return next((rule for rule in lets if rule), "") if lets and None not in lets else None

    def _lets(self, command: SimpleCommand) -> str | None:
        if not command.argv:
            return ""  # an assignment
        if not HARMLESS_VARIABLES.issuperset(command.assignments):
            return None
        if command.redirects_to_file and not self.edits:
            return None
        text = " ".join(_HOLE if word is None else word for word in command.argv)
        found = next((rule for rule, pattern in self.allow if pattern.fullmatch(text)), None)
        return "" if found is None and runs_by_itself(text) else found


def compiled(spec: str) -> re.Pattern[str]:
    """The pattern of one spec: `x:*` and `x *` are prefixes of words, other stars stand for anything."""
    if spec.endswith(":*"):
        return re.compile(re.escape(spec[:-2]) + r"(?: .*)?", re.DOTALL)
    if spec.endswith(" *"):
        return re.compile(_starred(spec[:-2]) + r"(?: .*)?", re.DOTALL)
    return re.compile(_starred(spec), re.DOTALL)


def _starred(text: str) -> str:
    return ".*".join(map(re.escape, re.split(r"\*+", text)))


def never_allowed(line: str) -> bool:
    """Whether the line holds something that no allow rule lifts."""
    text = _HARMLESS_EXPANSION.sub("", _QUOTED.sub("", line))
    if "$'" in line or '$"' in line or "\\\n" in line:
        return True
    if "<<" in text and "<<<" not in text and not re.search(r"<<-?\s*$|<<-?\s*[;|&\n]", text):
        return True
    text = _REDIRECTION.sub(" ", text)
    return bool(_NEVER_ALLOWED.search(text) or _NEVER_ALLOWED_WORD.search(text))


def bash_reads(line: str) -> bool:
    """Whether quotes are closed. The target starts any line that is allowed; bash then runs none of this."""
    return not re.search(r"['\"]", re.sub(r"\\.|'[^']*'|\"(?:\\.|[^\"\\])*\"", "", line, flags=re.DOTALL))


def _only_a_wrapper(command: SimpleCommand) -> bool:
    return command.wraps and bool(command.argv) and command.argv[0] in GRANTED_WRAPPERS


def _first_words(line: str) -> list[SimpleCommand]:
    words = re.sub(r"[\"'\\]", "", line).split()
    return [SimpleCommand(tuple(words))] if words else []


def _seen(line: CommandLine) -> Iterator[SimpleCommand]:
    """The commands that a deny looks at: not those inside wrappers that it does not look through."""
    hidden = False
    for command in line.commands:
        if not command.via_wrapper:
            hidden = False
        if not hidden:
            yield command
        if command.wraps and base_name(command.argv[0] or "") in UNSEEN_WRAPPERS:
            hidden = True


def _seen_text(command: SimpleCommand) -> str:
    if not command.argv or command.argv[0] is None:
        return ""
    rest = [word for word in command.argv[1:] if word]
    return " ".join([base_name(command.argv[0]), *rest])


@lru_cache(maxsize=1)
def _free() -> re.Pattern[str]:
    return re.compile("(?:" + "|".join(map(re.escape, READ_ONLY_COMMANDS)) + r")(?: .*)?", re.DOTALL)


def runs_by_itself(text: str) -> bool:
    """Whether a command runs without any rule."""
    return bool(_free().fullmatch(text))
