"""Narrowing the filesystem aspect, where entries act on each other.

The longest literal prefix decides between read-only and writable, so a grant that lies within a wider grant
may still undo a restriction between the two. Relative globs hang from the writable roots, so a root that a
level gives up takes their denials with it unless they are written out for it.
"""

from collections.abc import Iterable

from tappass_host.policy.cascade.peers import unique
from tappass_host.policy.cascade.rules import add, choose, keep
from tappass_host.policy.cascade.scope import Scope
from tappass_host.policy.grammar.paths import PathRule, parse_path
from tappass_host.policy.tree import Entry, Section

_RULE = "filesystem grants may only shrink"


def narrow_filesystem(scope: Scope, above: Section, below: Section) -> Section:
    """What holds of the filesystem below."""
    result = Section(keep(above.said, below.said), dict(above.members))
    default = below.entry("default")
    if default is not None:
        step = scope.inside(above, below, "filesystem.default")
        result.members["default"] = choose(step, "filesystem.default", above.entry("default"), default)
    _narrow_writable(scope, above, below, result)
    denies = below.entries("deny_paths")
    if denies is not None:
        result.members["deny_paths"] = add(
            scope, "filesystem.deny_paths", above.entries("deny_paths"), denies
        )
    _narrow_readable(scope, above, below, result)
    _keep_denials(above, result)
    return result


def _narrow_writable(scope: Scope, above: Section, below: Section, result: Section) -> None:
    workspace, listed = below.entry("workspace"), below.entries("read_write")
    if workspace is not None and not workspace.value:
        result.members["workspace"] = workspace
    elif workspace is not None and _may_write(scope, "workspace", above, workspace):
        result.members["workspace"] = _same_or_own(writers(above), workspace)
    if listed is not None:
        kept = [_same_or_own(writers(above), e) for e in listed if _may_write(scope, "read_write", above, e)]
        result.members["read_write"] = unique("filesystem.read_write", kept)


def _same_or_own(above: list[Entry], entry: Entry) -> Entry:
    return next((keep(a, entry) for a in above if a.value == entry.value), entry)


def _may_write(scope: Scope, field: str, above: Section, entry: Entry) -> bool:
    """True if it may; False where a preset's entry gives way."""
    why = _why_not_writable(scope, above, entry)
    if why and entry.soft:
        scope.inside(above, above, f"filesystem.{field}").clipped(f"filesystem.{field}", entry)
    elif why:
        at = scope.inside(above, above, f"filesystem.{field}")
        raise at.violation(_RULE, f"filesystem.{field}", entry, why, "write a folder within what it allows")
    return not why


def _why_not_writable(scope: Scope, above: Section, entry: Entry) -> str:
    rule, listed = parse_path(entry.value), writers(above)
    if any(a.value == entry.value for a in listed):
        return ""
    covering = [parse_path(a.value) for a in listed if parse_path(a.value).covers(rule)]
    none_above = above.entry("workspace") is None and above.entries("read_write") is None
    if not covering and not none_above and above.value("default") != "allow":
        return f"which {scope.above} does not allow to write"
    bases = Bases(scope.root)
    for other in above.entries("read_only") or ():
        read_only = parse_path(other.value)
        shields = read_only.literal < rule.literal and not any(
            w.literal > read_only.literal for w in covering
        )
        if shields and bases.may_meet(read_only, rule):
            return f"which lies in {other.value}, read-only for {scope.above} ({other.source})"
    return ""


def _narrow_readable(scope: Scope, above: Section, below: Section, result: Section) -> None:
    listed, had = below.entries("read_only"), above.entries("read_only")
    if listed is None:
        return
    kept = [_same_or_own(had or [], e) for e in listed if _may_read(scope, above, e)]
    bases = Bases(scope.root)
    restrictions = [e for e in had or () if _restricts(bases, result, e)]
    result.members["read_only"] = unique("filesystem.read_only", kept + restrictions)


def _may_read(scope: Scope, above: Section, entry: Entry) -> bool:
    rule, had = parse_path(entry.value), above.entries("read_only")
    open_above = had is None or above.value("default") in ("read_only", "allow")
    granted = [*writers(above), *(had or ())]
    if open_above or any(a.value == entry.value or parse_path(a.value).covers(rule) for a in granted):
        return True
    at = scope.inside(above, above, "filesystem.read_only")
    if entry.soft:
        at.clipped("filesystem.read_only", entry)
        return False
    why = f"which {scope.above} does not allow to read"
    raise at.violation(_RULE, "filesystem.read_only", entry, why, "write a path within what it allows")


def _restricts(bases: "Bases", result: Section, entry: Entry) -> bool:
    """True unless the entry provably only grants: dropping a restriction would widen."""
    rule = parse_path(entry.value)
    if result.value("default") == "allow" or not rule.root:
        return True
    return any(bases.may_meet(rule, parse_path(w.value)) for w in writers(result))


def _keep_denials(above: Section, result: Section) -> None:
    """Write relative denials out for the writable roots that the level gave up."""
    kept = [parse_path(root) for root in roots(result)]
    lost = [root for root in roots(above) if not any(k.covers(parse_path(root)) for k in kept)]
    denies = result.entries("deny_paths")
    if not lost or denies is None:
        return
    relative = [entry for entry in denies if not parse_path(entry.value).root]
    anchored = [
        entry._replace(value=str(parse_path(entry.value).anchored_at(root)))
        for entry in relative
        for root in lost
    ]
    result.members["deny_paths"] = unique("filesystem.deny_paths", denies + anchored)


def writers(section: Section) -> list[Entry]:
    """What may be written: the workspace and the read_write list."""
    workspace = section.entry("workspace")
    return [*([workspace] if workspace and workspace.value else []), *(section.entries("read_write") or ())]


def roots(section: Section) -> tuple[str, ...]:
    """The folders that relative globs hang from."""
    if section.value("default") == "allow":
        return ("/",)
    return tuple(dict.fromkeys(r.anchor for w in writers(section) if (r := parse_path(w.value)).root))


class Bases:
    """Where paths with parameters can end up: under the folders that the parameters declare."""

    def __init__(self, root: Section) -> None:
        params = root.section("params")
        self.under: dict[str, list[str]] = {}
        for name, param in params.members.items() if params else ():
            assert isinstance(param, Section)
            self.under["${" + name + "}"] = [e.value for e in param.entries("under") or ()]
        self.under["~"] = self.under.get("${home}", [])

    def may_meet(self, a: PathRule, b: PathRule) -> bool:
        """True unless no path can be covered by both."""
        if not a.root or not b.root:
            return True
        if a.root == b.root:
            return _comparable(a.segments[: a.literal], b.segments[: b.literal])
        return any(_comparable(x, y) for x in self._prefixes(a) for y in self._prefixes(b))

    def _prefixes(self, rule: PathRule) -> Iterable[tuple[str, ...]]:
        if rule.root == "/":
            return [rule.segments[: rule.literal]]
        # Without declared folders it can be anywhere: the empty prefix meets everything.
        return [parse_path(folder).segments for folder in self.under.get(rule.root, [])] or [()]


def _comparable(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    size = min(len(a), len(b))
    return a[:size] == b[:size]
