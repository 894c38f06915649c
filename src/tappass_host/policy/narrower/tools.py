"""Are the new tool rules narrower than the old ones."""

from collections.abc import Iterable, Iterator

from tappass_host.policy import actions as a
from tappass_host.policy.effective import EffectivePolicy, ToolEntry
from tappass_host.policy.grammar.commands import CommandPattern, base_name
from tappass_host.policy.grammar.constraints import narrower
from tappass_host.policy.grammar.domains import DomainRule
from tappass_host.policy.grammar.paths import PathRule
from tappass_host.policy.grammar.tools import CANONICAL_TOOLS, ToolRule, parse_tool
from tappass_host.policy.model import Tools
from tappass_host.policy.narrower.filesystem import may_meet
from tappass_host.policy.narrower.gap import STRICTNESS, Covering, Gap, gap, looser
from tappass_host.policy.narrower.network import meet
from tappass_host.policy.narrower.witness import call


def tools_gaps(new: EffectivePolicy, old: EffectivePolicy) -> Iterator[Gap]:
    """What of the new policy is not proven to be within the old one."""
    mine, theirs = new.doc.tools, old.doc.tools
    assert mine is not None
    assert theirs is not None
    yield from _defaults(new, old)
    yield from _new_grants(new, old)
    yield from _lost(new, old.tools.deny, "deny")
    yield from _lost(new, old.tools.ask, "ask")
    yield from _taint(new, old)
    yield from _constraints(new, mine, theirs)


def _alive(new: EffectivePolicy, entries: Iterable[ToolEntry]) -> Iterator[ToolEntry]:
    """Entries that no denial covers: one that is covered opens nothing."""
    denied = Covering((deny.rule for deny in new.tools.deny), ToolRule.covers)
    return (entry for entry in entries if not denied.holds(entry.rule))


def _default_for(policy: EffectivePolicy, names: Iterable[str]) -> str:
    """The loosest that holds for any of these tools where no rule speaks of it."""
    node = policy.doc.tools
    assert node is not None
    known = (name in CANONICAL_TOOLS or name in policy.tools.names for name in names)
    return min((node.default if k else node.unknown for k in known), key=STRICTNESS.__getitem__)


def _strictest_for(policy: EffectivePolicy, names: Iterable[str]) -> str:
    node = policy.doc.tools
    assert node is not None
    known = (name in CANONICAL_TOOLS or name in policy.tools.names for name in names)
    return max((node.default if k else node.unknown for k in known), key=STRICTNESS.__getitem__)


def _members(rule: ToolRule) -> tuple[str, ...]:
    return rule.tools[1:] or rule.tools if rule.is_group else rule.tools


def _defaults(new: EffectivePolicy, old: EffectivePolicy) -> Iterator[Gap]:
    names = {*CANONICAL_TOOLS, *new.tools.names, *old.tools.names}
    for name in sorted(names - {n for n in names if n.startswith("@") and n != "@internal"}):
        if looser(_default_for(new, [name]), _strictest_for(old, [name])):
            rule = ToolRule(name)
            yield gap(new.id("tools.default"), f"{name} opens up by default", *call(rule, new))
    node, theirs = new.doc.tools, old.doc.tools
    assert node is not None
    assert theirs is not None
    if looser(node.unknown, theirs.unknown):
        yield gap(new.id("tools.unknown"), "unknown tools open up", a.Tool(name="unlisted_tool"))


def _new_grants(new: EffectivePolicy, old: EffectivePolicy) -> Iterator[Gap]:
    allowed = Covering((entry.rule for entry in old.tools.allow), ToolRule.covers)
    for entry in _alive(new, new.tools.allow):
        if looser("allow", _strictest_for(old, _members(entry.rule))) and not allowed.holds(entry.rule):
            yield gap(entry.statement, "a new grant", *call(entry.rule, new))
    alike = (entry.rule for entry in old.tools.allow if _reads_alike(entry.rule))
    asked = Covering((*alike, *(entry.rule for entry in old.tools.ask)), ToolRule.covers)
    for entry in _alive(new, new.tools.ask):
        if looser("ask", _strictest_for(old, _members(entry.rule))) and not asked.holds(entry.rule):
            yield gap(entry.statement, "may be asked for what was denied", *call(entry.rule, new))


