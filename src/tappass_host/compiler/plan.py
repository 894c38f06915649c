"""The plan: everything one Runtime is going to be, and the digest that names it."""

from typing import Any, Final

import msgspec
from msgspec import Struct

from tappass_host.compiler.coverage import Coverage
from tappass_host.compiler.rendering import Rendered, Rendering, launch_of
from tappass_host.compiler.stricter import Rewrite
from tappass_host.compiler.topology import Topology
from tappass_host.policy.canonical import canonical_bytes, digest
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import UnsatisfiableError
from tappass_host.sdk.artifacts import Artifact, ArtifactPath, Launch
from tappass_host.sdk.contract import Position, TargetCapabilities, TargetConfig
from tappass_host.sdk.facts import Query

SCHEMA: Final = "tappass.plan/v1"


class UsePlan(Struct, frozen=True, kw_only=True):
    """One use: what was rendered for it, from what.

    Attributes:
        wired: ids of the service uses it goes through.
        policy: its effective policy; not in the JSON form.
    """

    id: str
    provider: str
    position: Position
    provider_version: str
    target: TargetCapabilities
    inside: tuple[str, ...]
    wired: tuple[str, ...]
    config: TargetConfig
    policy: EffectivePolicy


class PlannedArtifact(Struct, frozen=True, kw_only=True):
    """An artifact, the use that owns it, and the digest of its document and place."""

    use: str
    artifact: Artifact
    digest: str


class Asked(Struct, frozen=True, kw_only=True):
    """A question of one use that the host has not answered."""

    use: str
    kind: str
    arg: str

    @property
    def query(self) -> Query:
        """The question itself."""
        return Query(self.kind, self.arg)


class Plan(Struct, frozen=True, kw_only=True):
    """A compiled Runtime.

    Attributes:
        uses: in the order they were rendered.
        launches: use -> how it is started with everything around it. An `ArtifactPath` in there reads
            `<use>/<artifact id>`.
        asked: what the host has to answer before this is final.
        rewrites: statements that `on_gap: stricter` replaced, and by what.
        final: needs and gaps were judged, and nothing was refused. Only such a plan may be applied.
        digest: of all of it.
    """

    runtime: str
    runtime_digest: str
    policy_version: int
    policy_digest: str
    uses: tuple[UsePlan, ...]
    artifacts: tuple[PlannedArtifact, ...]
    launches: dict[str, Launch]
    coverage: Coverage
    asked: tuple[Asked, ...] = ()
    rewrites: tuple[Rewrite, ...] = ()
    warnings: tuple[str, ...] = ()
    final: bool = False
    digest: str = ""

    def use(self, use: str) -> UsePlan:
        """The use of that id.

        Raises:
            KeyError: there is none.
        """
        for plan in self.uses:
            if plan.id == use:
                return plan
        raise KeyError(use)


def uses_of(topology: Topology, rendering: Rendering) -> tuple[UsePlan, ...]:
    """The uses of a rendering, in order."""
    return tuple(_use(topology, rendering, use, rendered) for use, rendered in rendering.uses.items())


def _use(topology: Topology, rendering: Rendering, use: str, rendered: Rendered) -> UsePlan:
    info = topology.infos[use]
    return UsePlan(
        id=use,
        provider=info.id,
        position=info.position,
        provider_version=info.version,
        target=rendered.target,
        inside=topology.enclosers(use),
        wired=tuple(sorted(service for service, served in rendering.wired if served == use)),
        config=rendered.config,
        policy=rendered.policy,
    )


def artifacts_of(rendering: Rendering) -> tuple[PlannedArtifact, ...]:
    """All artifacts with owner and digest."""
    return tuple(
        PlannedArtifact(use=use, artifact=artifact, digest=digest(canonical_bytes(artifact)))
        for use, rendered in rendering.uses.items()
        for artifact in rendered.config.artifacts
    )


def launches_of(topology: Topology, rendering: Rendering) -> dict[str, Launch]:
    """How each use is started: its own launch behind those of the uses around it.

    Raises:
        UnsatisfiableError: two of them want the same descriptor.
    """
    found: dict[str, Launch] = {}
    for use, rendered in rendering.uses.items():
        launch = _named(use, launch_of(rendered.config))
        for outer in topology.enclosers(use):
            around = _named(outer, launch_of(rendering.uses[outer].config))
            launch = _wrapped(around, launch) if around and launch else launch
        if launch is not None:
            found[use] = launch
    return found


def _named(use: str, launch: Launch | None) -> Launch | None:
    """The same launch with artifacts named across uses."""
    if launch is None:
        return None
    return msgspec.structs.replace(
        launch,
        args=tuple(ArtifactPath(f"{use}/{a.id}") if isinstance(a, ArtifactPath) else a for a in launch.args),
        fds={number: ArtifactPath(f"{use}/{path.id}") for number, path in launch.fds.items()},
    )


def _wrapped(outer: Launch, inner: Launch) -> Launch:
    """A kernel's launch is a prefix: program and arguments of what it encloses follow it."""
    twice = sorted(outer.fds.keys() & inner.fds.keys())
    if twice:
        raise UnsatisfiableError(f"{outer.program} and {inner.program} both want descriptor {twice[0]}")
    limits = {
        name: min(limit for limit in (outer.rlimits.get(name), inner.rlimits.get(name)) if limit is not None)
        for name in sorted({*outer.rlimits, *inner.rlimits})
    }
    return Launch(
        program=outer.program,
        args=(*outer.args, inner.program, *inner.args),
        env={**inner.env, **outer.env},
        fds={**inner.fds, **outer.fds},
        rlimits=limits,
    )


def sealed(plan: Plan) -> Plan:
    """The plan with its digest."""
    return msgspec.structs.replace(plan, digest=digest(canonical_bytes(_document(plan))))


def plan_document(plan: Plan) -> dict[str, Any]:
    """The plan as plain JSON values. Artifacts are named by digest: they lie beside it as files."""
    document: dict[str, Any] = msgspec.json.decode(plan_json(plan))
    return document


def plan_json(plan: Plan) -> bytes:
    """The canonical JSON form: what `plan.json` holds."""
    return canonical_bytes({**_document(plan), "digest": plan.digest})


def _document(plan: Plan) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "runtime": {"name": plan.runtime, "digest": plan.runtime_digest},
        "policy": {"version": plan.policy_version, "digest": plan.policy_digest},
        "uses": [_use_document(use) for use in plan.uses],
        "artifacts": [_artifact_document(planned) for planned in plan.artifacts],
        "launches": plan.launches,
        "coverage": plan.coverage,
        "asked": plan.asked,
        "rewrites": [rewrite._asdict() for rewrite in plan.rewrites],
        "warnings": plan.warnings,
        "final": plan.final,
    }


def _use_document(use: UsePlan) -> dict[str, Any]:
    return {
        "id": use.id,
        "provider": use.provider,
        "position": use.position,
        "provider_version": use.provider_version,
        "target_version": use.target.version,
        "platform": use.target.platform,
        "inside": use.inside,
        "wired": use.wired,
        "needs": [need._asdict() for need in use.config.needs],
        "offers": use.config.offers,
        "hardening": use.config.hardening,
    }


def _artifact_document(planned: PlannedArtifact) -> dict[str, Any]:
    fields = {name: getattr(planned.artifact, name) for name in planned.artifact.__struct_fields__}
    del fields["doc"]
    return {"use": planned.use, "digest": planned.digest, **fields}
