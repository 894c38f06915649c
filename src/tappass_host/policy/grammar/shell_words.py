"""One word of a shell command as the literal text that the program would see, or None.

None stands for a word that the shell computes: a variable, a substitution, a glob, a brace expansion.
A word that this reader and the parser do not understand alike raises `Misread`.
"""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

# What decides in `$'...'` (Bash manual, section 3.1.2.4): one letter, octal, hex or Unicode number, control.
_ANSI_ESCAPE = re.compile(
    r"\\(?:([abeEfnrtv\\'\"?])|([0-7]{1,3})|x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|c(.))",
    re.DOTALL,
)
_LETTERS = dict(zip("abeEfnrtv\\'\"?", "\a\b\x1b\x1b\f\n\r\t\v\\'\"?", strict=True))
_SEPARATORS = frozenset(" \t\n;&|<>()'\"")
_LAST_ASCII = 0x7F
_LAST_CHARACTER = 0x10FFFF


class Misread(Exception):  # noqa: N818  # not a failure of ours: the text is not what the parser took it for
    """The parser took a text for a word that the shell would not read so."""


def literal(node: "Node") -> str | None:
    """Return the literal text of a word node, or None where the shell computes it.

    Raises:
        Misread: the text cannot be a word of this kind.
    """
    match node.type:
        case "word" | "number" | "variable_name" | "test_operator":
            return _unquoted(_text(node)) if node.child_count == 0 else None
        case "raw_string":
            return _text(node)[1:-1]
        case "ansi_c_string":
            return _ansi(_text(node)[2:-1])
        case "string":
            return _double_quoted(_text(node)[1:-1])
        case "concatenation" | "command_name":
            return _joined(node)
    return None


def _text(node: "Node") -> str:
    return (node.text or b"").decode()


def _joined(node: "Node") -> str | None:
    at = node.start_byte
    for child in node.children:
        if child.start_byte != at:
            raise Misread("a word with a gap")
        at = child.end_byte
    if at != node.end_byte:
        raise Misread("a word with a gap")
    parts: list[str] = []
    for child in node.children:
        text = _text(child)
        if text == "}" and parts[-1:] == ["{"]:  # `{}` is no brace expansion
            parts[-1] = "{}"
            continue
        part = text if text == "{" else literal(child)
        if part is None:
            return None
        parts.append(part)
    return None if "{" in parts else "".join(parts)


def _unquoted(text: str) -> str | None:
    if text.startswith("#"):
        raise Misread("a comment taken for a word")
    if text == "{}":  # no brace expansion: find and xargs take it as it is
        return text
    # Only `~/` keeps its spelling; other tildes can expand to any word, e.g. `~-` to $OLDPWD.
    plain = not text.startswith("~") or text.startswith("~/")
    out: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
            char = text[at : at + 1]
            if char == "\n":
                char = ""
        elif char in _SEPARATORS:
            raise Misread("a separator inside a word")
        elif char in "*?[{}$`":
            plain = False
        out.append(char)
        at += 1
    return "".join(out) if plain else None


def _double_quoted(text: str) -> str | None:
    out: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char == "\\" and text[at + 1 : at + 2] in ('"', "\\", "$", "`", "\n"):
            at += 1
            char = "" if text[at] == "\n" else text[at]
        elif char == '"':
            raise Misread("a quote inside quotes")
        elif char == "`" or (char == "$" and text[at + 1 : at + 2] not in ("", " ", '"', "\n")):
            return None
        out.append(char)
        at += 1
    return "".join(out)


def _ansi(text: str) -> str | None:
    codes: list[int] = []

    def one(found: re.Match[str]) -> str:
        letter, octal, hexa, short, long, control = found.groups()
        if letter:
            return _LETTERS[letter]
        code = ord(control) & 0x1F if control else int(octal or hexa or short or long, 8 if octal else 16)
        codes.append(code)
        # Octal and hex name bytes; above ASCII they are parts of characters that we do not assemble.
        if not 0 < code <= (_LAST_ASCII if octal or hexa else _LAST_CHARACTER):
            codes.append(0)
            return ""
        return chr(code)

    out = _ANSI_ESCAPE.sub(one, text)
    return None if 0 in codes or not _encodable(out) else out


def _encodable(text: str) -> bool:
    return not any(0xD800 <= ord(char) <= 0xDFFF for char in text)  # noqa: PLR2004  # surrogates
