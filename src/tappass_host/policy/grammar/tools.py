"""Tool rules: `Name`, `Name(spec)` or `@group`.

The spec is typed by its tool: a command pattern for Bash, a path for Read and Write, a domain for
WebFetch. Every other tool takes none: its arguments are the business of `tools.constraints`.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType

import msgspec

from tappass_host.policy.grammar.commands import CommandPattern, parse_command
from tappass_host.policy.grammar.domains import DomainRule, parse_domain
from tappass_host.policy.grammar.paths import PathRule, parse_path
from tappass_host.policy.grammar.text import refuse, require_plain

ToolSpec = CommandPattern | PathRule | DomainRule

CANONICAL_TOOLS = ("Bash", "Read", "Write", "WebFetch", "WebSearch", "Task")
# Other spellings of a canonical tool; their specs read the same.
ALIASES: Mapping[str, str] = MappingProxyType({"Edit": "Write", "NotebookEdit": "Write"})
# `@internal` holds no canonical tool: providers map a harness's own bookkeeping tools to the group itself.
GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "@read": ("Read",),
        "@edit": ("Write",),
        "@shell": ("Bash",),
        "@net": ("WebFetch", "WebSearch"),
        "@agent": ("Task",),
        "@internal": (),
    }
)

_FOLDED = {name.lower(): name for name in (*CANONICAL_TOOLS, *ALIASES)}
_CUSTOM = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_MCP = "mcp__"
_WHAT = "tool rule"


class ToolRule(msgspec.Struct, frozen=True):
    """One tool entry; `name` is a canonical tool, a custom or MCP tool, or a group."""

    name: str
    spec: ToolSpec | None = None

    def __str__(self) -> str:
        return self.name if self.spec is None else f"{self.name}({self.spec})"

    @property
    def is_group(self) -> bool:
        return self.name.startswith("@")

    @property
    def tools(self) -> tuple[str, ...]:
        """The tools this rule speaks of, groups resolved; a group also speaks of itself."""
        return (self.name, *GROUPS.get(self.name, ()))

    @property
    def is_mcp(self) -> bool:
        return self.name.startswith(_MCP)

    @property
    def server(self) -> str | None:
        """The MCP server of `mcp__server__tool`, else None."""
        return self.name.removeprefix(_MCP).partition("__")[0] if self.is_mcp else None

    @property
    def tool(self) -> str | None:
        """The tool of `mcp__server__tool`; None where the rule means the whole server or is not MCP."""
        return (self.name.removeprefix(_MCP).partition("__")[2] or None) if self.is_mcp else None

    def matches(self, tool: str) -> bool:
        """Tell whether the rule speaks of this tool (any spelling), whatever the spec says of arguments."""
        name = ALIASES.get(tool, tool)
        if self.is_mcp and self.tool is None and name.startswith(self.name + "__"):
            return True
        return name in self.tools

    def covers(self, other: "ToolRule") -> bool:
        """Tell whether every call that `other` speaks of is proven to be spoken of by this rule."""
        if not all(self.matches(tool) for tool in other.tools):
            return False
        return self.spec is None or (other.spec is not None and _spec_covers(self.spec, other.spec))


@lru_cache(maxsize=16384)
def parse_tool(text: str) -> ToolRule:
    """Parse one tool entry.

    Raises:
        GrammarError: naming what is wrong and how to write it instead.
    """
    require_plain(_WHAT, text)
    name, opened, rest = text.partition("(")
    canonical = _name(text, name)
    if not opened:
        return ToolRule(canonical)
    if not rest.endswith(")"):
        raise refuse(_WHAT, text, "does not end in )", "write Name or Name(spec)")
    if canonical not in _SPECS:
        raise refuse(
            _WHAT, text, f"has a spec, and {name} takes none", "use tools.constraints for its arguments"
        )
    return ToolRule(canonical, _SPECS[canonical](rest[:-1]))


def _name(text: str, name: str) -> str:
    if name in GROUPS or name in CANONICAL_TOOLS:
        return name
    if name in ALIASES:
        return ALIASES[name]
    if name.startswith("@"):
        raise refuse(_WHAT, text, "names an unknown group", f"use one of {', '.join(GROUPS)}")
    if name.lower() in _FOLDED:
        raise refuse(_WHAT, text, "is not spelled like the tool", f"write {_FOLDED[name.lower()]}")
    custom = name.removesuffix("__*") if name.startswith(_MCP) else name
    if not _CUSTOM.fullmatch(custom):
        raise refuse(
            _WHAT, text, "is not a tool name", "use letters, digits, and _ . - after the first letter"
        )
    if custom.startswith(_MCP) and not re.fullmatch(r"mcp__(?!_).*?[^_](__.+)?", custom):
        raise refuse(_WHAT, text, "names no MCP server", "write mcp__server or mcp__server__tool")
    return custom


def _web_spec(text: str) -> DomainRule:
    bare = text.removeprefix("domain:")
    return parse_domain(text if bare.isdigit() else bare)


_SPECS: dict[str, Callable[[str], ToolSpec]] = {
    "Bash": parse_command,
    "Read": parse_path,
    "Write": parse_path,
    "WebFetch": _web_spec,
}


def _spec_covers(spec: ToolSpec, other: ToolSpec) -> bool:
    match spec, other:
        case (CommandPattern(), CommandPattern()):
            return spec.covers(other)
        case (PathRule(), PathRule()):
            return spec.covers(other)
        case (DomainRule(), DomainRule()):
            return spec.covers(other)
    return False
