"""How the matrix is said: short names, words for grades and proofs, legends. One table for all formats."""

from typing import Final, NamedTuple

from tappass_host.prove.matrix.model import (
    Cell,
    Grade,
    Matrix,
    Proof,
    ProviderRow,
    Recording,
    StackCell,
    Tally,
)

Tone = str


class Word(NamedTuple):
    """A grade: in four letters, in colour (by name), and in a sentence."""

    short: str
    tone: Tone
    means: str


GRADES: Final[dict[Grade, Word]] = {
    "all": Word("all", "good", "every statement is enforced"),
    "shut": Word("shut", "good", "every restriction is enforced, yet some of what is granted will not work"),
    "part": Word("part", "fair", "every restriction is held, some with a way round that is named"),
    "some": Word("some", "poor", "something is held, and restrictions are left open"),
    "none": Word("none", "none", "nothing is held: another ring has to"),
}
# Upper case is held from outside; a cooperative target has to want it.
STRENGTHS: Final = {
    "UPPER": "compulsory: held by the OS, an interpreter or another process",
    "lower": "cooperative: held while the target itself wants to",
}
SILENT: Final = "-"
SILENT_MEANS: Final = "says nothing of it"

PROOFS: Final[dict[Proof, str]] = {
    "live": "the real target was driven, with both controls",
    "loaded": "the real target reports it in force",
    "accepted": "the vendor's own validator takes it",
    "documented": "the vendor's page says so",
    "stale": "was live; another configuration is rendered today",
    "preview": "the provider is unfinished",
}

# Names of aspects where there is little room.
SHORT: Final = {
    "network": "net",
    "filesystem": "file",
    "tools": "tool",
    "interpreter": "code",
    "budget": "budg",
    "process": "proc",
    "credentials": "cred",
    "extensions": "ext",
}


def word(cell: Cell | StackCell) -> str:
    """The grade in four letters, in the case that says how strongly."""
    short = GRADES[cell.grade].short
    if cell.grade == "none":
        return short
    return short.upper() if cell.strength == "compulsory" else short


MARKS: Final = {
    "*": "seen live on the real target",
    "+": "some of it seen live, the rest documented",
    "?": "seen live, but another configuration is rendered today",
    "~": "preview: the provider is unfinished",
}
_SIGNS: Final[dict[Proof, str]] = {"live": "*", "stale": "?", "preview": "~"}


def mark(cell: Cell | StackCell) -> str:
    """One sign for how a cell is known; none for what is documented."""
    if not isinstance(cell, Cell) or cell.grade == "none":
        return ""
    return _SIGNS.get(cell.proof, "+" if cell.proven else "")


def counted(tally: Tally) -> str:
    """`4 enforced, 1 partial`; empty if there is nothing."""
    parts = ((tally.enforced, "enforced"), (tally.partial, "partial"), (tally.unenforceable, "unenforceable"))
    return ", ".join(f"{count} {name}" for count, name in parts if count)


def held(cell: Cell | StackCell) -> str:
    """`5/6`: statements that are enforced, of all."""
    both = (cell.restrictions, cell.grants)
    return f"{sum(each.enforced for each in both)}/{sum(each.total for each in both)}"


def target(row: ProviderRow) -> str:
    """The target with its version."""
    return f"{row.target} {row.target_version}".strip()


def recorded(recording: Recording) -> str:
    """When and where a proof was made, and by whom."""
    system = recording.platform
    by = f", by {recording.by}" if recording.by else ""
    where = f"{system['os']}, kernel {system['kernel']}, {system['arch']}"
    return f"recorded {recording.recorded_at[:10]} on {where}{by}"


def subject(matrix: Matrix) -> str:
    """What the matrix is computed on."""
    policy = matrix.policy
    return f"reference policy `{policy['name']}`, {policy['statements']} statements"
