"""What a claim requires, judged for one served use: a component, a denial by somebody else, a fact.

A denial counts only if it is compulsory itself: the reader of the served use or of one around it says DENY on
every surface of the served use, an enforced compulsory claim stands behind that ruling, and no other service
that the use is wired to lets the same action through.
"""

from typing import Final, NamedTuple

import msgspec

from tappass_host.compiler.system import Member, System
from tappass_host.policy import actions as a
from tappass_host.policy.actions import Action
from tappass_host.policy.effect import Effect
from tappass_host.policy.surfaces import ASPECT_SURFACES, Surface
from tappass_host.sdk.claims import Component, Denied, Fact, Reach, Requirement, Verdict
from tappass_host.sdk.facts import Answer, Query
from tappass_host.sdk.reader import Ruling

WORSE: Final[dict[Verdict, int]] = {"enforced": 0, "partial": 1, "unenforceable": 2}
_ASPECT_OF: Final[dict[type, str]] = {
    a.Connect: "network",
    a.UnixConnect: "network",
    a.File: "filesystem",
    a.EnvRead: "credentials",
    a.RunAs: "process",
    a.Tool: "tools",
    a.McpCall: "mcp",
    a.McpStart: "mcp",
    a.HostCall: "interpreter",
    a.Import: "interpreter",
    a.ModelCall: "llm",
    a.Query: "data",
}


class Standing(NamedTuple):
    """The best a claim can be for one served use, and why it is not better."""

    verdict: Verdict
    reason: str = ""


HOLDS: Final = Standing("enforced")


class Requirements:
    """Judges requirements over one system, each once."""

    def __init__(self, system: System) -> None:
        self.system = system
        self._known: dict[tuple[str, str, str], Standing] = {}
        self._open: set[tuple[str, str, str]] = set()
        self.asked: dict[str, tuple[str, Query]] = {}

    def standing(self, claimant: str, reach: Reach, served: str) -> Standing:
        """How far claims of a reach hold for a served use."""
        if not reach.requires:
            return HOLDS
        key = (claimant, reach.id, served)
        if key in self._open:
            # Two claims that hold only if the other does hold nothing.
            return Standing("partial", f"{reach.id} requires itself")
        if key not in self._known:
            self._open.add(key)
            judged = [self._judge(claimant, requirement, served) for requirement in reach.requires]
            self._open.discard(key)
            self._known[key] = _worst(judged)
        return self._known[key]

    def _judge(self, claimant: str, requirement: Requirement, served: str) -> Standing:
        match requirement:
            case Component(id=name):
                here = name in self.system.components
                return (
                    HOLDS
                    if here
                    else Standing("unenforceable", f"needs {name}, which is not in this Runtime")
                )
            case Denied(action=action):
                why = self._lets_through(claimant, action, served)
                return Standing("partial", f"{describe(action)} is not denied: {why}") if why else HOLDS
            case Fact():
                return self._fact(claimant, requirement)

    def _fact(self, claimant: str, fact: Fact) -> Standing:
        query = Query(fact.kind, fact.arg)
        answer = self.system.members[claimant].facts.get(query.key)
        if answer is None:
            self.asked[f"{claimant} {query.key}"] = (claimant, query)
            return Standing("partial", f"{query.key} is not known, it has to be {fact.answer}")
        if spelled(answer) == fact.answer:
            return HOLDS
        return Standing("partial", f"{query.key} is {spelled(answer)}, it has to be {fact.answer}")

    def _lets_through(self, claimant: str, action: Action, served: str) -> str:
        """Why an action is not denied around a use; empty if it is."""
        for service in self.system.services_of(served):
            ruling = self.system.members[service].permits(action) if service != claimant else None
            if ruling is not None and ruling.effect is not Effect.DENY:
                return f"{service} lets it through"
        aspect = action.resource.partition(".")[0] if isinstance(action, a.Use) else _ASPECT_OF[type(action)]
        member = self.system.members[served]
        surfaces = [s for s in member.brings if s in ASPECT_SURFACES[aspect]]
        open_ = [
            s
            for s in surfaces
            if not self._denied(msgspec.structs.replace(action, surface=s), served, aspect)
        ]
        if open_ or not surfaces:
            return f"nobody holds it on {', '.join(open_) or 'any surface'} of {served}"
        return ""

    def _denied(self, action: Action, served: str, aspect: str) -> bool:
        around = (served, *self.system.members[served].enclosers)
        for use in around:
            member = self.system.members[use]
            ruling = member.permits(action)
            denies = ruling is not None and ruling.effect is Effect.DENY
            if (
                ruling is not None
                and denies
                and self._compulsory(member, ruling, action.surface, aspect, served)
            ):
                return True
        return False

    def _compulsory(self, member: Member, ruling: Ruling, surface: Surface, aspect: str, served: str) -> bool:
        """Whether an enforced compulsory claim stands behind a ruling.

        The claims of the entry that ruled decide; where the target's own default ruled, or hardening that
        stands for no statement, any restriction of the same aspect on that surface does.
        """
        behind = [c for c in member.claims if ruling.locator and ruling.locator in c.locators]
        if not behind:
            by_id = member.policy.by_id
            behind = [c for c in member.claims if (s := by_id.get(c.statement)) and s.aspect == aspect]
            behind = [c for c in behind if by_id[c.statement].polarity == "restrict"]
        return any(
            claim.verdict == "enforced"
            and claim.reach.strength == "compulsory"
            and surface in claim.reach.surfaces
            and self.standing(member.id, claim.reach, served).verdict == "enforced"
            for claim in behind
        )


def _worst(standings: list[Standing]) -> Standing:
    rank = max(WORSE[s.verdict] for s in standings)
    verdict = next(s.verdict for s in standings if WORSE[s.verdict] == rank)
    return Standing(verdict, "; ".join(s.reason for s in standings if s.reason))


def spelled(answer: Answer) -> str:
    """An answer as `Fact.answer` writes it."""
    if isinstance(answer, bool):
        return "true" if answer else "false"
    return ",".join(answer) if isinstance(answer, tuple) else str(answer)


def describe(action: Action) -> str:
    """An action in a few words."""
    match action:
        case a.Connect(host=host, port=port):
            return f"connect {host}:{port}"
        case a.UnixConnect(path=path):
            return f"connect {path}"
        case a.File(op=op, path=path):
            return f"{op} {path}"
    fields = {k: v for k, v in msgspec.to_builtins(action).items() if k not in ("kind", "surface") and v}
    return " ".join((type(action).__name__, *(str(v) for v in fields.values())))
