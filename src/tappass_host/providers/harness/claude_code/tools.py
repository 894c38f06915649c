"""Rules about tools: what a policy grants is allowed one by one, and what would run without a rule is closed.

Mode `dontAsk` is the closed mode, and it is not as closed as its name: harmless-looking commands,
documentation hosts, reads below the working folder and tools for its own bookkeeping run without any rule.
"""

from collections.abc import Iterator
from itertools import accumulate
from typing import Final, Literal

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.grammar.commands import CommandPattern, base_name
from tappass_host.policy.grammar.domains import DomainRule
from tappass_host.policy.grammar.paths import PathRule
from tappass_host.policy.grammar.tools import CANONICAL_TOOLS, ToolRule
from tappass_host.providers.harness.claude_code import info
from tappass_host.providers.harness.claude_code.binary import (
    EDIT_COMMANDS,
    GRANTED_WRAPPERS,
    INTERNAL,
    NATIVE,
    PREAPPROVED_HOSTS,
    READ_ONLY_COMMANDS,
    UNSEEN_WRAPPERS,
)
from tappass_host.providers.harness.claude_code.granted import Granted
from tappass_host.providers.harness.claude_code.spelling import only_runs_others, rules, spellable
from tappass_host.sdk.claims import Item
from tappass_host.sdk.lowering import ToolFeatures, lower_tools

Mode = Literal["", "default", "dontAsk"]
SPECS: Final = frozenset({"Bash", "Read", "Write", "WebFetch"})
# What runs without a rule, as words and as text.
_FREE: Final = tuple((tuple(text.split(" ")), text) for text in READ_ONLY_COMMANDS)
_MORE: Final = tuple(((text,), text) for text in (*EDIT_COMMANDS, *GRANTED_WRAPPERS))
_READ_ONLY: Final = "filesystem.read_only["
_FREE_HOSTS: Final = {
    host: tuple(accumulate(reversed(host.split(".")[1:]), lambda below, label: f"{label}.{below}"))
    for host in sorted({entry.partition("/")[0] for entry in PREAPPROVED_HOSTS})
}


def mode_of(policy: EffectivePolicy) -> Mode:
    """The mode that rules are read in; none where tools are nobody's business."""
    tools = policy.doc.tools
    if tools is None:
        return ""
    return "default" if tools.default == "ask" else "dontAsk"


def lowered(policy: EffectivePolicy, granted: Granted, *, supervised: bool, bounded: bool) -> list[Item]:
    """The items of the tools aspect, with every way round named.

    Args:
        policy: the policy.
        granted: its rules.
        supervised: the launch is ours, so its mode and folder are.
        bounded: no version starts that was not looked at.
    """
    closed = mode_of(policy) != "default"
    features = ToolFeatures(
        defaults=frozenset({"deny", "allow"} if closed else {"ask"}),
        unknown=frozenset({"deny"}),
        ask=not closed,
        specs=SPECS,
        wrappers=UNSEEN_WRAPPERS,
    )
    losses = _Losses(policy, granted, supervised=supervised, bounded=bounded)
    return [losses.of(spellable(item)) for item in lower_tools(policy, features)]


