"""The builder: total by construction.

A provider lowers the policy into items, credits every item with the entries it emits, and builds. `build`
refuses a rendering that forgot something: an item that was to be emitted and left no trace, or a statement of
a covered aspect that no reach and no `cannot` speaks of.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import ProviderError
from tappass_host.policy.observed import REASON, observed, stopped
from tappass_host.policy.statements import Statement
from tappass_host.policy.surfaces import Surface
from tappass_host.sdk.artifacts import Artifact, Codec, Endpoint, Launch, Root
from tappass_host.sdk.claims import Claim, Evidence, Item, Reach, Verdict
from tappass_host.sdk.contract import Need, ProviderInfo, TargetCapabilities, TargetConfig
from tappass_host.sdk.document import Doc, Ledger
from tappass_host.sdk.facts import Answer, Know, Unknown

# What stands under other statements: its own, the item, the place.
_Copy = tuple[str, Item, Reach]

_WORST_LAST: dict[Verdict, int] = {"enforced": 0, "partial": 1, "unenforceable": 2}


# `open`: the target leaves it open by itself. `absent`: there is nothing to say it about on this host, yet.
NOTHING_TO_EMIT = frozenset({"open", "absent"})


class _Lowered(NamedTuple):
    item: Item
    reach: Reach


_OPENED: Final = "observe: what the policy does not deny by name is let through"


class Builder:
    """Collects items, documents, needs and offers of one rendering.

    Attributes:
        policy: what to render. In observe mode that is less than what was said, unless the target records.
    """

    def __init__(self, info: ProviderInfo, policy: EffectivePolicy, target: TargetCapabilities) -> None:
        self.info = info
        self._said = policy
        self._observing = policy.doc.mode == "observe"
        self.policy = observed(policy) if self._observing and not info.records else policy
        self.target = target
        self.know = Know(target.facts)
        self._ledger = Ledger()
        self._docs: dict[str, Doc] = {}
        self._artifacts: dict[str, Artifact] = {}
        self._lowered: list[_Lowered] = []
        self._needs: list[Need] = []
        self._offers: list[Endpoint] = []
        self._known_answerable: dict[tuple[str, tuple[Surface, ...]], tuple[Surface, ...]] = {}
        self._known_excuses: dict[tuple[str, Surface], str | None] = {}

    def ask(self, kind: str, arg: str) -> Answer | Unknown:
        """Ask the host; `UNKNOWN` if it has not answered, and then it is asked."""
        return self.know(kind, arg)

    def lower(self, items: Iterable[Item], *, at: Reach) -> list[Item]:
        """Claim items at a place and return those that must be emitted there."""
        emit: list[Item] = []
        for item in items:
            self._lowered.append(_Lowered(item, at))
            if not item.refused and not item.under and item.op not in NOTHING_TO_EMIT:
                emit.append(item)
        return emit

    def refuse(self, origins: Iterable[str], why: str, *, at: Reach) -> None:
        """Say that this place cannot hold some statements."""
        self.lower([Item("refuse", None, tuple(origins), refused=why)], at=at)

    def doc(
        self,
        artifact_id: str,
        *,
        root: Root = "state",
        path: str = "",
        codec: Codec = "json",
        **rest: object,
    ) -> Doc:
        """The document of that id, made on first use. Further fields are those of `Artifact`."""
        if artifact_id not in self._docs:
            artifact = Artifact(id=artifact_id, root=root, path=path, codec=codec, **rest)  # type: ignore[arg-type]
            self._docs[artifact_id] = Doc(artifact, self._ledger)
        return self._docs[artifact_id]

    def artifact(self, artifact: Artifact, *, by: Item | tuple[Item, ...] | str) -> None:
        """Add a finished artifact (a blob, a launch) whose locator is its id."""
        self._artifacts[artifact.id] = artifact
        self._ledger.record(f"{artifact.id}#", by)

    def launch(
        self, launch: Launch, *, by: Item | tuple[Item, ...] | str, artifact_id: str = "launch"
    ) -> None:
        """Add how the target is started."""
        path = f"{self.info.id}.launch.json"
        artifact = Artifact(id=artifact_id, kind="launch", codec="launch", path=path, doc=launch)
        self.artifact(artifact, by=by)

    def credit(self, locator: str, *, by: Item) -> None:
        """Credit an entry of a finished artifact to an item."""
        self._ledger.record(locator, by)

    def need(self, *needs: Need) -> None:
        """Say what must be possible around this use."""
        self._needs.extend(needs)

    def offer(self, *endpoints: Endpoint) -> None:
        """Say where this service listens."""
        self._offers.extend(endpoints)

    def build(self) -> TargetConfig:
        """The rendering.

        Raises:
            ProviderError: an item was claimed but never emitted, or a statement was forgotten.
        """
        claims = self._claims()
        if self._observing:
            claims = self._watched(claims) if self.info.records else self._left(claims)
        claims += self._unspoken(claims)
        artifacts = [doc.build() for doc in self._docs.values()] + list(self._artifacts.values())
        return TargetConfig(
            artifacts=tuple(sorted(artifacts, key=lambda a: a.id)),
            claims=tuple(sorted(claims, key=_claim_order)),
            needs=tuple(dict.fromkeys(self._needs)),
            offers=tuple(dict.fromkeys(self._offers)),
            asked=tuple(self.know.asked[key] for key in sorted(self.know.asked)),
            hardening=dict(sorted(self._ledger.hardening.items())),
        )

    def _claims(self) -> list[Claim]:
        found: dict[tuple[str, str], Claim] = {}
        copies: list[_Copy] = []
        for item, reach in self._lowered:
            if item.under:
                copies += [(statement, item, reach) for statement in item.origins]
                continue
            for claim in self._claimed(item, reach):
                _keep_worst(found, claim)
        for statement, item, reach in _outermost_first(copies):
            _keep_worst(found, _copied(found, statement, item, reach))
        self._check_known(found)
        return list(found.values())

    def _claimed(self, item: Item, reach: Reach) -> list[Claim]:
        """The claims of one item: one for each statement that it stands for."""
        if item.refused:
            return [Claim(s, reach, "unenforceable", "exact", item.refused) for s in item.origins]
        locators = self._ledger.locators(item)
        if not locators and not item.under and item.op not in NOTHING_TO_EMIT:
            raise ProviderError(f"{self.info.id} claims {item.op} {item.value!r} but emitted nothing for it")
        escape = "; ".join(part for part in (item.loss, reach.escape) if part)
        verdict: Verdict = "partial" if escape else "enforced"
        return [Claim(s, reach, verdict, item.fidelity, escape, locators) for s in item.origins]

    def _check_known(self, found: dict[tuple[str, str], Claim]) -> None:
        for statement, _reach in found:
            if statement not in self.policy.by_id:
                raise ProviderError(f"{self.info.id} claims {statement}, which the policy does not say")

    def _watched(self, claims: list[Claim]) -> list[Claim]:
        """Claims of a target that records: what it holds back in earnest only when it enforces."""
        restrictions = {s.id for s in self.policy.statements if s.polarity == "restrict"}
        return [
            c._replace(verdict="unenforceable", fidelity="exact", reason=REASON)
            if c.reach.id in self.info.records and c.statement in restrictions
            else c
            for c in claims
        ]

    def _left(self, claims: list[Claim]) -> list[Claim]:
        """Claims on what is still stopped; entries that only open what is not stand for no statement."""
        held = stopped(self._said)
        for claim in claims:
            if claim.statement not in held:
                for locator in claim.locators:
                    self._ledger.record(locator, _OPENED)
        return [claim for claim in claims if claim.statement in held]

    def _unspoken(self, claims: list[Claim]) -> list[Claim]:
        spoken = {(c.statement, surface) for c in claims for surface in c.reach.surfaces}
        return [
            Claim(said.id, _cannot_reach(tuple(surfaces)), "unenforceable", reason=why)
            for said in self._said.statements
            for why, surfaces in self._open_surfaces(said, spoken).items()
        ]

    def _open_surfaces(self, said: Statement, spoken: set[tuple[str, Surface]]) -> dict[str, list[Surface]]:
        """Reason -> the surfaces on which nothing was said of a statement, for that reason."""
        open_: dict[str, list[Surface]] = {}
        for surface in self._answerable(said):
            if (said.id, surface) not in spoken:
                open_.setdefault(self._why(said, surface), []).append(surface)
        return open_

    def _answerable(self, statement: Statement) -> tuple[Surface, ...]:
        """Surfaces on which this provider has to say something about the statement."""
        # Alike for all statements of a field, of which a policy has hundreds.
        key = statement.field, statement.on
        if key not in self._known_answerable:
            mine = self.info.covers.get(statement.aspect, ())
            self._known_answerable[key] = tuple(
                s for s in statement.surfaces if s in mine or self._excuse(statement.field, s) is not None
            )
        return self._known_answerable[key]

    def _excuse(self, field: str, surface: Surface) -> str | None:
        if (field, surface) not in self._known_excuses:
            cannot, aspect = self.info.cannot, field.partition(".")[0]
            keys = (f"{field}@{surface}", field, f"{aspect}@{surface}", aspect, f"@{surface}")
            self._known_excuses[field, surface] = next((cannot[key] for key in keys if key in cannot), None)
        return self._known_excuses[field, surface]

    def _why(self, statement: Statement, surface: Surface) -> str:
        excuse = self._excuse(statement.field, surface)
        if excuse is None and self._observing:
            return REASON
        if excuse is None:
            raise ProviderError(
                f"{self.info.id} covers {statement.aspect}@{surface} but says nothing of {statement.id}",
                remedy="lower it, refuse it, or name it in INFO.cannot",
            )
        return excuse


_NO_EVIDENCE = Evidence("", "")
# Begins the id of a reach that stands for `INFO.cannot`: the target has no part in the matter.
CANNOT: Final = "cannot@"


@lru_cache(maxsize=64)
def _cannot_reach(surfaces: tuple[Surface, ...]) -> Reach:
    return Reach(f"{CANNOT}{'+'.join(surfaces)}", surfaces, "cooperative", _NO_EVIDENCE)


def _claim_order(claim: Claim) -> tuple[str, str]:
    return claim.statement, claim.reach.id


def _outermost_first(copies: list[_Copy]) -> Iterator[_Copy]:
    """Copies in an order in which each finds what it stands under, which may be a copy itself."""
    while copies:
        waiting = {(statement, reach.id) for statement, _, reach in copies}
        blocked = [copy for copy in copies if _is_blocked(copy, waiting)]
        if len(blocked) == len(copies):
            # Where two stand under each other there is no order; `_copied` refuses the first of them.
            yield from copies
            return
        yield from (copy for copy in copies if not _is_blocked(copy, waiting))
        copies = blocked


def _is_blocked(copy: _Copy, waiting: set[tuple[str, str]]) -> bool:
    statement, item, reach = copy
    return any((origin, reach.id) in waiting for origin in item.under if origin != statement)


def _copied(found: dict[tuple[str, str], Claim], statement: str, item: Item, reach: Reach) -> Claim:
    """A claim that is true under others takes the worst of theirs, at the same place."""
    under = [found[key] for origin in item.under if (key := (origin, reach.id)) in found]
    if not under:
        raise ProviderError(f"{statement} stands under {item.under}, which {reach.id} does not claim")
    worst = max(under, key=lambda c: _WORST_LAST[c.verdict])
    reason = "; ".join(part for part in (worst.reason, item.loss) if part)
    verdict: Verdict = "partial" if item.loss and worst.verdict == "enforced" else worst.verdict
    return Claim(statement, reach, verdict, item.fidelity, reason, worst.locators)


def _keep_worst(found: dict[tuple[str, str], Claim], claim: Claim) -> None:
    """One claim per statement and place: the worst verdict, all locators, every distinct reason."""
    key = (claim.statement, claim.reach.id)
    old = found.get(key)
    if old is None:
        found[key] = claim
        return
    worst = max(old, claim, key=lambda c: _WORST_LAST[c.verdict])
    found[key] = worst._replace(
        fidelity="stricter" if "stricter" in (old.fidelity, claim.fidelity) else "exact",
        reason="; ".join(dict.fromkeys(r for r in (old.reason, claim.reason) if r)),
        locators=tuple(dict.fromkeys((*old.locators, *claim.locators))),
    )
