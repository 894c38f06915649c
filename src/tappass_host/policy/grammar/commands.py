"""Command patterns, the spec of a Bash rule: `git status` is that exact argv, `git *` any that begins so.

Words are split as a shell splits them. What a shell would expand must be quoted in a pattern, so that one
text means one argv.
"""

import re
from functools import lru_cache

import msgspec

from tappass_host.policy.errors import GrammarError
from tappass_host.policy.grammar.text import refuse, require_plain

# Words of these characters need no quotes in any shell; `~` is kept as written, never expanded.
_SAFE = re.compile(r"[\w@%+=:,./~-]+", re.ASCII)
_DOUBLE_QUOTED_SPECIAL = "$`\\"
_WHAT = "command pattern"

Argv = tuple[str | None, ...]


class CommandPattern(msgspec.Struct, frozen=True):
    """`words` literally, then anything where `prefix` is set, else nothing more."""

    words: tuple[str, ...]
    prefix: bool = False

    def __str__(self) -> str:
        text = " ".join(_quoted(word) for word in self.words)
        return f"{text} *" if self.prefix else text

    def matches(self, argv: Argv) -> bool:
        """Tell whether the argv is proven to be what the pattern names, as written: for allow."""
        count = len(self.words)
        return argv[:count] == self.words and (self.prefix or len(argv) == count)

    def may_match(self, argv: Argv) -> bool:
        """Tell whether the argv could be what the pattern names: for deny and ask.

        Programs compare by base name. A word that is not literal (None) could become any number of
        any words, so everything from there on could match.
        """
        if not argv or (argv[0] is not None and base_name(argv[0]) != base_name(self.words[0])):
            return False
        known = argv.index(None) if None in argv else len(argv)
        if known < len(argv):
            size = min(known, len(self.words))
            return argv[1:size] == self.words[1:size] and (self.prefix or known <= len(self.words))
        return argv[1 : len(self.words)] == self.words[1:] and (self.prefix or len(argv) == len(self.words))

    def is_decided_by(self, argv: Argv) -> bool:
        """Tell whether every word that this pattern looks at is literal, so that `may_match` is sure."""
        return None not in (argv[: len(self.words)] if self.prefix else argv)

    def covers(self, other: "CommandPattern") -> bool:
        """Tell whether every argv that `other` names is named by this pattern."""
        if not self.prefix:
            return self == other
        return other.words[: len(self.words)] == self.words


def base_name(program: str) -> str:
    # zsh reads `=curl` as the path of curl.
    return program.rstrip("/").rpartition("/")[2].lstrip("=")


@lru_cache(maxsize=8192)
def parse_command(text: str) -> CommandPattern:
    """Parse one command pattern.

    Raises:
        GrammarError: naming what is wrong and how to write it instead.
    """
    require_plain(_WHAT, text)
    if text == "*":
        raise refuse(_WHAT, text, "names every command", "write the bare tool name instead: Bash")
    body = text.removesuffix(" *").rstrip(" ")
    words = _split(text, body)
    if not base_name(words[0]):
        raise refuse(_WHAT, text, "names no program", "begin with the program, as in `git *`")
    return CommandPattern(words, prefix=body != text)


def _split(text: str, body: str) -> tuple[str, ...]:
    words: list[str] = []
    word: str | None = None
    at = 0
    while at < len(body):
        if body[at] == " ":
            if word is not None:
                words.append(word)
            word, at = None, at + 1
        else:
            piece, at = _piece(text, body, at)
            word = (word or "") + piece
    return tuple(words) if word is None else (*words, word)


def _piece(text: str, body: str, at: int) -> tuple[str, int]:
    """Read one quoted stretch, one escaped or one plain character."""
    char = body[at]
    if char == "'":
        end = body.find("'", at + 1)
        if end < 0:
            raise _unbalanced(text)
        return body[at + 1 : end], end + 1
    if char == '"':
        return _double(text, body, at + 1)
    if char == "\\":
        if at + 1 >= len(body):
            raise _unbalanced(text)
        return body[at + 1], at + 2
    if char.isascii() and not _SAFE.fullmatch(char):
        why = f"holds {char} outside quotes"
        raise refuse(_WHAT, text, why, "quote it; a star may stand alone at the end: `git *`")
    return char, at + 1


def _double(text: str, body: str, at: int) -> tuple[str, int]:
    piece = ""
    while at < len(body) and body[at] != '"':
        if body[at] == "\\" and body[at + 1 : at + 2] in ("\\", '"', "$", "`"):
            at += 1
        elif body[at] in _DOUBLE_QUOTED_SPECIAL[:2]:
            raise refuse(_WHAT, text, f"holds {body[at]} inside double quotes", "use single quotes")
        piece += body[at : at + 1]
        at += 1
    if at >= len(body):
        raise _unbalanced(text)
    return piece, at + 1


def _unbalanced(text: str) -> GrammarError:
    return refuse(_WHAT, text, "has an unbalanced quote", "close the quote or remove it")


def _quoted(word: str) -> str:
    # Written like shlex.quote, whose set of safe characters lacks the tilde.
    return word if _SAFE.fullmatch(word) else "'" + word.replace("'", "'\"'\"'") + "'"
