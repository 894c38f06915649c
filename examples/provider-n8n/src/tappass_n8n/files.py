"""Which files nodes reach: N8N_RESTRICT_FILE_ACCESS_TO and N8N_BLOCK_FILE_PATTERNS.

A listed folder is open for reading and writing alike, with all that is below. A pattern beats it: a regular
expression of JavaScript, tested on the resolved path, ignoring case. Both lists are separated by semicolons.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.grammar.paths import PathRule
from tappass_host.sdk.claims import Item
from tappass_host.sdk.facts import Answer, Unknown
from tappass_host.sdk.lowering import FsEntry, FsFeatures, lower_fs

FEATURES: Final = FsFeatures(nesting="deny_first", floor="nothing", glob=True)
BOTH_WAYS: Final = "a folder is open for reading and writing alike"
NO_PATTERN: Final = "folders are opened by name, not by a pattern"
SEPARATOR: Final = "holds a semicolon, which separates folders"
NO_MOVES: Final = "no node renames or deletes a file"
OTHER_NODES: Final = "holds the node for files only, and other nodes are loaded too"
# A folder that does not exist. An empty list would open everything.
NOWHERE: Final = "/nonexistent"
# n8n's own default, without its nested repetition: nothing below a .git folder.
GIT: Final = r"(?:^|/)\.git(?:/|$)"
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


def items(policy: EffectivePolicy, know: Callable[[str, str], Answer | Unknown]) -> Iterator[Item]:
    """Items of the filesystem aspect, as the node for files holds them."""
    read_only = policy.doc.filesystem is not None and policy.doc.filesystem.default == "read_only"
    features = FEATURES._replace(widest="deny") if read_only else FEATURES
    others = OTHER_NODES if _others(policy) else ""
    for item in lower_fs(policy, features, know):
        yield item if item.refused or item.under else _held(item, others)


def _others(policy: EffectivePolicy) -> bool:
    """Whether a node is loaded that may touch files by itself: one that nobody lists, or one by name."""
    tools = policy.doc.tools
    return tools is None or tools.unknown == "allow" or any("." in e.rule.name for e in policy.tools.allow)


def _held(item: Item, others: str) -> Item:
    match item.op, item.value:
        case "grant", FsEntry() as entry:
            return item._replace(refused=_unlistable(entry), loss=_join(item.loss, NO_MOVES))
        case (("deny" | "narrow"), _):
            return item._replace(fidelity="stricter", loss=_join(item.loss, others))
        case "default", "allow":
            return item._replace(loss=_join(item.loss, NO_MOVES))
    return item._replace(loss=_join(item.loss, others))


def _unlistable(entry: FsEntry) -> str:
    if entry.path.is_glob:
        return NO_PATTERN
    if ";" in str(entry.path):
        return SEPARATOR
    return BOTH_WAYS if entry.access == "read" else ""


def _join(*losses: str) -> str:
    return "; ".join(loss for loss in losses if loss)


def paths(opened: Iterable[Item]) -> list[str]:
    """The folders that are open."""
    values = [item.value for item in opened if item.value != "deny"]
    return sorted({str(v.path) if isinstance(v, FsEntry) else "/" for v in values}) or [NOWHERE]


def patterns(closed: Iterable[Item]) -> list[str]:
    """The patterns of what is not."""
    return [GIT, *sorted({pattern(item.value.path) for item in closed if isinstance(item.value, FsEntry)})]


def pattern(path: PathRule) -> str:
    """A pattern for a path and all that is below it. No text of a policy is syntax in it."""
    parts = ["(?:/[^/]+)*" if segment == "**" else f"/{_segment(segment)}" for segment in path.segments]
    return f"^{''.join(parts)}(?:/|$)"


def _segment(text: str) -> str:
    return "".join({"*": "[^/]*", "?": "[^/]"}.get(char) or _literal(char) for char in text)


def _literal(char: str) -> str:
    """A character as it is, or as an escape of its UTF-16 units, which is what JavaScript compares."""
    if char in _PLAIN:
        return char
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
