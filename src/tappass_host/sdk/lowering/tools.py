"""Tool rules for a target, already met with the files and hosts that the policy grants.

A bare `Read` says nothing about files, so where files are managed it becomes one rule per granted path; a
bare `WebFetch` becomes one per granted domain. A deny of a command is only as good as the wrappers the target
looks through: the others are denied whole (`stricter`) wherever something would let them run.
"""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Final, NamedTuple

from tappass_host.policy.effective import EffectivePolicy, FsRule, ToolEntry
from tappass_host.policy.grammar.commands import CommandPattern, base_name
from tappass_host.policy.grammar.domains import DomainRule
from tappass_host.policy.grammar.paths import PathRule, parse_path
from tappass_host.policy.grammar.tools import CANONICAL_TOOLS, ToolRule, ToolSpec
from tappass_host.sdk.claims import Item

_FILE_TOOLS: Final = ("Read", "Write")
NOT_SEEN: Final = "a command inside {} is not seen"


class ToolFeatures(NamedTuple):
    """What a target can hold.

    Attributes:
        defaults: effects it can give a known tool that no rule names.
        unknown: effects it can give a tool nobody knew when the policy was rendered.
        ask: whether it can ask a person; without it an ask is denied (`stricter`).
        specs: canonical tools whose argument it can match.
        known: canonical tools it has.
        wrappers: programs that run other programs (`bash`, `env`, ...) and that it does *not* look through.
        met: whether files and hosts are granted through tool rules; false where the target judges a tool and
            the files and hosts that it touches apart, and they are lowered by themselves.
        constraints: whether argument constraints are held (a decision service).
        taint: whether taint is held (a decision service).
        why: why constraints or taint are not held.
    """

    defaults: frozenset[str]
    unknown: frozenset[str]
    ask: bool
    specs: frozenset[str]
    known: tuple[str, ...] = CANONICAL_TOOLS
    wrappers: tuple[str, ...] = ()
    met: bool = True
    constraints: bool = False
    taint: bool = False
    why: str = "static rules see no arguments"


class _Met(NamedTuple):
    """A tool rule cut down to what another aspect grants, and the statements that grant it."""

    rule: ToolRule
    origins: tuple[str, ...]


def lower_tools(policy: EffectivePolicy, features: ToolFeatures) -> list[Item]:
    """Lower the tools aspect and, through it, the grants of filesystem and network on the tool surface.

    Ops: `default`, `unknown` (value the effect), `allow`, `ask`, `deny` (value a `ToolRule`), `constraint`,
    `tainted`, `source` (value the statement id), `grant` (never emitted: a file grant no tool may use).
    """
    return _Lowering(policy, features).items()


