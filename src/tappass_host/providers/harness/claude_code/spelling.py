"""How Claude Code spells a rule, and which rules it has no spelling for.

Found on 2.1.330: an absolute path needs two slashes; a path covers what is below it; `Edit` covers Write,
Edit and NotebookEdit while `Write` with a path does nothing at all; `Bash(git push:*)` is a prefix of words
and `Bash(ls **)` is `ls` with at least one argument; in names of MCP servers and tools every character but
letters, digits, `_` and `-` becomes `_`.
"""

import re
from collections.abc import Iterator
from typing import Final

from tappass_host.policy.errors import RenderError
from tappass_host.policy.grammar.commands import CommandPattern
from tappass_host.policy.grammar.domains import DomainRule
from tappass_host.policy.grammar.paths import PathRule
from tappass_host.policy.grammar.shell_wrappers import unwrap
from tappass_host.policy.grammar.tools import ToolRule
from tappass_host.providers.harness.claude_code.binary import NATIVE
from tappass_host.sdk.claims import Item

_PATH_TOOLS: Final = {"Read": "Read", "Write": "Edit"}
_BARE_WORD: Final = re.compile(r"[A-Za-z0-9_@%+=./-]+")
_REWRITTEN: Final = re.compile(r"[^A-Za-z0-9_-]")
QUOTED_WORD: Final = "a word that needs quotes has no spelling in a Bash rule"


def spellable(item: Item) -> Item:
    """The item, with a command that cannot be spelled refused, or denied more widely."""
    rule = item.value
    if not isinstance(rule, ToolRule) or not isinstance(rule.spec, CommandPattern):
        return item
    if item.refused or item.under or is_spellable(rule.spec):
        return item
    safe = list(_leading_bare(rule.spec.words))
    if item.op == "allow" or not safe:
        return item._replace(refused=QUOTED_WORD)
    wider = CommandPattern(tuple(safe), prefix=True)
    return item._replace(value=ToolRule("Bash", wider), fidelity="stricter")


def is_spellable(pattern: CommandPattern) -> bool:
    """Whether a rule can be about exactly these words."""
    return all(map(_BARE_WORD.fullmatch, pattern.words))


def only_runs_others(pattern: CommandPattern) -> bool:
    """Whether it names a program that runs what its arguments name: no rule of a policy allows that."""
    return unwrap((*pattern.words, "x") if pattern.prefix else pattern.words) is not None


def _leading_bare(words: tuple[str, ...]) -> Iterator[str]:
    for word in words:
        if not _BARE_WORD.fullmatch(word):
            return
        yield word


def rules(rule: ToolRule) -> tuple[str, ...]:
    """The native rules that together mean one rule."""
    match rule.spec:
        case PathRule() as path:
            return (path_rule(_PATH_TOOLS[rule.name], path),)
        case CommandPattern() as command:
            return (f"Bash({' '.join(command.words)}{':*' if command.prefix else ''})",)
        case DomainRule() as domain:
            return (f"WebFetch(domain:{host(domain)})",)
    return NATIVE.get(rule.name, (rule.name,))


def host(domain: DomainRule) -> str:
    """A name, or all below it."""
    return f"*.{domain.host}" if domain.wildcard else domain.host


def path_rule(tool: str, path: PathRule) -> str:
    """The rule of one tool about a path and all below it."""
    return f"{tool}({absolute(path)})"


def absolute(path: PathRule) -> str:
    """`/x` as `//x`, the root as `//**`; a home stays `~/x`.

    Raises:
        RenderError: the path still holds a parameter.
    """
    text = plain(path)
    # An opening bracket begins a set of characters, and a blank at the end is cut off.
    text = text.replace("[", "[[]")
    text = f"{text[:-1]}[ ]" if text.endswith(" ") else text
    if text == "/":
        return "//**"
    return f"/{text}" if text.startswith("/") else text


def plain(path: PathRule) -> str:
    """The path as it is, if it is one.

    Raises:
        RenderError: the path still holds a parameter.
    """
    text = str(path)
    if not text.startswith(("/", "~")):
        raise RenderError(f"{text} is not an absolute path", remedy="bind the policy's parameters first")
    return text


def mcp_name(text: str) -> str:
    """The name of a server or tool as rules have to spell it."""
    return _REWRITTEN.sub("_", text)
