"""A shell line as the simple commands it would run, read from the syntax tree of tree-sitter-bash.

Every command counts, wherever it stands: in pipelines, lists, subshells, substitutions, here-documents,
functions, loops, and inside the arguments of wrappers. What is not understood makes the line opaque;
node types are a closed list, and the text between nodes must be blank, so a misreading of the parser
shows instead of hiding a command.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from tappass_host.policy.grammar.commands import Argv
from tappass_host.policy.grammar.shell_checks import (
    check_gaps,
    check_heredoc,
    check_leaf,
    check_test,
    check_words,
)
from tappass_host.policy.grammar.shell_nodes import EXPANSIONS, LEAVES, LITERALS, RESERVED, STRUCTURE, WORDS
from tappass_host.policy.grammar.shell_words import Misread, literal
from tappass_host.policy.grammar.shell_wrappers import Inner, hides_code, unwrap

if TYPE_CHECKING:
    from tree_sitter import Language, Node

MAX_LINE = 256 * 1024
# The parser takes quadratic time on some malformed lines, so a long one must first parse within a budget of
# progress reports. 500 are about 5,000 commands; the text of a here-document costs next to none.
_FREE_OF_BUDGET = 2048
_MAX_PROGRESS = 500
# Only short lines are remembered, so that a hostile caller cannot fill the memory.
_MAX_CACHED = 1024
# Of nodes, scripts inside scripts included: three or four Python frames each.
_MAX_DEPTH = 100
_MAX_WRAPPERS = 8
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(?:\[.*\])?\+?=", re.ASCII | re.DOTALL)


class SimpleCommand(msgspec.Struct, frozen=True):
    """One command. A word that the shell computes is None in `argv`; a bare assignment has an empty one."""

    argv: Argv
    assignments: tuple[str, ...] = ()
    redirects_to_file: bool = False
    expands: bool = False  # a variable or substitution in its words or redirections
    wraps: bool = False  # runs other commands, which stand in the line too
    via_wrapper: bool = False

    @property
    def as_written(self) -> bool:
        """Whether nothing about the command differs from its bare argv: the condition of any allow."""
        extras = self.redirects_to_file or self.expands or self.wraps or self.via_wrapper
        return bool(self.argv) and not self.assignments and not extras


class CommandLine(msgspec.Struct, frozen=True):
    """All commands of a line. Where `opaque` is set there may be others, for the reason in `why`."""

    commands: tuple[SimpleCommand, ...]
    opaque: bool = False
    why: str = ""


def parse_command_line(text: str) -> CommandLine:
    """Read a shell line; never raises: what cannot be read is opaque."""
    return _parse(text) if len(text) > _MAX_CACHED else _remembered(text)


@lru_cache(maxsize=256)
def _remembered(text: str) -> CommandLine:
    return _parse(text)


def _parse(text: str, wrappers: int = 0, depth: int = 0) -> CommandLine:
    reader = _Reader(wrappers, depth)
    try:
        source = text.encode()
    except UnicodeEncodeError:
        return CommandLine((), opaque=True, why="the line is not Unicode text")
    if len(source) > MAX_LINE or b"\0" in source:
        return CommandLine((), opaque=True, why=f"the line is longer than {MAX_LINE} bytes or holds a NUL")
    try:
        reader.read(source)
    except Misread as error:
        reader.doubt(str(error))
    return CommandLine(tuple(reader.commands), opaque=bool(reader.why), why=reader.why)


class _Reader:
    def __init__(self, wrappers: int, depth: int) -> None:
        self.commands: list[SimpleCommand] = []
        self.why = ""
        self.wrappers = wrappers
        self.depth = depth
        self.source = b""

    def doubt(self, why: str) -> None:
        self.why = self.why or why

    def read(self, source: bytes) -> None:
        from tree_sitter import Parser

        self.source = source
        if len(source) > _FREE_OF_BUDGET:
            _check_cost(source)
        root = Parser(_language()).parse(source).root_node
        if root.has_error:
            self.doubt("the line is not well formed")
        self.visit(root)

    def visit(self, node: "Node") -> None:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise Misread("the line is nested too deeply")
        check_gaps(node, self.source)
        handler = _HANDLERS.get(node.type)
        if handler is not None:
            handler(self, node)
        elif node.type in STRUCTURE:
            self.redirected(node)
        elif node.type in LEAVES:
            check_leaf(node, self.source)
        else:
            self.doubt(f"the line holds syntax that is not judged: {node.type}")
            self.visit_children(node)
        self.depth -= 1

    def visit_children(self, node: "Node") -> None:
        for child in node.children:
            if child.is_named:
                self.visit(child)

    # Statements

    def command(self, node: "Node") -> None:
        words: list[str | None] = []
        names: list[str] = []
        start = len(self.commands)
        check_words(node)
        for child in node.children:
            if child.type == "variable_assignment":
                names.append(self.assignment_name(child))
            elif child.type == "command_name" or child.type in WORDS:
                words.append(literal(child))
            elif not child.is_named or child.type not in ("file_redirect", "herestring_redirect", "subshell"):
                self.doubt("a command holds syntax that is not judged")
            elif child.type == "subshell":
                words.append(None)
            self.visit_named(child)
        command = SimpleCommand(tuple(words), tuple(names), expands=_expands(node))
        self.add(command, start)
        self.mark_redirects(node, start)

    def visit_named(self, node: "Node") -> None:
        if node.type == "variable_assignment":
            check_gaps(node, self.source)
            self.visit_children(node)
        elif node.is_named:
            self.visit(node)

    def assignment_name(self, node: "Node") -> str:
        if _hides_code(node):
            self.doubt("an assignment holds a substitution for a later evaluation")
        return _text(node).partition("=")[0].removesuffix("+")

    def assignment(self, node: "Node") -> None:
        name = self.assignment_name(node)
        self.commands.append(SimpleCommand((), (name,), expands=_expands(node)))
        self.visit_children(node)

    def builtin(self, node: "Node") -> None:
        """`export`, `declare`, `unset`…: the keyword and its words."""
        words: list[str | None] = [_text(node.children[0])]
        for child in node.named_children:
            if child.type == "variable_assignment":
                self.assignment_name(child)
            words.append(literal(child))
            self.visit_named(child)
        self.add(SimpleCommand(tuple(words), expands=_expands(node)), len(self.commands))

    def test(self, node: "Node") -> None:
        """`[[ ]]`, `[ ]`, `(( ))`, `for (( ))`: no rule names what they evaluate."""
        opening = _text(node.children[0])
        if opening == "[":
            check_test(node, _nodes(node))
        if _hides_code(node):
            self.doubt(f"{opening} may evaluate a substitution inside quotes")
        self.commands.append(SimpleCommand((opening, None), expands=_expands(node)))
        for child in node.children:
            self.visit_named(child)

    def compound(self, node: "Node") -> None:
        if node.children and node.children[0].type == "((":
            self.test(node)
        else:
            self.visit_children(node)

    def loop(self, node: "Node") -> None:
        """A loop over words sets a variable, which may be PATH: judged like an assignment."""
        variable = node.child_by_field_name("variable")
        name = "" if variable is None else _text(variable)
        self.commands.append(SimpleCommand((), (name,), expands=_expands(node)))
        self.visit_children(node)

    # Redirections

    def redirected(self, node: "Node") -> None:
        start = len(self.commands)
        self.visit_children(node)
        self.mark_redirects(node, start)

    def mark_redirects(self, node: "Node", start: int) -> None:
        """Mark the commands collected since `start` with what the redirections beside them do."""
        redirects = list(_redirects(node))
        to_file = any(c.type == "file_redirect" and not self.is_harmless(c) for c in redirects)
        expands = any(_expands(c) for c in redirects)
        if redirects and start == len(self.commands):  # `> file` alone makes the file
            self.commands.append(SimpleCommand(()))
        for at in range(start, len(self.commands) if to_file or expands else start):
            old = self.commands[at]
            self.commands[at] = msgspec.structs.replace(
                old, redirects_to_file=old.redirects_to_file or to_file, expands=old.expands or expands
            )

    def is_harmless(self, node: "Node") -> bool:
        """Duplicating or closing a descriptor, and /dev/null, reach no file that a rule could mean."""
        targets = node.children_by_field_name("destination")
        operator = next((c.type for c in node.children if not c.is_named), "")
        if operator in (">&-", "<&-") and not targets:
            return True
        if len(targets) != 1 or operator in (">&-", "<&-"):
            raise Misread("a redirection whose target is not one word")
        text = literal(targets[0])
        doubles = operator in (">&", "<&")
        # bash 5.2 expands the word of `>&` twice: `>& '$(x)'` runs x, though it is quoted; `>& $x` does not.
        if doubles and (hides_code((text,)) or (text is None and targets[0].type != "simple_expansion")):
            raise Misread("a redirection that expands twice")
        return text == "/dev/null" or (doubles and text is not None and text.isdecimal())

    def file_redirect(self, node: "Node") -> None:
        self.is_harmless(node)
        self.visit_children(node)

    def heredoc(self, node: "Node") -> None:
        check_heredoc(node, self.source)
        self.visit_children(node)

    # Words with something inside

    def substitution(self, node: "Node") -> None:
        text = node.text or b""
        if text.startswith(b"`") and b"\\" in text:
            raise Misread("backquotes with a backslash inside")
        self.redirected(node)

    def expansion(self, node: "Node") -> None:
        if b"@P}" in (node.text or b""):
            self.doubt("an expansion that evaluates its value")
        self.visit_children(node)

    # What wrappers run

    def add(self, command: SimpleCommand, at: int) -> None:
        """Record a command before the inner ones of its words, then what it runs as a wrapper."""
        if not command.argv:
            self.commands.insert(at, command)
            return
        program = command.argv[0]
        if program is None:
            self.doubt("the program is computed")
        elif program in RESERVED or _ASSIGNMENT.match(program):
            self.doubt("a keyword or an assignment stands where a program is named")
        inner = unwrap(command.argv)
        self.commands.insert(at, msgspec.structs.replace(command, wraps=inner is not None))
        if inner is not None:
            self.add_inner(command, inner)

    def add_inner(self, command: SimpleCommand, inner: Inner) -> None:
        if inner.opaque:
            self.doubt(inner.opaque)
        if self.wrappers >= _MAX_WRAPPERS:
            raise Misread("wrappers are nested too deeply")
        before = len(self.commands)
        self.wrappers += 1
        for argv in inner.argvs:
            self.add(SimpleCommand(argv, expands=command.expands, via_wrapper=True), len(self.commands))
        for script in inner.scripts:
            self.add_script(script)
        self.wrappers -= 1
        if len(self.commands) == before:  # an empty script is still nothing that a rule names
            self.commands.append(SimpleCommand((), via_wrapper=True))

    def add_script(self, script: str) -> None:
        line = _parse(script, self.wrappers, self.depth)
        self.commands += [msgspec.structs.replace(command, via_wrapper=True) for command in line.commands]
        if line.opaque:
            self.doubt(line.why)


_HANDLERS: dict[str, Callable[[_Reader, "Node"], None]] = {
    "c_style_for_statement": _Reader.test,
    "command": _Reader.command,
    "command_substitution": _Reader.substitution,
    "compound_statement": _Reader.compound,
    "declaration_command": _Reader.builtin,
    "expansion": _Reader.expansion,
    "file_redirect": _Reader.file_redirect,
    "for_statement": _Reader.loop,
    "function_definition": _Reader.redirected,
    "heredoc_redirect": _Reader.heredoc,
    "redirected_statement": _Reader.redirected,
    "test_command": _Reader.test,
    "unset_command": _Reader.builtin,
    "variable_assignment": _Reader.assignment,
}


def _nodes(node: "Node") -> Iterator["Node"]:
    """All nodes below, without recursion: a hostile line nests as deeply as it is long."""
    waiting = list(node.children)
    while waiting:
        found = waiting.pop()
        yield found
        waiting += found.children


def _redirects(node: "Node") -> Iterator["Node"]:
    """The redirections beside a command; the parser puts those after `<<E` inside the here-document."""
    for child in node.children:
        if child.type.endswith("_redirect"):
            yield child
        if child.type == "heredoc_redirect":
            yield from _redirects(child)


def _expands(node: "Node") -> bool:
    return any(found.type in EXPANSIONS for found in _nodes(node))


def _hides_code(node: "Node") -> bool:
    found = (node, *_nodes(node))
    return hides_code(tuple(literal(n) for n in found if n.type in LITERALS))


def _text(node: "Node") -> str:
    return (node.text or b"").decode()


def _check_cost(source: bytes) -> None:
    from tree_sitter import Parser

    reports = itertools.count(1)
    try:
        Parser(_language()).parse(
            lambda at, _point: source[at:], progress_callback=lambda *_: next(reports) > _MAX_PROGRESS
        )
    except ValueError:  # how the binding says that the callback stopped the parser
        raise Misread("the line takes too long to read") from None


@lru_cache(maxsize=1)
def _language() -> "Language":
    import tree_sitter_bash
    from tree_sitter import Language

    return Language(tree_sitter_bash.language())
