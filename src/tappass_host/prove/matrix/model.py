"""The matrix as data. Encoded as JSON, these Structs are the document that `matrix.schema.json` describes."""

from typing import Any, Final, Literal

from msgspec import Struct

from tappass_host.policy.statements import Polarity
from tappass_host.policy.surfaces import Surface
from tappass_host.sdk.claims import Fidelity, Strength, Verdict
from tappass_host.sdk.contract import ApplyEffect

SCHEMA: Final = "tappass.matrix/v1"

Proof = Literal["live", "loaded", "accepted", "documented", "stale", "preview"]
# What a cell comes to: everything; every restriction but not every grant; a way round is named; a restriction
# is left open; nothing. A grant that is not there costs use, never safety.
Grade = Literal["all", "shut", "part", "some", "none"]


class Tally(Struct, frozen=True, kw_only=True):
    """How many statements have each verdict."""

    enforced: int = 0
    partial: int = 0
    unenforceable: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.enforced + self.partial + self.unenforceable


class ClaimLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One claim, with what it stands on.

    Attributes:
        requires: what must hold besides, in words.
        versions: of the target, that the vendor's page was tried on.
        probe: what would show it on the real target; empty means documented only.
    """

    statement: str
    polarity: Polarity
    verdict: Verdict
    strength: Strength
    surfaces: tuple[Surface, ...]
    reach: str
    proof: Proof
    fidelity: Fidelity = "exact"
    reason: str = ""
    requires: tuple[str, ...] = ()
    locators: tuple[str, ...] = ()
    url: str = ""
    date: str = ""
    versions: tuple[str, ...] = ()
    probe: str = ""


class Cell(Struct, frozen=True, kw_only=True):
    """What one provider does about one aspect.

    Attributes:
        verdict: the worst over the statements of the aspect.
        strength: the weakest among what is held.
        surfaces: where something is held; where it speaks at all, if nothing is.
        proof: the weakest over the places (reaches) that hold something.
        proven: of the enforced statements, how many were seen on the real target.
        restrictions: verdicts of the statements that forbid, each the worst over its surfaces.
        grants: likewise of the statements that permit.
        places: verdicts of each statement on each surface.
        tried: surfaces on which the real target was driven about this aspect.
    """

    verdict: Verdict
    strength: Strength
    surfaces: tuple[Surface, ...]
    proof: Proof
    grade: Grade
    restrictions: Tally
    grants: Tally
    places: Tally
    proven: int = 0
    tried: tuple[Surface, ...] = ()
    claims: tuple[ClaimLine, ...] = ()


class Attempt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row of a transcript: what was tried, what the policy says, what happened without and with it."""

    action: str
    surface: Surface
    aspect: str
    statement: str
    says: str
    without: str
    outcome: str
    agrees: bool
    where: str = ""
    by: str = ""
    text: str = ""
    declared: bool = False


class Recording(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One proof on a real target, as it reads today.

    Attributes:
        counted: whether its rows back the cells: it is not stale, and about the version shown.
        reasons: why it is stale.
    """

    target: str
    target_version: str
    recorded_at: str
    by: str = ""
    platform: dict[str, str]
    state: Literal["live", "stale"]
    counted: bool
    reasons: tuple[str, ...] = ()
    seal: str
    transcript: tuple[Attempt, ...] = ()


class ProviderRow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One provider."""

    id: str
    aliases: tuple[str, ...]
    position: str
    target: str
    provider_version: str
    target_version: str
    proof: Proof
    effects: dict[str, ApplyEffect]
    aspects: dict[str, Cell]
    source: str
    platforms: tuple[str, ...] = ()
    recordings: tuple[Recording, ...] = ()
    excused: dict[str, int] = {}


class Broken(Struct, frozen=True, kw_only=True):
    """A provider that cannot be compared, and why."""

    id: str
    position: str
    source: str
    reason: str


class StackCell(Struct, frozen=True, kw_only=True):
    """What several providers hold of one aspect together.

    Attributes:
        verdict: the worst over its statements; a gap counts as unenforceable.
        strength: the weakest among what is held.
        places: verdicts of each statement on each surface of each use.
        statements: each with its places, as `tappass coverage --json` gives them.
    """

    verdict: Verdict
    strength: Strength
    grade: Grade
    restrictions: Tally
    grants: Tally
    places: Tally
    statements: tuple[dict[str, Any], ...] = ()


class Stack(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Several providers as one Runtime, joined over its surfaces.

    Attributes:
        uses: provider ids, services that were added included.
        inside: use -> the use around it.
        why: why they do not go together; then there are no aspects.
    """

    uses: tuple[str, ...]
    inside: dict[str, str] = {}
    aspects: dict[str, StackCell] = {}
    why: str = ""


class Matrix(Struct, frozen=True, kw_only=True):
    """The whole matrix.

    Attributes:
        policy: name, digest and number of statements of the reference policy.
        aspects: those that any provider speaks of, in the order of the policy.
        notes: what was left out, and why.
    """

    schema: str = SCHEMA
    version: str
    policy: dict[str, Any]
    aspects: tuple[str, ...]
    providers: tuple[ProviderRow, ...]
    broken: tuple[Broken, ...] = ()
    stack: Stack | None = None
    notes: tuple[str, ...] = ()
