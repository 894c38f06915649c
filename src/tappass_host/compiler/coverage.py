"""The account of one Runtime: for each statement where it bites, how strongly, and what is open."""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from msgspec import Struct

from tappass_host.policy.statements import Polarity
from tappass_host.policy.surfaces import Surface
from tappass_host.sdk.claims import Fidelity, Strength

PlaceVerdict = Literal["enforced", "partial", "unenforceable", "gap"]
StatementVerdict = Literal["gap", "unenforceable", "partial", "enforced", "vacuous"]

# A gap and a named "cannot" leave the same thing open; the words only say whether somebody gave a reason.
SEVERITY: Final[dict[StatementVerdict, int]] = {
    "vacuous": 0,
    "enforced": 0,
    "partial": 1,
    "unenforceable": 2,
    "gap": 2,
}
OPEN: Final = frozenset({"gap", "unenforceable"})


class Place(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One statement on one surface of one use.

    Attributes:
        use: whose surface it is.
        by: the use whose claim counts there; empty in a gap.
        reach: the place of that target where the entry bites.
        reason: why it is not enforced; for `partial` the way round.
        locators: the native entries.
        url: the vendor's page that says so, and the date it was read.
        probe: the probe that shows it on the real target; empty means documented only.
    """

    use: str
    surface: Surface
    verdict: PlaceVerdict
    strength: Strength | None = None
    fidelity: Fidelity = "exact"
    by: str = ""
    reach: str = ""
    reason: str = ""
    locators: tuple[str, ...] = ()
    url: str = ""
    date: str = ""
    probe: str = ""


class StatementCoverage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One statement: the worst verdict over its places. `vacuous` means that it has none here.

    Attributes:
        level: who said it; `runtime` for what this compiler added.
    """

    id: str
    verdict: StatementVerdict
    aspect: str
    polarity: Polarity
    level: str = ""
    places: tuple[Place, ...] = ()

    @property
    def is_open(self) -> bool:
        """True for a restriction that nobody holds somewhere. A grant left out costs use, not safety."""
        return self.polarity == "restrict" and self.verdict in OPEN


class Coverage(Struct, frozen=True, kw_only=True):
    """All statements, what is open first; and the aspects nothing is promised about."""

    statements: tuple[StatementCoverage, ...]
    unmanaged: tuple[str, ...]

    def by_id(self) -> dict[str, StatementCoverage]:
        """Statement id -> its coverage."""
        return {s.id: s for s in self.statements}

    def open(self) -> tuple[StatementCoverage, ...]:
        """Restrictions that nobody holds somewhere."""
        return tuple(s for s in self.statements if s.is_open)

    def counts(self) -> dict[StatementVerdict, int]:
        """How many statements have each verdict."""
        found: dict[StatementVerdict, int] = dict.fromkeys(SEVERITY, 0)
        for statement in self.statements:
            found[statement.verdict] += 1
        return found


def ordered(statements: Iterable[StatementCoverage]) -> tuple[StatementCoverage, ...]:
    """What is open first, then partial, enforced, vacuous; restrictions before grants; by id."""
    rank: dict[StatementVerdict, int] = {
        "gap": 0,
        "unenforceable": 1,
        "partial": 2,
        "enforced": 3,
        "vacuous": 4,
    }
    return tuple(sorted(statements, key=lambda s: (rank[s.verdict], s.polarity == "grant", s.id)))


def by_control(
    coverage: Coverage, tags: Mapping[str, Iterable[str]]
) -> dict[str, tuple[StatementCoverage, ...]]:
    """For each compliance tag its statements, in the order of the coverage."""
    wanted = {tag: frozenset(ids) for tag, ids in sorted(tags.items())}
    return {tag: tuple(s for s in coverage.statements if s.id in ids) for tag, ids in wanted.items()}
