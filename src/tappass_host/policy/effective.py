"""A policy with everything parsed once: what `decide`, lowerings and providers share.

`EffectivePolicy` wraps the document; its parts are computed on first use and kept, so that forty providers
rendering one policy parse each rule once. Build it from a *bound* policy (see `params.bind`) to judge real
paths; an unbound one judges paths spelled with `~` and `${param}`.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Literal, NamedTuple

from msgspec import to_builtins

from tappass_host.policy.canonical import canonical_bytes, digest
from tappass_host.policy.grammar.addresses import CidrRule, parse_cidr
from tappass_host.policy.grammar.domains import DomainRule, parse_domain
from tappass_host.policy.grammar.paths import PathRule, parse_path
from tappass_host.policy.grammar.tools import ToolRule, parse_tool
from tappass_host.policy.model import Filesystem, McpServer, Network, Policy
from tappass_host.policy.statements import Statement, statements

Access = Literal["deny", "read", "write"]


class FsRule(NamedTuple):
    """One path entry, anchored. A relative glob (`tail`) yields one for each writable root (`root`)."""

    path: PathRule
    access: Access
    statement: str
    root: str = ""
    tail: PathRule | None = None

    @property
    def specificity(self) -> int:
        """Literal segments in front: the longest wins among grants."""
        return self.path.literal


class NetRule(NamedTuple):
    """One domain entry. `category` names the category that a deny comes from."""

    domain: DomainRule
    statement: str
    category: str = ""


class CidrEntry(NamedTuple):
    """One address range."""

    cidr: CidrRule
    statement: str


class ToolEntry(NamedTuple):
    """One tool rule."""

    rule: ToolRule
    statement: str


class FsIndex(NamedTuple):
    """The filesystem aspect, parsed. `roots` are the writable roots that relative globs hang from."""

    default: str
    roots: tuple[str, ...]
    grants: tuple[FsRule, ...]
    denies: tuple[FsRule, ...]


class NetIndex(NamedTuple):
    """The network aspect, parsed."""

    allow: tuple[NetRule, ...]
    deny: tuple[NetRule, ...]
    cidrs: tuple[CidrEntry, ...]


class ToolIndex(NamedTuple):
    """The tools aspect, parsed. `tainted` and `sources` pair a label with a rule."""

    allow: tuple[ToolEntry, ...]
    ask: tuple[ToolEntry, ...]
    deny: tuple[ToolEntry, ...]
    tainted: tuple[tuple[str, ToolEntry], ...]
    sources: tuple[tuple[str, ToolEntry], ...]
    names: frozenset[str]


class EffectivePolicy:
    """A Compiled Policy and its parsed parts. Immutable; equality is that of the document.

    Args:
        doc: the document, bound and with all that the Runtime adds.
        digest: of the signed bytes it was made from; of the document itself if none is given.
        fs: its filesystem rules, where they hang from other roots than the document alone would say.
    """

    def __init__(self, doc: Policy, *, digest: str = "", fs: FsIndex | None = None) -> None:
        self.doc = doc
        self._digest = digest
        self._fs = fs

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EffectivePolicy) and self.doc == other.doc

    __hash__ = None  # type: ignore[assignment]

    @cached_property
    def digest(self) -> str:
        """What renderings name as the policy they were made from."""
        return self._digest or digest(canonical_bytes(to_builtins(self.doc)))

    @property
    def until(self) -> str:
        """When renderings of it end: at its expiry, or later where it says that they are retained."""
        retained = self.doc.retain_until if self.doc.on_expiry == "retain" else None
        return retained or self.doc.expires_at

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """All statements, sorted by id."""
        return statements(self.doc)

    @cached_property
    def by_id(self) -> dict[str, Statement]:
        """Statement id -> statement."""
        return {s.id: s for s in self.statements}

    @cached_property
    def by_field(self) -> dict[str, tuple[Statement, ...]]:
        """Field -> its statements, sorted."""
        found: dict[str, list[Statement]] = {}
        for statement in self.statements:
            found.setdefault(statement.field, []).append(statement)
        return {field: tuple(group) for field, group in found.items()}

    def ids(self, field: str, *, aspect: bool = False) -> tuple[str, ...]:
        """Ids of the statements of a field, or of a whole aspect."""
        if aspect:
            return tuple(s.id for s in self.statements if s.aspect == field)
        return tuple(s.id for s in self.by_field.get(field, ()))

    def id(self, field: str) -> str:
        """The id of a field's only statement.

        Raises:
            KeyError: the field has none.
        """
        return self.by_field[field][0].id

    @cached_property
    def fs(self) -> FsIndex:
        """The filesystem aspect; empty rules where it is unmanaged."""
        return self._fs or _fs_index(self.doc.filesystem)

    @cached_property
    def net(self) -> NetIndex:
        """The network aspect; empty rules where it is unmanaged."""
        return _net_index(self.doc.network)

    @cached_property
    def tools(self) -> ToolIndex:
        """The tools aspect; empty rules where it is unmanaged."""
        return _tool_index(self.doc)

    @cached_property
    def mcp_servers(self) -> dict[str, McpServer]:
        """Server id -> server."""
        return {s.id: s for s in self.doc.mcp.servers} if self.doc.mcp else {}


def _fs_index(node: Filesystem | None) -> FsIndex:
    if node is None:
        return FsIndex("unmanaged", (), (), ())
    roots = _roots(node)
    grants = [
        rule
        for field, entries, access in (
            ("workspace", (node.workspace,) if node.workspace else (), "write"),
            ("read_write", node.read_write, "write"),
            ("read_only", node.read_only, "read"),
        )
        for rule in _fs_rules(field, entries, access, roots)  # type: ignore[arg-type]
    ]
    denies = tuple(_fs_rules("deny_paths", node.deny_paths, "deny", roots))
    return FsIndex(node.default, roots, tuple(grants), denies)


def _roots(node: Filesystem) -> tuple[str, ...]:
    if node.default == "allow":
        return ("/",)
    named = [p for p in (node.workspace, *node.read_write) if p]
    parsed = [parse_path(p) for p in named]
    return tuple(dict.fromkeys(rule.anchor for rule in parsed if rule.root))


def _fs_rules(
    field: str, entries: tuple[str, ...], access: Access, roots: tuple[str, ...]
) -> Iterator[FsRule]:
    for entry in entries:
        rule = parse_path(entry)
        statement = f"filesystem.{field}[{rule}]"
        if rule.root:
            yield FsRule(rule, access, statement)
        else:
            # `**/x` below an outer root names all that it names below an inner one.
            hung = _outermost(roots) if rule.segments[0] == "**" else roots
            yield from (FsRule(rule.anchored_at(r), access, statement, r, rule) for r in hung)


def _outermost(roots: tuple[str, ...]) -> tuple[str, ...]:
    """Roots that lie in no other root."""
    return tuple(r for r in roots if not any(r != o and r.startswith(o.rstrip("/") + "/") for o in roots))


def _net_index(node: Network | None) -> NetIndex:
    if node is None:
        return NetIndex((), (), ())
    deny = [_net_rule("deny_domains", entry) for entry in node.deny_domains]
    for category in node.deny_categories:
        statement = f"network.deny_categories[{category}]"
        names = node.category_domains.get(category, ())
        deny += [NetRule(parse_domain(name), statement, category) for name in names]
    allow = tuple(_net_rule("allow_domains", entry) for entry in node.allow_domains)
    cidrs = tuple(CidrEntry(c := parse_cidr(e), f"network.allow_cidrs[{c}]") for e in node.allow_cidrs)
    return NetIndex(allow, tuple(deny), cidrs)


def _net_rule(field: str, entry: str) -> NetRule:
    rule = parse_domain(entry)
    return NetRule(rule, f"network.{field}[{rule}]")


def _tool_index(policy: Policy) -> ToolIndex:
    node = policy.tools
    if node is None:
        return ToolIndex((), (), (), (), (), frozenset())
    allow, ask, deny = (_entries(f, getattr(node, f)) for f in ("allow", "ask", "deny"))
    tainted = tuple(_labelled("deny_if_tainted", node.deny_if_tainted))
    sources = tuple(_labelled("taint_sources", node.taint_sources))
    rules = [e.rule for e in (*allow, *ask, *deny, *(e for _, e in (*tainted, *sources)))]
    names = frozenset(name for rule in rules for name in rule.tools) | frozenset(node.constraints)
    return ToolIndex(allow, ask, deny, tainted, sources, names)


def _entries(field: str, texts: tuple[str, ...]) -> tuple[ToolEntry, ...]:
    return tuple(ToolEntry(rule := parse_tool(text), f"tools.{field}[{rule}]") for text in texts)


def _labelled(field: str, labels: dict[str, tuple[str, ...]]) -> Iterator[tuple[str, ToolEntry]]:
    for label, texts in labels.items():
        for text in texts:
            rule = parse_tool(text)
            yield label, ToolEntry(rule, f"tools.{field}.{label}[{rule}]")
