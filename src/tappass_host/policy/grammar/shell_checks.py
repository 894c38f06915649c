"""Doubts about a syntax tree: does the parser agree with a shell on where things begin and end?

tree-sitter recovers from much that a shell reads otherwise. Each check here insists on something a shell
is certain of, and raises `Misread` where the tree differs.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tappass_host.policy.grammar.shell_nodes import WORDS
from tappass_host.policy.grammar.shell_words import Misread

if TYPE_CHECKING:
    from tree_sitter import Node

# Inside these a newline is no blank: it ends the command, even where the parser reads on.
_ONE_LINE = frozenset(
    (
        "command",
        "declaration_command",
        "file_redirect",
        "herestring_redirect",
        "negated_command",
        "redirected_statement",
        "unset_command",
        "variable_assignments",
    )
)
# And inside these nothing may lie: `a=$ x` runs x, though the parser reads `$x`.
_TIGHT = frozenset({"command_name", "concatenation", "simple_expansion", "subscript", "variable_assignment"})
_INLINE_BLANK = re.compile(rb"(?:\\\n)*[ \t](?:[ \t]|\\\n)*")
# A continuation alone separates nothing: a shell reads `cu\` newline `rl` as one word.
_BLANK = re.compile(rb"(?:\\\n)*[ \t\n](?:[ \t\n]|\\\n)*")
_BEFORE_COMMENT = frozenset(b" \t\n;&|()")
_ESCAPED = re.compile(rb"\\.", re.DOTALL)
_HIDDEN = re.compile(rb"`|\$\(|[<>]\(")
_HIDDEN_IN_QUOTES = re.compile(rb"`|\$\(")
# Text that a shell takes literally, or that `check_heredoc` looks at.
_VERBATIM = frozenset({"raw_string", "ansi_c_string", "heredoc_start", "heredoc_content", "heredoc_end"})
_OPERATORS = frozenset({"||", "&&", "|", "&", ";", "<", ">", "(", ")"})
# `E`, `'E'`, `"E"` or `\E` after `<<`.
_HEREDOC_WORD = re.compile(r"(['\"]?)([\w.-]+)\1|\\([\w.-]+)", re.ASCII)


def check_gaps(node: "Node", source: bytes) -> None:
    """Only blanks may lie between the children of a node: anything else was skipped, not read."""
    if not node.children or node.type == "heredoc_body":
        return
    for child in node.children:
        if not child.is_named and source[child.start_byte : child.end_byte] != child.type.encode():
            raise Misread("a sign with something glued to it")  # `-<<E`: the parser drops the word `-`
    blank = _INLINE_BLANK if node.type in _ONE_LINE else _BLANK
    at = node.start_byte
    for start, end in [*((c.start_byte, c.end_byte) for c in node.children), (node.end_byte, 0)]:
        if start > at and (node.type in _TIGHT or not blank.fullmatch(source, at, start)):
            raise Misread("the parser skipped a part of the line")
        at = max(at, end)


def check_leaf(node: "Node", source: bytes) -> None:
    """A leaf must not hold what a shell would run."""
    if node.type == "comment":
        if node.start_byte and source[node.start_byte - 1] not in _BEFORE_COMMENT:
            raise Misread("a comment inside a word")
    elif node.type not in _VERBATIM:
        hidden = _HIDDEN_IN_QUOTES if node.type == "string_content" else _HIDDEN
        if hidden.search(_ESCAPED.sub(b"", node.text or b"")):
            raise Misread("a substitution that the parser took for text")


def check_words(command: "Node") -> None:
    """Words of a command stand apart: `a<(b)` is one word, which the parser gives as two."""
    at = -1
    for child in command.children:
        if child.start_byte == at:
            raise Misread("two words without a blank between them")
        at = child.end_byte


def check_test(test: "Node", inside: Iterable["Node"]) -> None:
    """`[` is a command like any other, so an operator inside ends it: `[ -f || curl x ]` runs curl."""
    if b"\n" in (test.text or b"") or any(node.type in _OPERATORS for node in inside):
        raise Misread("an operator inside [ ]")


def check_heredoc(node: "Node", source: bytes) -> None:
    """Find the end of a here-document as a shell does, and insist that the tree agrees."""
    parts = {child.type: child for child in node.children}
    word, end, body = (parts.get(f"heredoc_{name}") for name in ("start", "end", "body"))
    found = _HEREDOC_WORD.fullmatch((word.text or b"").decode()) if word is not None else None
    if word is None or found is None or end is None:
        raise Misread("a here-document with an unusual end")
    if not WORDS.isdisjoint(parts):  # `git <<E push`: the parser gives the word to the here-document
        raise Misread("words after a here-document")
    line = source.find(b"\n", word.end_byte) + 1
    if not line or b"<<" in source[word.end_byte : line]:
        raise Misread("several here-documents on one line")
    if body is not None and source[line : body.start_byte].strip(b"\t"):
        raise Misread("a here-document that does not begin on the next line")
    delimiter = (found[2] or found[3]).encode()
    if _heredoc_end(source, line, delimiter, tabs="<<-" in parts) != end.start_byte:
        raise Misread("a here-document with an unusual end")
    if body is not None and not found[1] and not found[3]:
        _check_body(body, source)


def _heredoc_end(source: bytes, line: int, delimiter: bytes, *, tabs: bool) -> int:
    while 0 < line < len(source):
        stop = source.find(b"\n", line)
        text = source[line : stop if stop >= 0 else len(source)]
        bare = text.lstrip(b"\t") if tabs else text
        if bare == delimiter:
            return line + len(text) - len(bare)
        line = stop + 1
    return -1


def _check_body(body: "Node", source: bytes) -> None:
    """In an unquoted body every substitution must be a node of its own."""
    at = body.start_byte
    plain = b""
    for child in body.children:
        if child.type != "heredoc_content":
            plain += source[at : child.start_byte] + b" "
            at = child.end_byte
    plain += source[at : body.end_byte]
    if _HIDDEN_IN_QUOTES.search(_ESCAPED.sub(b"", plain)):
        raise Misread("a substitution that the parser took for text")
