"""What the native rules permit, against what the policy says: the heart of gate 1.

*Looser* than the policy is excused only where the statement that `decide` blames is claimed less than
enforced on that surface; *stricter* only where a statement at the ruling's locator is claimed `stricter`, or
a statement that grants the action is claimed less than enforced. All else fails; what is excused is counted.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Final, NamedTuple

import msgspec

from tappass_host.policy.actions import Action, Connect, File, Tool, UnixConnect
from tappass_host.policy.decide import Decision, decide
from tappass_host.policy.effect import Effect
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.model import ASPECTS
from tappass_host.policy.surfaces import Surface
from tappass_host.sdk.claims import Claim, Component, Denied
from tappass_host.sdk.contract import TargetConfig
from tappass_host.sdk.kit.subject import Rendered
from tappass_host.sdk.kit.universe import direct
from tappass_host.sdk.locators import longest_prefix, places
from tappass_host.sdk.reader import Ruling


class Comparison(NamedTuple):
    """Failures, and what is excused by a claim that admits it."""

    failures: tuple[str, ...]
    looser: tuple[str, ...]
    stricter: tuple[str, ...]


class Claimed:
    """The claims of a rendering, to look up by statement and surface."""

    def __init__(self, config: TargetConfig) -> None:
        self._config = config
        self._found: dict[tuple[str, Surface], list[Claim]] = {}
        for claim in config.claims:
            for surface in claim.reach.surfaces:
                self._found.setdefault((claim.statement, surface), []).append(claim)

    def about(self, statement: str, surface: Surface) -> list[Claim]:
        """All claims about a statement on a surface."""
        return self._found.get((statement, surface), [])

    def held(self, statement: str, surface: Surface) -> bool:
        """True if this configuration alone is claimed to enforce it; what a service decides is not in it."""
        return any(
            claim.verdict == "enforced" and not any(isinstance(r, Component) for r in claim.reach.requires)
            for claim in self.about(statement, surface)
        )

    def left_to_others(self, statement: str, action: Action) -> bool:
        """True if every claim about it requires that such actions are denied by another target."""
        return all(
            any(isinstance(r, Denied) and type(r.action) is type(action) for r in claim.reach.requires)
            for claim in self.about(statement, action.surface)
            if claim.verdict == "enforced"
        )

    def stricter_at(self, locator: str, surface: Surface) -> bool:
        """True if the entry, or one that contains it, is said to forbid more than its statement."""
        return bool(locator) and any(
            longest_prefix(locator, claim.locators) is not None
            for claim in self._config.claims
            if claim.fidelity == "stricter" and surface in claim.reach.surfaces
        )

    @cached_property
    def places(self) -> frozenset[str]:
        """Every locator there is."""
        return frozenset(place for artifact in self._config.artifacts for place in places(artifact))


def compare(rendered: Rendered, actions: Iterable[Action]) -> Comparison:
    """Compare over some actions."""
    judge = _Judge(rendered)
    found: dict[str, list[str]] = {"failure": [], "looser": [], "stricter": []}
    for action in actions:
        kind, finding = judge.judge(action)
        if kind:
            found[kind].append(finding)
    return Comparison(*(tuple(found[kind]) for kind in ("failure", "looser", "stricter")))


_FINE: Final = ("", "")
_ANY_CALL: Final = Tool(name="Read", args={"path": "/"})


class _Judge:
    """Judges one action at a time: what kind of difference there is, if any, and its text."""

    def __init__(self, rendered: Rendered) -> None:
        self._rendered = rendered
        self._claimed = Claimed(rendered.config)

    def judge(self, action: Action) -> tuple[str, str]:
        decision = decide(self._rendered.policy, action)
        if decision.effect is Effect.UNMANAGED:
            return _FINE  # nothing is promised, so nothing is compared
        ruling = self._rendered.native.permits(action)
        if ruling is None:
            return self._mute(action, decision)
        by = ruling.locator or "its default"
        said = f"{shown(action)}: policy {_said(decision)}, target {ruling.effect} by {by}"
        if ruling.locator and ruling.locator not in self._claimed.places:
            return "failure", f"{said}, which is in no document"
        difference = ruling.effect.strictness - decision.effect.strictness
        if difference < 0:
            return self._looser(action, decision, said)
        return self._stricter(action, ruling, said) if difference > 0 else _FINE

    def _mute(self, action: Action, decision: Decision) -> tuple[str, str]:
        """No ruling on what is claimed enforced, unless it is ruled on as what it does on the machine."""
        held = self._claimed.held(decision.statement, action.surface)
        if decision.effect is Effect.ALLOW or not held:
            return _FINE
        effect = direct(action)
        ruled = effect is not None and self._rendered.native.permits(effect) is not None
        if ruled or self._by_calls(action) or self._claimed.left_to_others(decision.statement, action):
            return _FINE
        return (
            "failure",
            f"{shown(action)}: claims to enforce {_said(decision)}, yet its reader does not rule",
        )

    def _by_calls(self, action: Action) -> bool:
        """True where tools act and the target rules on their calls: those are asked about themselves."""
        effects = (Connect, File, UnixConnect)
        if action.surface != "tool" or not isinstance(action, effects):
            return False
        return self._rendered.native.permits(_ANY_CALL) is not None

    def _looser(self, action: Action, decision: Decision, said: str) -> tuple[str, str]:
        if self._claimed.held(decision.statement, action.surface):
            return "failure", f"LOOSER {said}, although {decision.statement} is claimed enforced"
        if self._rendered.policy.doc.mode == "observe":
            return _FINE  # what the policy wants, not what the target lacks
        # Where this target speaks of nothing, another one has to; the join over a Runtime sees to that.
        return ("looser", said) if self._claimed.about(decision.statement, action.surface) else _FINE

    def _stricter(self, action: Action, ruling: Ruling, said: str) -> tuple[str, str]:
        spoken = [s for s in blamed(self._rendered.policy, action) if self._claimed.about(s, action.surface)]
        if not spoken:
            return _FINE  # nobody here speaks of what grants it
        open_ = any(not self._claimed.held(statement, action.surface) for statement in spoken)
        if open_ or self._claimed.stricter_at(ruling.locator, action.surface):
            return "stricter", said
        return "failure", f"STRICTER {said}, and no claim says so"


def blamed(policy: EffectivePolicy, action: Action) -> Iterator[str]:
    """The statement of every aspect that speaks of an action, each asked alone; a move has two ends."""
    for aspect in ASPECTS:
        alone = _alone(policy, aspect)
        for part in (action, *_ends(action)):
            decision = decide(alone, part)
            if decision.statement:
                yield decision.statement


def _ends(action: Action) -> tuple[Action, ...]:
    if not isinstance(action, File) or action.op != "move":
        return ()
    return tuple(File(op="write", path=path, surface=action.surface) for path in (action.path, action.to))


def _alone(policy: EffectivePolicy, aspect: str) -> EffectivePolicy:
    others = {name: None for name in ASPECTS if name != aspect}
    return EffectivePolicy(msgspec.structs.replace(policy.doc, **others))


def shown(action: Action) -> str:
    """An action in one line."""
    plain = msgspec.to_builtins(action)
    kind, surface = plain.pop("kind"), plain.pop("surface")
    said = {name: value for name, value in plain.items() if value not in ("", [], {})}
    return f"{kind}@{surface} {msgspec.json.encode(said).decode()}"


def _said(decision: Decision) -> str:
    return f"{decision.effect} by {decision.statement}"
