"""What a cascade rule knows while it narrows: the two levels, and how to refuse."""

from typing import NamedTuple

from tappass_host.policy.errors import CascadeViolationError
from tappass_host.policy.finding import Finding
from tappass_host.policy.tree import Entry, Section, entry_text


class Scope(NamedTuple):
    """One step of the cascade: `level` narrows what `above` allows.

    `root` is the whole of what stands above, `parent` and `mine` are the sections around the field at hand,
    above and below. `path` is the statement path of the field.
    """

    level: str
    above: str
    root: Section
    parent: Section
    mine: Section
    path: str
    findings: list[Finding]

    def inside(self, parent: Section, mine: Section, path: str) -> "Scope":
        """The scope of a field of these sections."""
        return self._replace(parent=parent, mine=mine, path=path)

    def violation(self, rule: str, field: str, entry: Entry, why: str, remedy: str) -> CascadeViolationError:
        """The error of one looser value; the caller raises it."""
        what = f"{self.path}[{entry_text(field, entry.value)}]" if entry.value is not None else self.path
        message = f"{rule}: level {self.level} says {what}, {why}"
        return CascadeViolationError(message, source=entry.source, remedy=remedy)

    def clipped(self, field: str, entry: Entry) -> None:
        """Note that a preset's value gave way to a stricter level."""
        text = f"{self.path}[{entry_text(field, entry.value)}]"
        what = f"{text} of the preset gives way to the stricter level {self.above}"
        self.findings.append(Finding("preset-narrowed", what, entry.source))

    def default_above(self) -> object:
        """The `default` that holds above for this row or aspect; None where it is unmanaged there."""
        aspect = self.root.section(self.path.partition(".")[0])
        return self.parent.value("default") or (aspect.value("default") if aspect else None)
