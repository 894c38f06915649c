"""A plan made real below one scratch folder: files on disk, launches as commands, services to start.

What runs is what was rendered: the stage only fills in where files lie, the way a host does when it applies a
plan. It writes nothing outside its folder.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tappass_host.compiler.plan import Plan, UsePlan
from tappass_host.policy.errors import MissingTargetError
from tappass_host.prove.lab import Command
from tappass_host.sdk.artifacts import Artifact, ArtifactPath, Endpoint, Launch, SecretRef
from tappass_host.sdk.emit import emit

# Programs of this package, by the names that launches use.
OURS: Final[dict[str, tuple[str, ...]]] = {
    "tappass-egress": (sys.executable, "-m", "tappass_host.dataplane.egress", "--ready-fd", "1"),
}


class Stage:
    """One plan on disk."""

    def __init__(self, plan: Plan, root: Path, programs: Mapping[str, str]) -> None:
        self.plan = plan
        self.root = root
        self._programs = programs
        self._paths: dict[str, Path] = {}
        for use in plan.uses:
            self._write(use)

    def path(self, use: str, artifact: str) -> Path:
        """Where an artifact of a use lies.

        Raises:
            KeyError: there is none.
        """
        return self._paths[f"{use}/{artifact}"]

    def folder(self, use: str, root: str, top: str) -> Path | None:
        """The folder that stands for `<root>/<top>` of a use, such as `/etc/claude-code`; None if empty."""
        folder = self.root / use / root / top
        return folder if folder.is_dir() else None

    def command(self, use: str, *extra: str, env: Mapping[str, str] | None = None, cwd: str = "/") -> Command:
        """How a use is started with everything around it; `extra` follows its own arguments.

        Raises:
            KeyError: the use is not launched.
        """
        launch = self.plan.launches[use]
        return Command(
            argv=(*self._program(launch.program), *map(self._argument, launch.args), *extra),
            env={**{k: self._value(v) for k, v in launch.env.items()}, **(env or {})},
            cwd=cwd,
            fds={number: self._argument(path) for number, path in launch.fds.items()},
            rlimits=launch.rlimits,
        )

    def services(self) -> list[Command]:
        """The services of the plan, to be started before anything that goes through them."""
        found = []
        for use in self.plan.uses:
            if use.position == "host" and use.id in self.plan.launches:
                command = self.command(use.id, env={"PATH": "/usr/bin:/bin"})
                found.append(command._replace(background=True))
        return found

    def _write(self, use: UsePlan) -> None:
        artifacts = [a for a in use.config.artifacts if a.kind != "launch"]
        for artifact in artifacts:
            self._paths[f"{use.id}/{artifact.id}"] = self._place(use, artifact)
        for artifact in artifacts:
            path = self._paths[f"{use.id}/{artifact.id}"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(emit(artifact, lambda leaf, use=use.id: self._leaf(use, leaf)))  # type: ignore[misc]

    def _place(self, use: UsePlan, artifact: Artifact) -> Path:
        """Run-time state lies where the use was told it does; everything else below the stage's folder."""
        if artifact.root == "run" and "run" in use.target.paths:
            return Path(use.target.paths["run"]) / artifact.path
        return self.root / use.id / artifact.root / artifact.path

    def _leaf(self, use: str, leaf: SecretRef | ArtifactPath | Endpoint) -> str:
        match leaf:
            case ArtifactPath(id=artifact):
                return str(self._paths[f"{use}/{artifact}"])
            case Endpoint(unix=unix, tcp=tcp):
                return unix or tcp
            case SecretRef(ref=ref):
                return f"secret-of-{ref}"
        raise TypeError(leaf)

    def _value(self, value: str | SecretRef) -> str:
        return value if isinstance(value, str) else f"secret-of-{value.ref}"

    def _argument(self, argument: str | ArtifactPath) -> str:
        return str(self._paths[argument.id]) if isinstance(argument, ArtifactPath) else argument

    def _program(self, name: str) -> tuple[str, ...]:
        if name in OURS:
            return OURS[name]
        path = name if name.startswith("/") else self._programs.get(name)
        if not path:
            raise MissingTargetError(f"{name} is not on this machine", remedy="make conformance installs it")
        return (path,)


def own_launch(use: UsePlan) -> Launch | None:
    """How a use alone is started, without what is around it."""
    launches = (a.doc for a in use.config.artifacts if a.kind == "launch" and isinstance(a.doc, Launch))
    return next(launches, None)
