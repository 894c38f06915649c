"""A /tmp of the sandbox's own, where the policy grants /tmp: what that changes about items inside it.

The host's /tmp is everybody's: sockets of agents, other people's files. In a private one nothing of that
shows, so what is shut inside it is laid over nothing, and what is granted inside it has to be shown anew.
"""

from typing import Final

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.sdk.claims import Item
from tappass_host.sdk.lowering import CREATED_LATER, FsEntry

_TMP: Final = "/tmp"  # noqa: S108 - the name of what is granted, not a place that is used
_EMPTY: Final = "is the sandbox's own: what lies there on the host does not show"


class OwnTmp:
    """Knows which paths lie in it. Without a grant of /tmp, or if it is not wanted, none does."""

    def __init__(self, policy: EffectivePolicy, *, wanted: bool) -> None:
        self._grants = [g for g in policy.fs.grants if g.access == "write"] if wanted else []
        self._granted = {g.statement for g in self._grants if str(g.path) == _TMP}

    def holds(self, path: str) -> bool:
        """True where /tmp is granted, and nothing further in."""
        if not self._granted:
            return False
        covering = [g for g in self._grants if g.path.matches(path)]
        nearest = max(covering, key=lambda grant: grant.specificity, default=None)
        return nearest is not None and str(nearest.path) == _TMP

    def fitted(self, item: Item) -> Item:
        """The item as it is with a /tmp like that."""
        entry = item.value
        if not self._granted or not isinstance(entry, FsEntry) or item.refused:
            return item
        if item.op == "grant" and self._granted.intersection(item.under):
            return _shown(item, entry)
        if item.under or not self.holds(str(entry.path)):
            return item
        if CREATED_LATER in item.loss:
            return item._replace(op="absent")  # found on the host, where nobody inside can see it
        match item.op:
            case "grant":
                return item._replace(loss=_EMPTY)
            case "narrow":
                return item._replace(loss=_EMPTY, fidelity="stricter")
        return item

    def entries(self, item: Item, entry: FsEntry) -> list[list[str]]:
        """What to mount in it; empty for items that lie elsewhere."""
        path = str(entry.path)
        if not self.holds(path):
            return []
        if item.op in ("grant", "pin"):
            return [["--tmpfs", path]]
        return shut(path, entry.kind)


def shut(path: str, kind: str) -> list[list[str]]:
    """Entries of a path that can be neither read nor written: a device nobody can open, or nothing at all."""
    if kind == "file":
        return [["--ro-bind", "/dev/null", path]]
    return [["--tmpfs", path], ["--remount-ro", path]]


def _shown(item: Item, entry: FsEntry) -> Item:
    """A grant of something that lies in the host's /tmp: the grant of /tmp no longer makes it true."""
    if entry.kind in ("file", "dir"):
        return item._replace(under=())
    if entry.kind == "missing":
        return item._replace(op="absent", under=(), loss=f"{entry.path} does not exist")
    return item._replace(under=(), refused=f"whether {entry.path} exists is not known yet")