def _reads_alike(rule: ToolRule) -> bool:
    """True if the rule means the same calls as an allow and as an ask.

    An ask looks through wrappers and at every port, an allow does not: under `default: deny`, asking about
    `git push *` also asks about `env git push`, which allowing `git *` never let through.
    """
    return rule.spec is None or isinstance(rule.spec, PathRule)


def _lost(new: EffectivePolicy, entries: tuple[ToolEntry, ...], effect: str) -> Iterator[Gap]:
    holding = new.tools.deny if effect == "deny" else (*new.tools.deny, *new.tools.ask)
    kept = Covering((entry.rule for entry in holding), ToolRule.covers)
    for entry in entries:
        if not kept.holds(entry.rule) and not shut(new, entry.rule, effect):
            yield gap(entry.statement, f"a rule to {effect} is gone", *call(entry.rule, new))


def shut(new: EffectivePolicy, rule: ToolRule, effect: str) -> bool:
    """True if no other rule opens what this one spoke of, and the default is as strict."""
    if looser(_default_for(new, _members(rule)), effect):
        return False
    opening = new.tools.allow if effect == "ask" else (*new.tools.allow, *new.tools.ask)
    return not any(rules_meet(rule, other.rule) for other in opening)


def rules_meet(deny: ToolRule, allow: ToolRule) -> bool:
    """True unless no call is spoken of by both, the first read as a denial, the second as an allow."""
    if not set(_members(deny)) & set(_members(allow)) and not _server_meets(deny, allow):
        return False
    match deny.spec, allow.spec:
        case (CommandPattern() as one, CommandPattern() as two):
            return _commands_meet(one, two)
        case (PathRule() as one, PathRule() as two):
            return may_meet(one, two)
        case (DomainRule() as one, DomainRule() as two):
            return meet(one, two)
    return True


def _server_meets(one: ToolRule, two: ToolRule) -> bool:
    return one.is_mcp and two.is_mcp and one.server == two.server


def _commands_meet(one: CommandPattern, two: CommandPattern) -> bool:
    size = min(len(one.words), len(two.words))
    same_program = base_name(one.words[0]) == base_name(two.words[0])
    return same_program and one.words[1:size] == two.words[1:size]


def _taint(new: EffectivePolicy, old: EffectivePolicy) -> Iterator[Gap]:
    for mine, theirs, why in (
        (new.tools.tainted, old.tools.tainted, "a denial of what is tainted is gone"),
        (new.tools.sources, old.tools.sources, "a source of taint is gone"),
    ):
        for label, entry in theirs:
            if not any(name == label and other.rule.covers(entry.rule) for name, other in mine):
                yield gap(entry.statement, why)


def _constraints(new: EffectivePolicy, mine: Tools, theirs: Tools) -> Iterator[Gap]:
    for tool, arguments in theirs.constraints.items():
        for argument, constraint in arguments.items():
            kept = mine.constraints.get(tool, {}).get(argument)
            if kept is not None and narrower(kept, constraint):
                continue
            if not shut(new, parse_tool(tool), "deny"):
                statement = f"tools.constraints.{tool}.{argument}[{constraint}]"
                yield gap(statement, "a constraint is gone or wider", *_violations(tool, argument))


def _violations(tool: str, argument: str) -> tuple[a.Action, ...]:
    values: tuple[object, ...] = ("", "example", "/example/x", 0, 1, 10**9, True)
    return tuple(a.Tool(name=tool, args={argument: value}) for value in values)
