"""Adding statements to a policy after it was signed: how the Runtime compiler speaks.

Whatever is added is an ordinary statement with provenance level `runtime`, so that `decide`, coverage and
`explain` treat it like any other and every reader sees who said it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from tappass_host.policy.grammar.canonical import canonical_entry
from tappass_host.policy.model import Annotation, Filesystem, Policy, Provenance

LEVEL: Final = "runtime"


class Addition(NamedTuple):
    """One entry to add to a list field of an aspect.

    Attributes:
        field: `aspect.list`, e.g. `filesystem.read_only`.
        entry: text by the grammar of that field.
        source: what made it necessary; the `source` of its provenance.
        reason: shown to whoever is denied by it.
    """

    field: str
    entry: str
    source: str
    reason: str = ""

    @property
    def statement(self) -> str:
        """The id of the statement it becomes."""
        return f"{self.field}[{canonical_entry(self.field, self.entry)}]"


def amend(policy: Policy, additions: Iterable[Addition]) -> Policy:
    """The policy with further entries. What it says already keeps its own provenance.

    Entries of an aspect that is unmanaged are added to `filesystem` only (see `managed_files`) and are
    otherwise dropped: there is nothing that denies what they would grant.
    """
    by_aspect: dict[str, dict[str, dict[str, Addition]]] = {}
    for addition in additions:
        aspect, _, name = addition.field.partition(".")
        entry = canonical_entry(addition.field, addition.entry)
        by_aspect.setdefault(aspect, {}).setdefault(name, {}).setdefault(entry, addition)
    changed: dict[str, Any] = {}
    new: list[Addition] = []
    for aspect, fields in by_aspect.items():
        node = getattr(policy, aspect)
        if node is not None:
            changed[aspect] = _extended(aspect, node, fields, new)
    return note(msgspec.structs.replace(policy, **changed), new)


def _extended(
    aspect: str, node: Any, fields: Mapping[str, Mapping[str, Addition]], new: list[Addition]
) -> Any:
    lists: dict[str, tuple[str, ...]] = {}
    for name, entries in fields.items():
        there = {canonical_entry(f"{aspect}.{name}", entry) for entry in getattr(node, name)}
        new += [addition for entry, addition in entries.items() if entry not in there]
        lists[name] = tuple(sorted({*there, *entries}))
    return msgspec.structs.replace(node, **lists)


def note(policy: Policy, additions: Iterable[Addition]) -> Policy:
    """Write down who said what was added, and the reason shown to whoever is denied."""
    said = list(additions)
    if not said:
        return policy
    provenance = {a.statement: Provenance(level=LEVEL, source=a.source) for a in said}
    annotations = {a.statement: Annotation(reason=a.reason) for a in said if a.reason}
    return msgspec.structs.replace(
        policy,
        provenance={**policy.provenance, **provenance},
        annotations={**policy.annotations, **annotations},
    )


def renamed(policy: Policy, old: str, new: str, source: str) -> Policy:
    """Carry the annotation and the compliance tags of one statement over to another that replaces it."""
    tags = {
        tag: tuple(sorted({new if i == old else i for i in ids}))
        for tag, ids in policy.compliance_tags.items()
    }
    provenance = {i: p for i, p in policy.provenance.items() if i != old}
    annotations = {new if i == old else i: a for i, a in policy.annotations.items()}
    provenance[new] = Provenance(level=LEVEL, source=source)
    return msgspec.structs.replace(
        policy, compliance_tags=tags, provenance=provenance, annotations=annotations
    )


def managed_files(policy: Policy, source: str) -> Policy:
    """The policy with files managed, open by default where it left them unmanaged.

    Nothing is promised about such files but the entries that are then added; the default is only there
    because a managed aspect always says one.
    """
    if policy.filesystem is not None:
        return policy
    opened = msgspec.structs.replace(policy, filesystem=Filesystem(default="allow"))
    provenance = {**policy.provenance, "filesystem.default[allow]": Provenance(level=LEVEL, source=source)}
    return msgspec.structs.replace(opened, provenance=provenance)
