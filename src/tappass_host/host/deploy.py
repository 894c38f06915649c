"""A plan as the files of one host: every artifact at its place, launches resolved, the bridge beside them."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from tappass_host.compiler.plan import Plan, UsePlan, plan_json
from tappass_host.host.engine import Wanted
from tappass_host.host.layout import Layout
from tappass_host.policy.errors import RenderError
from tappass_host.sdk.artifacts import Artifact, ArtifactPath, Endpoint, Launch, SecretRef
from tappass_host.sdk.emit import emit

_BRIDGE = Path(__file__).parents[1] / "dataplane" / "bridge.py"


def files_of(plan: Plan, layout: Layout, *, lockdown: bool = False) -> dict[str, Wanted]:
    """Absolute path -> file, for everything a plan puts on a host.

    In a lock-down there is nothing to judge about gaps, and what is not known of the host is rendered on the
    safe side: there the plan need not be final.

    Raises:
        RenderError: two artifacts want one place, or the plan is a draft.
    """
    if not plan.final and not lockdown:
        raise RenderError("the plan is a draft: the host has open questions", remedy="answer them first")
    where = {f"{use.id}/{a.id}": _place(use, a) for use in plan.uses for a in use.config.artifacts}
    found: dict[str, Wanted] = {}
    for use in plan.uses:
        for artifact in use.config.artifacts:
            if artifact.kind != "launch" and artifact.path:
                path = where[f"{use.id}/{artifact.id}"]
                if path in found:
                    raise RenderError("two artifacts want one file", source=path)
                found[path] = Wanted(emit(artifact, _Resolve(use.id, where)), artifact.mode)
    found |= _launches(plan, layout, where)
    found[str(layout.rendered / "bridge.py")] = Wanted(_BRIDGE.read_bytes(), 0o755)
    found[str(layout.rendered / "plan.json")] = Wanted(plan_json(plan), 0o644)
    return found


def _place(use: UsePlan, artifact: Artifact) -> str:
    root = use.target.paths.get(artifact.root, f"/{artifact.root}").rstrip("/")
    return f"{root}/{artifact.path}"


def _launches(plan: Plan, layout: Layout, where: Mapping[str, str]) -> dict[str, Wanted]:
    """How each use is started; a launcher reads these and nothing else."""
    found = {}
    for use, launch in plan.launches.items():
        artifact = Artifact(id=f"{use}/launch", kind="launch", codec="launch", doc=_absolute(launch, where))
        path = str(layout.rendered / "launch" / f"{use}.json")
        found[path] = Wanted(emit(artifact, _Resolve("", where)), 0o644)
    return found


def _absolute(launch: Launch, where: Mapping[str, str]) -> Launch:
    args = tuple(where[a.id] if isinstance(a, ArtifactPath) else a for a in launch.args)
    return msgspec.structs.replace(launch, args=args)


class _Resolve:
    """Text for what only a host knows. A secret stays a reference, resolved when a process is started."""

    def __init__(self, use: str, where: Mapping[str, str]) -> None:
        self._use, self._where = use, where

    def __call__(self, leaf: SecretRef | ArtifactPath | Endpoint) -> str:
        match leaf:
            case ArtifactPath(id=name):
                return self._where[f"{self._use}/{name}" if self._use else name]
            case Endpoint(unix=unix, tcp=tcp):
                return unix or tcp
        return f"secret:{leaf.ref}"
