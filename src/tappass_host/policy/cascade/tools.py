"""What the tools aspect needs beyond its fields: naming a tool makes it a known one.

`tools.unknown` holds for tools that no rule names. A level that merely names such a tool (in a constraint, as
a source of taint) would move it under the looser `tools.default`, so it may not.
"""

from collections.abc import Iterator

from tappass_host.policy.cascade.scope import Scope
from tappass_host.policy.grammar.tools import CANONICAL_TOOLS, GROUPS, parse_tool
from tappass_host.policy.tree import Entry, Section

_LISTS = ("allow", "ask", "deny")
_LABELLED = ("deny_if_tainted", "taint_sources")


def default_for(tools: Section, rule: str) -> object:
    """The default that holds for the tool of a rule: `unknown` unless the policy knows it."""
    return tools.value("default" if _tools_of(rule) <= known_tools(tools) else "unknown")


def known_tools(tools: Section) -> set[str]:
    """All tools that fall under `tools.default`."""
    named = {name for entry in _rules(tools) for name in _tools_of(entry.value)}
    return {*CANONICAL_TOOLS, *named, *_constrained(tools)}


def check_names(scope: Scope, above: Section, below: Section) -> None:
    """Refuse what would make an unknown tool a known one.

    Raises:
        CascadeViolationError: at the entry that names it.
    """
    if above.value("unknown") == above.value("default"):
        return
    known = known_tools(above)
    for entry, names in _named(below):
        if not names <= known:
            why = f"which names a tool that {scope.above} does not know"
            remedy = f"ask the owners of {scope.above} to name it, or remove it"
            raise scope.violation("may not name an unknown tool", "tools.allow", entry, why, remedy)


def _named(tools: Section) -> Iterator[tuple[Entry, set[str]]]:
    for field in _LABELLED:
        for entry in _labelled(tools, field):
            yield entry, _tools_of(entry.value)
    constraints = tools.section("constraints")
    for name, arguments in constraints.members.items() if constraints else ():
        assert isinstance(arguments, Section)
        yield arguments.said._replace(value=name), {name}


def _tools_of(rule: str) -> set[str]:
    name = parse_tool(rule).name
    return set(GROUPS.get(name, ())) or {name}


def _rules(tools: Section) -> Iterator[Entry]:
    for field in _LISTS:
        yield from tools.entries(field) or ()
    for field in _LABELLED:
        yield from _labelled(tools, field)


def _labelled(tools: Section, field: str) -> Iterator[Entry]:
    table = tools.section(field)
    for label in table.members if table else ():
        assert table is not None
        yield from table.entries(label) or ()


def _constrained(tools: Section) -> set[str]:
    table = tools.section("constraints")
    return set(table.members) if table else set()
