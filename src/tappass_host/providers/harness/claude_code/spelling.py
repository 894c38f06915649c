"""How Claude Code spells a rule, and which rules it has no spelling for.

Found on 2.1.330: an absolute path needs two slashes; `Edit` covers Write, Edit and NotebookEdit while `Write`
with a path does nothing at all; a path without `/**` does not cover what is below; `Bash(git push:*)` is a
prefix of words; brackets and parentheses in a path are read as patterns.
"""

from collections.abc import Iterator
from typing import Final

from tappass_host.policy.errors import RenderError
from tappass_host.policy.grammar.commands import CommandPattern
from tappass_host.policy.grammar.domains import DomainRule
from tappass_host.policy.grammar.paths import PathRule
from tappass_host.policy.grammar.tools import ToolRule
from tappass_host.providers.harness.claude_code.binary import NATIVE
from tappass_host.sdk.claims import Item

_PATH_PATTERNS: Final = frozenset("[]{}()!\\,")
_PATH_TOOLS: Final = {"Read": "Read", "Write": "Edit"}
BARE_WORDS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=./-")
PATTERN_PATH: Final = "a bracket, parenthesis or comma in a path is read as a pattern"
QUOTED_WORD: Final = "a word that needs quotes has no spelling in a Bash rule"


def spellable(item: Item) -> Item:
    """The item with what cannot be spelled refused, or denied more widely."""
    rule = item.value
    if not isinstance(rule, ToolRule) or item.refused or item.under:
        return item
    match rule.spec:
        case PathRule() as path if _PATH_PATTERNS & set(str(path)):
            if item.op == "allow":
                return item._replace(refused=PATTERN_PATH)
            return item._replace(value=ToolRule(rule.name, _wider(path)), fidelity="stricter")
        case CommandPattern() as command if not all(map(_is_bare, command.words)):
            return _requoted(item, command)
    return item


def _requoted(item: Item, command: CommandPattern) -> Item:
    safe = []
    for word in command.words:
        if not _is_bare(word):
            break
        safe.append(word)
    if item.op == "allow" or not safe:
        return item._replace(refused=QUOTED_WORD)
    return item._replace(
        value=ToolRule("Bash", CommandPattern(tuple(safe), prefix=True)), fidelity="stricter"
    )


def _is_bare(word: str) -> bool:
    return bool(word) and BARE_WORDS.issuperset(word)


def _wider(path: PathRule) -> PathRule:
    """The same path with every doubtful character as one that matches anything."""
    spelled = tuple("".join("?" if c in _PATH_PATTERNS else c for c in segment) for segment in path.segments)
    return PathRule(path.root, spelled)


def rules(rule: ToolRule) -> Iterator[str]:
    """The native rules that together mean one rule."""
    match rule.spec:
        case PathRule() as path:
            yield from paths(_PATH_TOOLS[rule.name], path)
        case CommandPattern() as command:
            yield f"Bash({' '.join(command.words)}{':*' if command.prefix else ''})"
        case DomainRule() as domain:
            star = "*." if domain.wildcard else ""
            yield f"WebFetch(domain:{star}{domain.host})"
        case None:
            yield from NATIVE.get(rule.name, (rule.name,))


def paths(tool: str, path: PathRule) -> Iterator[str]:
    """A path, and all below it."""
    text = absolute(path)
    yield f"{tool}({text})" if text != "//" else f"{tool}(//**)"
    if text != "//":
        yield f"{tool}({text}/**)"


def absolute(path: PathRule) -> str:
    """`/x` as `//x`; a home stays `~/x`.

    Raises:
        RenderError: the path still holds a parameter.
    """
    text = str(path)
    if text.startswith("/"):
        return f"/{text}"
    if text.startswith("~"):
        return text
    raise RenderError(f"{text} is not an absolute path", remedy="bind the policy's parameters first")
