"""What a policy says about a file operation.

A rule covers its node and all below. deny_paths beat everything; then the grant with the longest literal
prefix, read-only on a tie; then the default. A move is a write at both ends, and is denied too where it
would carry something out from under a rule.
"""

from collections.abc import Iterator
from typing import Literal

from tappass_host.policy.effect import Effect
from tappass_host.policy.effective import EffectivePolicy, FsRule
from tappass_host.policy.verdicts import Check, unmanaged

Op = Literal["read", "write", "move"]


def file_checks(policy: EffectivePolicy, op: Op, path: str, to: str = "") -> Iterator[Check]:
    """The checks of one operation on a resolved path (and the destination of a move)."""
    if policy.doc.filesystem is None:
        yield unmanaged("filesystem")
        return
    if op == "move":
        yield _touch(policy, "write", path)
        yield _touch(policy, "write", to)
        yield from _escapes(policy, path, to)
    else:
        yield _touch(policy, op, path)


def _touch(policy: EffectivePolicy, op: Literal["read", "write"], path: str) -> Check:
    for rule in policy.fs.denies:
        if rule.path.matches(path):
            return Check(Effect.DENY, "deny", rule.statement, f"{path} is denied")
    grant = strongest_grant(policy, path)
    if grant is None:
        return _by_default(policy, op, path)
    if op == "write" and grant.access == "read":
        return Check(Effect.DENY, "deny", grant.statement, f"{path} is read-only")
    return Check(Effect.ALLOW, "allow", grant.statement, f"{path} is granted")


def strongest_grant(policy: EffectivePolicy, path: str) -> FsRule | None:
    """The grant that decides about a path: the longest literal prefix, read-only on a tie."""
    covering = [rule for rule in policy.fs.grants if rule.path.matches(path)]
    return max(covering, key=lambda r: (r.specificity, r.access == "read"), default=None)


def _by_default(policy: EffectivePolicy, op: Literal["read", "write"], path: str) -> Check:
    default = policy.fs.default
    effect = Effect.ALLOW if default == "allow" or (default == "read_only" and op == "read") else Effect.DENY
    return Check(effect, "default", policy.id("filesystem.default"), f"no rule names {path}")


def _escapes(policy: EffectivePolicy, source: str, destination: str) -> Iterator[Check]:
    """A rule at or below the source would miss its target in the next run; so would a glob left behind."""
    for rule in (*policy.fs.denies, *(r for r in policy.fs.grants if r.access == "read")):
        if not _still_holds(policy, rule, source, destination):
            yield Check(Effect.DENY, "deny", rule.statement, f"moving {source} would escape {rule.path}")


def _still_holds(policy: EffectivePolicy, rule: FsRule, source: str, destination: str) -> bool:
    if not rule.path.is_glob and not rule.path.lies_within(source):
        return True  # a literal rule further up has been judged at both ends already
    if rule.path.survives_move(source, destination):
        return True
    origin = below(source, rule.root)
    if rule.tail is None or origin is None:
        return False
    # The same relative glob hangs from every writable root, so it may hold again where the move ends.
    ends = (below(destination, root) for root in policy.fs.roots)
    return any(end is not None and rule.tail.survives_move(origin, end) for end in ends)


def below(path: str, root: str) -> str | None:
    """The part of `path` below `root`, or None if it is not below it."""
    prefix = root.rstrip("/") + "/"
    return path[len(prefix) :] if path.startswith(prefix) else None
