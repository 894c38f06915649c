"""What happened when a case was tried, and whether that is what the policy says."""

from typing import Literal, NamedTuple

from tappass_host.policy.decide import Decision
from tappass_host.policy.effect import Effect
from tappass_host.prove.cases import Case

# `failed`: neither worked nor was refused (a crash, an unrelated error): proves nothing.
Status = Literal["ran", "blocked", "asked", "failed", "timeout"]


class Outcome(NamedTuple):
    """One attempt. `by` names what stopped it, `text` is what it showed, cut short."""

    status: Status
    text: str = ""
    by: str = ""


class Row(NamedTuple):
    """One case on one target, with its control.

    Attributes:
        control: the same attempt without any policy. It must succeed, or the case proves nothing.
        claimed: whether the statement that decides is claimed `enforced` here. What is declared partial or
            unenforceable is shown, and neither counts as proof nor as failure.
        provenance: level and source of the statement, for people.
    """

    target: str
    case: Case
    decision: Decision
    outcome: Outcome
    control: Outcome
    claimed: bool = True
    provenance: str = ""

    @property
    def controlled(self) -> bool:
        """Whether the attempt works where nothing forbids it."""
        return self.control.status == "ran"

    @property
    def agrees(self) -> bool:
        """Whether the target did what the policy says. An ask that nobody can answer is a denial."""
        expected, status = self.decision.effect, self.outcome.status
        if expected is Effect.ALLOW:
            return status == "ran"
        if expected is Effect.DENY:
            return status == "blocked"
        return expected is Effect.ASK and status in ("asked", "blocked")