class _Lowering:
    def __init__(self, policy: EffectivePolicy, features: ToolFeatures) -> None:
        self.policy, self.f = policy, features
        self.node = policy.doc.tools
        self.index = policy.tools

    def items(self) -> list[Item]:
        if self.node is None:
            return list(self._unmanaged())
        items = [
            self._effect("default", self.node.default, self.f.defaults),
            self._effect("unknown", self.node.unknown, self.f.unknown),
            *self._by_default(),
            *(item for entry in self.index.allow for item in self._entry("allow", entry)),
            *(item for entry in self.index.ask for item in self._entry("ask", entry)),
            *(item for entry in self.index.deny for item in self._deny(entry)),
            *self._closed_wrappers(),
            *self._services(),
        ]
        return [*items, *self._unused_grants(items)]

    def _effect(self, field: str, value: str, held: frozenset[str]) -> Item:
        origins = (self.policy.id(f"tools.{field}"),)
        if value in held:
            return Item(field, value, origins)
        if value == "ask" and "deny" in held:
            return Item(field, "deny", origins, "stricter")
        return Item(field, value, origins, refused=f"has no way to {value} a tool that no rule names")

    def _unmanaged(self) -> Iterator[Item]:
        """Tools are nobody's business here, yet files and hosts still are."""
        if not self.f.met:
            return
        for name in _FILE_TOOLS:
            yield from (
                Item("allow", met.rule, met.origins) for met in self._met(ToolRule(name), ()) if met.origins
            )
        yield from (
            Item("allow", m.rule, m.origins) for m in self._met(ToolRule("WebFetch"), ()) if m.origins
        )

    def _by_default(self) -> Iterator[Item]:
        """An open default lists every known tool, so that the target can stay closed to unknown ones."""
        assert self.node is not None
        if self.node.default == "deny":
            return
        op = self.node.default if self.node.default == "allow" or self.f.ask else "deny"
        for name in dict.fromkeys((*self.f.known, *sorted(self._custom()))):
            for met in self._met(ToolRule(name), (self.policy.id("tools.default"),)):
                yield Item(op, met.rule, met.origins)

    def _custom(self) -> set[str]:
        return {n for n in self.index.names if n not in CANONICAL_TOOLS and not n.startswith(("@", "mcp__"))}

    def _entry(self, op: str, entry: ToolEntry) -> Iterator[Item]:
        real = "deny" if op == "ask" and not self.f.ask else op
        fidelity = "stricter" if real != op else "exact"
        met_any = False
        for name in _tools_of(entry.rule):
            for met in self._met(ToolRule(name, entry.rule.spec), (entry.statement,)):
                met_any = True
                yield self._spelled(Item(real, met.rule, met.origins, fidelity))  # type: ignore[arg-type]
        if not met_any:
            yield Item(op, entry.rule, (entry.statement,), under=(self.policy.id("tools.default"),))

    def _deny(self, entry: ToolEntry) -> Iterator[Item]:
        for name in _tools_of(entry.rule):
            item = Item("deny", ToolRule(name, entry.rule.spec), (entry.statement,))
            yield self._spelled(item._replace(loss=self._hole(entry.rule)))

    def _spelled(self, item: Item) -> Item:
        """A target that cannot match the argument denies more, or does not grant."""
        rule = item.value
        assert isinstance(rule, ToolRule)
        if rule.spec is None or rule.name in self.f.specs:
            return item
        if item.op == "allow":
            return item._replace(refused=f"cannot match the argument of {rule.name}")
        return item._replace(value=ToolRule(rule.name), fidelity="stricter")

    # Met with files and hosts.

    def _met(self, rule: ToolRule, origins: tuple[str, ...]) -> Iterator[_Met]:
        if not self.f.met:
            yield _Met(rule, origins)
        elif rule.name in _FILE_TOOLS and self.policy.doc.filesystem is not None:
            yield from self._met_files(rule, origins)
        elif rule.name == "WebFetch" and self.policy.doc.network is not None:
            yield from self._met_hosts(rule, origins)
        else:
            yield _Met(rule, origins)

    def _met_files(self, rule: ToolRule, origins: tuple[str, ...]) -> Iterator[_Met]:
        for grant in _file_grants(self.policy, rule.name):
            spec = rule.spec
            both = grant.path if spec is None else _narrower(grant.path, spec, PathRule.covers)
            if both is not None:
                yield _Met(ToolRule(rule.name, both), tuple(dict.fromkeys((*origins, grant.statement))))

    def _met_hosts(self, rule: ToolRule, origins: tuple[str, ...]) -> Iterator[_Met]:
        assert self.policy.doc.network is not None
        if self.policy.doc.network.default == "allow":
            yield _Met(rule, (*origins, self.policy.id("network.default")))
            return
        for allow in self.policy.net.allow:
            both = (
                allow.domain if rule.spec is None else _narrower(allow.domain, rule.spec, DomainRule.covers)
            )
            if both is not None:
                yield _Met(ToolRule(rule.name, both), (*origins, allow.statement))

    def _unused_grants(self, items: list[Item]) -> Iterator[Item]:
        """Grants of files and hosts that no tool may use are true under the tools' own default."""
        if not self.f.met:
            return
        used = {origin for item in items for origin in item.origins}
        under = (self.policy.id("tools.default"),)
        fields = (
            "filesystem.workspace",
            "filesystem.read_write",
            "filesystem.read_only",
            "network.allow_domains",
        )
        for field in fields:
            for statement in self.policy.ids(field):
                if statement not in used:
                    yield Item("grant", statement, (statement,), under=under)

    # Wrappers.

    def _closed_wrappers(self) -> Iterator[Item]:
        origins = tuple(e.statement for e in (*self.index.deny, *self.index.ask) if _names_command(e.rule))
        if not origins or not self._shell_is_open():
            return
        for wrapper in self.f.wrappers:
            if wrapper not in self._granted:
                pattern = CommandPattern((wrapper,), prefix=True)
                yield Item("deny", ToolRule("Bash", pattern), origins, "stricter")

    def _shell_is_open(self) -> bool:
        assert self.node is not None
        bare = any(
            e.rule.matches("Bash") and e.rule.spec is None for e in (*self.index.allow, *self.index.ask)
        )
        return bare or self.node.default != "deny"

    @cached_property
    def _granted(self) -> tuple[str, ...]:
        """Wrappers that the policy itself lets run."""
        specs = (e.rule.spec for e in (*self.index.allow, *self.index.ask))
        names = {base_name(s.words[0]) for s in specs if isinstance(s, CommandPattern)}
        return tuple(wrapper for wrapper in self.f.wrappers if wrapper in names)

    def _hole(self, rule: ToolRule) -> str:
        """A wrapper that the policy itself allows cannot be closed; what runs inside it is not seen."""
        if not _names_command(rule) or not self._granted:
            return ""
        return NOT_SEEN.format(", ".join(self._granted))

    # What only a decision service holds.

    def _services(self) -> Iterator[Item]:
        for op, field, held in (
            ("constraint", "tools.constraints", self.f.constraints),
            ("tainted", "tools.deny_if_tainted", self.f.taint),
            ("source", "tools.taint_sources", self.f.taint),
        ):
            for statement in self.policy.ids(field):
                yield Item(op, statement, (statement,), refused="" if held else self.f.why)


def _tools_of(rule: ToolRule) -> tuple[str, ...]:
    """The tools a rule speaks of; a group also stands for the native tools mapped to the group itself."""
    return rule.tools


def _file_grants(policy: EffectivePolicy, tool: str) -> list[FsRule]:
    """Grants a file tool may use, without those inside another of the same kind."""
    access = ("write",) if tool == "Write" else ("write", "read")
    # One path with both is read-only.
    tied = {g.path for g in policy.fs.grants if g.access == "read"} if tool == "Write" else frozenset()
    grants = [g for g in policy.fs.grants if g.access in access and g.path not in tied]
    default = policy.fs.default
    if default == "allow" or (default == "read_only" and tool == "Read"):
        grants.append(FsRule(parse_path("/"), "read", policy.id("filesystem.default")))
    return grants


def _names_command(rule: ToolRule) -> bool:
    return isinstance(rule.spec, CommandPattern)


def _narrower(granted: ToolSpec, asked: ToolSpec, covers: Callable[..., bool]) -> ToolSpec | None:
    """The narrower of two specs if one covers the other; None if they are not comparable."""
    if type(granted) is not type(asked):
        return None
    if covers(granted, asked):
        return asked
    return granted if covers(asked, granted) else None
