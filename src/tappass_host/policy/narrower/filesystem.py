"""Is the new filesystem aspect narrower than the old one.

The longest literal prefix decides between grants, so for each writable entry and each read-only one that may
meet it, who wins must be known in both policies. Entries with different roots (`~`, `${workspace}`, `/`)
may meet anywhere, so they are only proven where both policies have the very same pair.
"""

from collections.abc import Iterator

from tappass_host.policy import actions as a
from tappass_host.policy.effective import EffectivePolicy, FsIndex, FsRule
from tappass_host.policy.grammar.paths import PathRule
from tappass_host.policy.narrower.gap import Gap, gap, looser
from tappass_host.policy.narrower.witness import path_text, read_and_write


def filesystem_gaps(new: EffectivePolicy, old: EffectivePolicy) -> Iterator[Gap]:
    """What of the new policy is not proven to be within the old one."""
    if looser(new.fs.default, old.fs.default):
        yield gap(new.id("filesystem.default"), "unlisted paths open up", *_UNLISTED)
    yield from _lost_denials(new, old)
    for grant in new.fs.grants:
        if grant.access == "read" and not _readable(old.fs, grant.path):
            yield gap(grant.statement, "a new place to read", *read_and_write(grant.path))
        if grant.access == "write":
            yield from _wider_write(new.fs, old.fs, grant)
    yield from _lost_restrictions(new.fs, old.fs)


_UNLISTED = tuple(
    a.File(op=op, path=path) for op in ("read", "write") for path in ("/unlisted/x", "/etc/hostname")
)


def may_meet(one: PathRule, two: PathRule) -> bool:
    """True unless no path is covered by both."""
    if one.root != two.root or not one.root:
        return True
    size = min(one.literal, two.literal)
    return one.segments[:size] == two.segments[:size]


def _lost_denials(new: EffectivePolicy, old: EffectivePolicy) -> Iterator[Gap]:
    for rule in old.fs.denies:
        shut = new.fs.default == "deny" and not any(may_meet(g.path, rule.path) for g in new.fs.grants)
        kept = any(other.path.covers(rule.path) and _holds_moves(other, rule) for other in new.fs.denies)
        if not shut and not kept:
            yield gap(rule.statement, "a denial is gone", *read_and_write(rule.path), *_moves(new.fs, rule))


def _holds_moves(other: FsRule, rule: FsRule) -> bool:
    """True if whatever move the old rule refused, the new one refuses.

    A literal rule refuses to be carried along whole. A glob follows what moves below its anchor, and a
    relative one from root to root, so only the same glob refuses the same moves.
    """
    if not other.path.is_glob:
        return True
    return other.path == rule.path and (other.tail is None or rule.tail is not None)


def _moves(new: FsIndex, rule: FsRule) -> tuple[a.Action, ...]:
    source = path_text(rule.path)
    parent = source.rpartition("/")[0]
    ends = [f"{root.rstrip('/')}/moved" for root in new.roots]
    return tuple(a.File(op="move", path=p, to=end) for p in (source, parent) if p for end in ends)


def _readable(old: FsIndex, path: PathRule) -> bool:
    return old.default in ("read_only", "allow") or any(g.path.covers(path) for g in old.grants)


def _writers(index: FsIndex) -> list[FsRule]:
    return [grant for grant in index.grants if grant.access == "write"]


def _readers(index: FsIndex) -> list[FsRule]:
    return [grant for grant in index.grants if grant.access == "read"]


def _wider_write(new: FsIndex, old: FsIndex, grant: FsRule) -> Iterator[Gap]:
    covering = [w for w in _writers(old) if w.path.covers(grant.path)]
    if not covering and old.default != "allow":
        yield gap(grant.statement, "a new place to write", *reversed(read_and_write(grant.path)))
        return
    for rule in _readers(old):
        if may_meet(rule.path, grant.path) and not _same_winner(new, covering, grant, rule):
            why = f"reopens what {rule.statement} keeps read-only"
            yield gap(grant.statement, why, *read_and_write(rule.path), *reversed(read_and_write(grant.path)))


def _same_winner(new: FsIndex, covering: list[FsRule], grant: FsRule, rule: FsRule) -> bool:
    """True if nothing that the old policy kept read-only becomes writable by this grant."""
    if any(w.path.root == rule.path.root and w.specificity > rule.specificity for w in covering):
        return True
    same_pair = any(w.path == grant.path for w in covering)
    for other in _readers(new):
        if other.path == rule.path and same_pair:
            return True
        same_root = other.path.root == grant.path.root
        if same_root and other.path.covers(rule.path) and other.specificity >= grant.specificity:
            return True
    return False


def _lost_restrictions(new: FsIndex, old: FsIndex) -> Iterator[Gap]:
    """Read-only rules also refuse moves out of them, so they may go only where nothing is written."""
    for rule in _readers(old):
        written = new.default == "allow" or any(may_meet(w.path, rule.path) for w in _writers(new))
        kept = any(o.path == rule.path and o.tail == rule.tail for o in (*_readers(new), *new.denies)) or any(
            not o.path.is_glob and o.path.covers(rule.path) for o in new.denies
        )
        if written and not kept:
            yield gap(
                rule.statement,
                "a restriction is gone",
                *reversed(read_and_write(rule.path)),
                *_moves(new, rule),
            )
