"""A document under construction that remembers which item, or which hardening reason, each entry is for.

Every entry gets a locator addressed by content, never by index: `settings#/permissions/deny[Read(//etc/**)]`.
Locators are what coverage, `explain`, drift and effects speak of.
"""

import json
from typing import Any

from tappass_host.policy.errors import ProviderError
from tappass_host.sdk.artifacts import Artifact, ArtifactPath, Endpoint, SecretRef
from tappass_host.sdk.claims import Item

By = Item | tuple[Item, ...] | str


class Doc:
    """One artifact's document. Get it from `Builder.doc`, then `set` scalars and `add` list entries."""

    def __init__(self, artifact: Artifact, ledger: "Ledger") -> None:
        self._artifact = artifact
        self._ledger = ledger
        self._root: dict[str, Any] = {}
        self._seen: dict[tuple[str, str], str] = {}
        self._lists: dict[str, list[object]] = {}

    @property
    def id(self) -> str:
        """The artifact's id."""
        return self._artifact.id

    @property
    def path(self) -> ArtifactPath:
        """A reference to where this document will lie, for use in other documents."""
        return ArtifactPath(self._artifact.id)

    def set(self, pointer: str, value: object, *, by: By) -> str:
        """Put a value at a pointer; setting it again to something else is a contract error."""
        parent, key = self._parent(pointer)
        if key in parent and parent[key] != value:
            raise ProviderError(f"{self.id}: two different values", pointer=pointer)
        parent[key] = value
        return self._record(f"{self.id}#{pointer}", by)

    def add(self, pointer: str, value: object, *, by: By) -> str:
        """Append to the list at a pointer; an entry that is there already is only credited once more."""
        text = value if isinstance(value, str) else entry_text(value)
        locator = self._seen.get((pointer, text))
        if locator is None:
            locator = self._seen[pointer, text] = f"{self.id}#{pointer}[{text}]"
            self._list(pointer).append(value)
        self._ledger.record(locator, by)
        return locator

    def ensure(self, pointer: str, *, by: By) -> str:
        """Make sure a list is there even if nothing is added: an empty allowlist means something."""
        parent, key = self._parent(pointer)
        parent.setdefault(key, [])
        return self._record(f"{self.id}#{pointer}", by)

    def credit(self, locator: str, *, by: By) -> str:
        """Say that an entry already made is also what holds another item."""
        return self._record(locator, by)

    def build(self) -> Artifact:
        """The finished artifact. Lists stay in the order they were added in."""
        doc = self._root.get("", self._root)
        return _with_doc(self._artifact, doc)

    def _record(self, locator: str, by: By) -> str:
        self._ledger.record(locator, by)
        return locator

    def _list(self, pointer: str) -> list[object]:
        if pointer not in self._lists:
            parent, key = self._parent(pointer)
            self._lists[pointer] = parent.setdefault(key, [])
        return self._lists[pointer]

    def _parent(self, pointer: str) -> tuple[dict[str, Any], str]:
        if pointer == "":
            return self._root, ""
        node = self._root
        *heads, last = (unescape(part) for part in pointer[1:].split("/"))
        for head in heads:
            node = node.setdefault(head, {})
        return node, last


class Ledger:
    """Who each locator is for: items, or a reason why it is hardening."""

    def __init__(self) -> None:
        self.items: dict[str, list[Item]] = {}
        self.hardening: dict[str, str] = {}
        self._by_item: dict[int, list[str]] = {}

    def record(self, locator: str, by: By) -> None:
        """Credit a locator to an item, to several, or to a reason."""
        if isinstance(by, str):
            self.hardening.setdefault(locator, by)
            return
        for item in (by,) if isinstance(by, Item) else by:
            self.items.setdefault(locator, []).append(item)
            self._by_item.setdefault(id(item), []).append(locator)

    def locators(self, item: Item) -> tuple[str, ...]:
        """The locators credited to an item, in order, each once."""
        return tuple(dict.fromkeys(self._by_item.get(id(item), ())))


def entry_text(value: object) -> str:
    """How a list entry is named in a locator: itself if it is text, else compact sorted JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value):
        return " ".join(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_leaf)


def _leaf(value: object) -> object:
    match value:
        case SecretRef(ref=ref):
            return {"secret": ref}
        case ArtifactPath(id=artifact):
            return {"artifact": artifact}
        case Endpoint(id=endpoint):
            return {"endpoint": endpoint}
    raise ProviderError(f"a document may not hold {type(value).__name__}")


def _with_doc(artifact: Artifact, doc: object) -> Artifact:
    import msgspec

    return msgspec.structs.replace(artifact, doc=doc)


def escape(part: str) -> str:
    """One reference token of a JSON Pointer (RFC 6901 section 3)."""
    return part.replace("~", "~0").replace("/", "~1")


def unescape(part: str) -> str:
    """The inverse of `escape`."""
    return part.replace("~1", "/").replace("~0", "~")