class _Losses:
    """What is lost of each item in the target's own words."""

    def __init__(self, policy: EffectivePolicy, granted: Granted, *, supervised: bool, bounded: bool) -> None:
        self._policy, self._granted = policy, granted
        self._supervised, self._bounded = supervised, bounded
        self._by_default = policy.id("tools.default") if policy.doc.tools else ""
        self._asks = mode_of(policy) != "dontAsk"
        patterned = any(grant.access == "write" and grant.path.is_glob for grant in policy.fs.grants)
        self._patterned = info.WRITE_PATTERN if patterned else ""

    def of(self, item: Item) -> Item:
        """The item with its losses, or refused."""
        if item.refused or item.under:
            return item
        if item.op == "default" and item.value != "allow":
            # Subshells, groups and loops around an allowed command are refused with everything else.
            item = item._replace(fidelity="stricter") if self._granted.commands else item
            return _lose(item, *self._default(ask=item.value == "ask"))
        if item.op == "unknown":
            return _lose(item, "" if self._bounded else info.LATER_TOOLS)
        return self._rule(item) if isinstance(item.value, ToolRule) else item

    def _default(self, *, ask: bool) -> Iterator[str]:
        granted = self._granted
        part = {name for name in ("Bash", "Read", "Write") if granted.names(name) and not granted.bare(name)}
        if "Bash" in part:
            yield info.EXPANDED
        if not self._supervised and (ask or part & {"Bash", "Write"}):
            yield info.OTHER_MODE
        reads = granted.names("Read") or granted.names("Write")
        if reads and not granted.bare("Read") and not (self._supervised and granted.reads_workspace()):
            yield info.OTHER_FOLDER
        specs = [entry.rule.spec for entry in self._policy.tools.allow]
        if any(isinstance(spec, PathRule) for spec in specs):
            yield info.ANY_CASE
        if any(isinstance(spec, DomainRule) for spec in specs):
            yield info.PORT_BLIND
        yield from self._shell()

    def _shell(self) -> Iterator[str]:
        partly = [text for words, text in _FREE if self._granted.covers(words) == "partly"]
        if partly:
            yield f"other forms of {', '.join(partly)} run as well"
        trampolines = sorted({*UNSEEN_WRAPPERS} & self._granted.commands.keys())
        if trampolines:
            yield info.RUNS_OTHERS.format(", ".join(trampolines))

    def _rule(self, item: Item) -> Item:
        rule = item.value
        assert isinstance(rule, ToolRule)
        if rule.name == "Read" and any(origin.startswith(_READ_ONLY) for origin in item.origins):
            item = _lose(item, info.ASKS_WRITES if self._asks else "", self._patterned)
        if rule.is_group and rule.name != "@internal":
            return item._replace(op="group")  # its tools have items of their own
        if rule.name not in CANONICAL_TOOLS and not rule.is_group:
            return self._custom(item)
        if item.op == "ask" and item.origins[:1] == (self._by_default,):
            return item._replace(op="absent")  # it asks by itself; what does not is closed by name
        if item.op == "allow" and isinstance(rule.spec, CommandPattern) and only_runs_others(rule.spec):
            return item._replace(refused=info.NEVER_ALLOWED.format(base_name(rule.spec.words[0])))
        if item.op == "allow":
            return item
        if isinstance(rule.spec, CommandPattern):
            return _lose(item, info.COMPUTED if self._may_hide(rule.spec) else "")
        if item.op == "deny" and rule.name == "Read" and self._granted.uses("Write"):
            return item._replace(fidelity="stricter")  # what may not be read is not written either
        return item

    def _custom(self, item: Item) -> Item:
        """A tool that no version up to the newest allowed one has: nothing to grant, and nothing to deny."""
        if item.op == "allow":
            by_default = item.origins[:1] == (self._by_default,)
            lost = _lose(item._replace(op="absent"), info.NO_SUCH_TOOL)
            return lost if by_default else item._replace(refused=info.NO_SUCH_TOOL)
        strict = item._replace(op="no tool", fidelity="stricter" if item.op == "ask" else item.fidelity)
        return _lose(strict, "" if self._bounded else info.LATER_TOOLS)

    def _may_hide(self, denied: CommandPattern) -> bool:
        """Whether something that may run, or is asked about, could be spelled so that it means `denied`."""
        if self._granted.default != "deny" or self._granted.bare("Bash"):
            return True
        found = self._granted.commands.get(base_name(denied.words[0]), ())
        shorter = [s for s in found if s.prefix and len(s.words) < len(denied.words)]
        return any(denied.words[1 : len(s.words)] == s.words[1:] for s in shorter)


def _lose(item: Item, *losses: str) -> Item:
    return item._replace(loss="; ".join(part for part in (item.loss, *losses) if part))


def native(rule: ToolRule) -> tuple[str, ...]:
    """The native rules of an item's value."""
    return INTERNAL if rule.name == "@internal" else rules(rule)


# What would run without a rule.


def free_tools(granted: Granted) -> Iterator[str]:
    """Rules that take away every tool that no rule names."""
    for name in CANONICAL_TOOLS:
        # Who may write a file may read it: without Read there is no Write.
        if not granted.names(name) and not (name == "Read" and granted.names("Write")):
            yield from NATIVE[name]


def free_commands(granted: Granted, *, modes: bool) -> Iterator[str]:
    """Rules for commands that run by themselves, as far as no rule lets them; with `modes` in any mode."""
    for words, text in (*_FREE, *_MORE) if modes else _FREE:
        match granted.covers(words):
            case "none":
                yield f"Bash({text}:*)"
            case "bare":
                yield f"Bash({text} **)"


def free_hosts(granted: Granted) -> Iterator[str]:
    """Rules for the hosts that are fetched from by themselves, as far as no rule lets them."""
    shut = (host for host, parents in _FREE_HOSTS.items() if not granted.fetches(host, parents))
    return (f"WebFetch(domain:{host})" for host in shut)
