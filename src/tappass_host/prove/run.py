"""Proof of one policy on the real targets: compile, put on a stage, try the corpus, compare with `decide`.

    report = prove(policy, recipe, root=Path(".demo"))

Every case is tried twice, under what was rendered and without it; a case whose control does not succeed
proves nothing and is counted so. Nothing outside `root` is written.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from tappass_host.compiler.compile import compile_until_settled
from tappass_host.compiler.effective import Surroundings
from tappass_host.compiler.plan import Plan, UsePlan
from tappass_host.compiler.recipe import Recipe
from tappass_host.policy.decide import Decision, grounds
from tappass_host.policy.effect import Effect
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.model import Policy
from tappass_host.policy.params import bind
from tappass_host.prove.answers import Answers
from tappass_host.prove.cases import Case
from tappass_host.prove.corpus import FOREIGN_HOST, sample_hosts
from tappass_host.prove.lab import HTTP, Lab
from tappass_host.prove.outcome import Row
from tappass_host.prove.stage import Stage
from tappass_host.prove.targets import Catalogue, Located, Missing
from tappass_host.prove.world import World, build_world
from tappass_host.sdk.builder import CANNOT
from tappass_host.sdk.claims import Claim
from tappass_host.sdk.contract import TargetCapabilities

# provider id -> module of its probe; a provider without one is reported as such, never passed over.
PROBES: Final = {
    "claude-code": "tappass_host.prove.probes.claude_code",
    "bubblewrap": "tappass_host.prove.probes.bubblewrap",
    "monty": "tappass_host.prove.probes.monty",
}
# provider id -> target of the catalogue, where they differ in name.
_PROGRAMS: Final = {"claude-code": "claude", "bubblewrap": "bwrap"}
# Folders of managed settings: the laboratory shows them, as an apply would have made them.
_MANAGED_FOLDERS: Final = ("/etc/claude-code",)
_OURS: Final = ("egress-proxy",)
_BRIDGE: Final = Path(__file__).parents[1] / "dataplane" / "bridge.py"

Progress = Callable[[str], None]


class Skipped(NamedTuple):
    """A use that was not tried, and why."""

    use: str
    provider: str
    reason: str
    remedy: str = ""


class Report(NamedTuple):
    """All rows, and everything that was not tried.

    Attributes:
        versions: provider id -> version of the target that was driven.
    """

    plan: Plan
    rows: tuple[Row, ...]
    skipped: tuple[Skipped, ...]
    versions: Mapping[str, str]

    @property
    def proven(self) -> tuple[Row, ...]:
        """Rows that show something: as the policy says, and possible without it."""
        return tuple(row for row in self.rows if row.controlled and row.agrees)

    @property
    def wrong(self) -> tuple[Row, ...]:
        """Rows that refute a claim: the target did something else, or the attempt never works at all."""
        return tuple(row for row in self.rows if row.claimed and not (row.agrees and row.controlled))

    @property
    def declared(self) -> tuple[Row, ...]:
        """Rows where the target differs from the policy as declared: partial or unenforceable here."""
        return tuple(row for row in self.rows if not row.claimed and not (row.agrees and row.controlled))


class Ground(NamedTuple):
    """What a proof stands on: the bound policy, the world, the located targets."""

    policy: Policy
    world: World
    located: Mapping[str, Located | Missing]

    @property
    def programs(self) -> dict[str, str]:
        """Program name -> path of the target that was found."""
        return {
            _PROGRAMS.get(provider, provider): str(found.path)
            for provider, found in self.located.items()
            if isinstance(found, Located)
        }


def prepare(policy: Policy, recipe: Recipe, *, root: Path, catalogue: Catalogue) -> Ground:
    """Bind the policy to a small world below `root`, build it, and find the targets.

    Raises:
        BindError: the policy has parameters that the world has no value for.
    """
    root = root.resolve()
    wanted = {*policy.params, "home"}
    values = {name: value for name, value in World(root).params().items() if name in wanted}
    bound = bind(policy, values)
    world = build_world(root, EffectivePolicy(bound))
    # The bridge lies where a host would put it, so that what is rendered names no path of this package.
    (root / "run" / _BRIDGE.name).write_bytes(_BRIDGE.read_bytes())
    located = {
        use.provider: catalogue.locate(use.provider) for use in recipe.uses if use.provider not in _OURS
    }
    return Ground(bound, world, located)


def compile_ground(
    ground: Ground, recipe: Recipe, providers: Mapping[str, Any], *, policy_digest: str = ""
) -> Plan:
    """Compile for the targets that were found, answering what is asked about this host."""
    return compile_until_settled(
        Answers(ground.programs, folders=_MANAGED_FOLDERS),
        ground.policy,
        recipe,
        providers,
        {use.id: _capabilities(ground, use.provider) for use in recipe.uses},
        surroundings=Surroundings(home=str(ground.world.home)),
        policy_digest=policy_digest,
        refuse_gaps=False,
    )


def _capabilities(ground: Ground, provider: str) -> TargetCapabilities:
    found = ground.located.get(provider)
    world = ground.world
    return TargetCapabilities(
        version=found.version if isinstance(found, Located) else "",
        paths={
            "etc": "/etc",
            "home": str(world.home),
            "workspace": str(world.workspace),
            "state": str(world.root / "state"),
            "run": str(world.root / "run"),
            "bridge": str(world.root / "run" / _BRIDGE.name),
        },
    )


def prove(
    policy: Policy,
    recipe: Recipe,
    providers: Mapping[str, Any],
    *,
    root: Path,
    catalogue: Catalogue,
    policy_digest: str = "",
    only: Sequence[str] = (),
    progress: Progress = lambda _text: None,
) -> Report:
    """Prove a policy on every target of a Runtime that is here.

    Args:
        policy: verified, not yet bound: its parameters get values below `root`.
        recipe: the Runtime.
        providers: id -> loaded provider.
        root: scratch folder; made if it is not there.
        catalogue: where targets are found.
        policy_digest: of the signed bytes.
        only: provider ids to try; all if empty.
        progress: told what is being done.

    Raises:
        MissingTargetError: this machine cannot make the namespaces that a laboratory needs.
    """
    ground = prepare(policy, recipe, root=root, catalogue=catalogue)
    plan = compile_ground(ground, recipe, providers, policy_digest=policy_digest)
    stage = Stage(plan, ground.world.root / "plan", ground.programs)
    rows: list[Row] = []
    skipped: list[Skipped] = []
    for use in plan.uses:
        reason = _not_here(ground, use, only)
        if reason is not None:
            skipped += [reason] if reason.reason else []
            continue
        progress(f"trying {use.provider}")
        rows += _try(ground, stage, use)
    versions = {p: f.version for p, f in ground.located.items() if isinstance(f, Located)}
    return Report(plan, tuple(rows), tuple(skipped), versions)


def _not_here(ground: Ground, use: UsePlan, only: Sequence[str]) -> Skipped | None:
    """Why a use is not tried; an empty reason for one that others try on the way."""
    if use.provider in _OURS or (only and use.provider not in only):
        return Skipped(use.id, use.provider, "")
    if use.provider not in PROBES:
        return Skipped(use.id, use.provider, "no probe yet")
    for provider in (use.provider, *use.target.inside):
        found = ground.located.get(provider)
        if isinstance(found, Missing):
            reason = found.reason if provider == use.provider else f"{provider} around it: {found.reason}"
            return Skipped(use.id, use.provider, reason, found.remedy)
    return None


def _try(ground: Ground, stage: Stage, use: UsePlan) -> list[Row]:
    probe = importlib.import_module(PROBES[use.provider])
    judged = _judging(stage.plan, use)
    tried = probe.cases(judged, ground.world)
    lab = Lab(hosts=_hosts(judged.policy), ports=_ports(judged.policy), binds=_managed(stage))
    outcomes = probe.with_policy(stage, judged, tried, lab)
    controls = probe.without_policy(stage, judged, tried, lab)
    rows = []
    for case, outcome, control in zip(tried, outcomes, controls, strict=True):
        decision = case.expected(judged.policy)
        said = judged.policy.doc.provenance.get(decision.statement)
        where = f"{said.level} {said.source}".strip() if said else ""
        # Who asks first shows what it does itself; what stands around it was never reached.
        reached = replace(use, inside=(), wired=()) if outcome.status == "asked" else use
        claimed = _claimed(stage.plan, reached, decision, case)
        rows.append(Row(use.provider, case, decision, outcome, control, claimed, where))
    return rows


def _claimed(plan: Plan, use: UsePlan, decision: Decision, case: Case) -> bool:
    """Whether this use, one around it or a service of it claims to hold the deciding statement there.

    What is permitted works only if nobody on the way has to refuse any of the grants it stands on, or part
    of them.
    """
    claims = _claims_about(plan, use, case)
    if decision.effect is Effect.ALLOW:
        stood_on = frozenset[str]().union(*(grounds(_judging(plan, use).policy, act) for act in case.actions))
        if any(not _whole(claim) for claim in claims if claim.statement in stood_on):
            return False
    return any(c.verdict == "enforced" and c.statement == decision.statement for c in claims)


def _whole(claim: Claim) -> bool:
    return claim.verdict == "enforced" and claim.fidelity == "exact"


def _claims_about(plan: Plan, use: UsePlan, case: Case) -> list[Claim]:
    """Claims that count where a case is tried; those of targets that have no part in the matter left out."""
    nearby = {use.id, *use.inside, *use.wired}
    surfaces = {case.surface, *(act.surface for act in case.actions)}
    return [
        claim
        for near in plan.uses
        if near.id in nearby
        for claim in near.config.claims
        if surfaces.intersection(claim.reach.surfaces) and not claim.reach.id.startswith(CANNOT)
    ]


def _judging(plan: Plan, use: UsePlan) -> UsePlan:
    """The use with the policy that its surroundings hold: what a kernel grants for it, it may do."""
    outer = [u for u in plan.uses if u.id in use.inside]
    return replace(use, policy=outer[0].policy) if outer else use


def _managed(stage: Stage) -> dict[str, Path]:
    """Managed folder -> what was rendered for it, as an apply would have put it there."""
    found = (
        (path, stage.folder(use.id, "etc", path.removeprefix("/etc/")))
        for path in _MANAGED_FOLDERS
        for use in stage.plan.uses
    )
    return {path: folder for path, folder in found if folder is not None}


def _hosts(policy: EffectivePolicy) -> tuple[str, ...]:
    return (*dict.fromkeys(host for host, _port in sample_hosts(policy)), FOREIGN_HOST)


def _ports(policy: EffectivePolicy) -> tuple[int, ...]:
    return tuple(sorted({HTTP, *(port for _host, port in sample_hosts(policy))}))
