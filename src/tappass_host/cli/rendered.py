"""A plan as files: which there are, writing them all or none, and comparing them with what is there."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tappass_host.cli.files import FileError, make_folder
from tappass_host.cli.files import read as read_file
from tappass_host.policy.errors import RenderError
from tappass_host.sdk.artifacts import Artifact, ArtifactPath, Endpoint, SecretRef
from tappass_host.sdk.emit.dispatch import emit
from tappass_host.sdk.emit.values import symbolic

if TYPE_CHECKING:
    from tappass_host.compiler.plan import Plan, UsePlan

PLAN_FILE = "plan.json"
_MARK = b'"tappass.plan/v1"'


class File(NamedTuple):
    """One file of a rendering."""

    data: bytes
    mode: int


def files_of(plan: "Plan") -> dict[str, File]:
    """Every file of a plan by `root/path`, the launches as `launch/USE.json`, and `plan.json`.

    Raises:
        RenderError: two artifacts have one place, or an artifact does not fit its codec.
    """
    from tappass_host.compiler.plan import plan_document
    from tappass_host.policy.canonical import canonical_bytes

    where = _places(plan)
    found: dict[str, File] = {}
    for planned in plan.artifacts:
        artifact = planned.artifact
        if artifact.kind == "launch" or not artifact.path:
            continue
        name = f"{artifact.root}/{artifact.path}"
        if name in found:
            raise RenderError(f"two artifacts want {name}", source=artifact.id)
        found[name] = File(emit(artifact, _Resolver(planned.use, where)), artifact.mode)
    for use, launch in plan.launches.items():
        artifact = Artifact(id=f"{use}/launch", kind="launch", codec="launch", doc=launch)
        found[f"launch/{use}.json"] = File(emit(artifact, _Resolver("", where)), 0o644)
    found[PLAN_FILE] = File(_pretty(canonical_bytes(plan_document(plan))), 0o644)
    return dict(sorted(found.items()))


def _places(plan: "Plan") -> dict[str, str]:
    """`use/artifact id` -> where it lies on the host."""
    return {
        f"{use.id}/{artifact.id}": f"{_root(use, artifact)}/{artifact.path}"
        for use in plan.uses
        for artifact in use.config.artifacts
    }


def _root(use: "UsePlan", artifact: Artifact) -> str:
    return use.target.paths.get(artifact.root, f"/{artifact.root}").rstrip("/")


class _Resolver:
    """Text for the few values that only a host knows. A secret stays a reference."""

    def __init__(self, use: str, where: Mapping[str, str]) -> None:
        self._use = use
        self._where = where

    def __call__(self, reference: SecretRef | ArtifactPath | Endpoint) -> str:
        match reference:
            case ArtifactPath(id=name):
                return self._where[f"{self._use}/{name}" if self._use else name]
            case Endpoint(unix=unix, tcp=tcp) if unix or tcp:
                return unix or tcp
        return symbolic(reference)


def _pretty(data: bytes) -> bytes:
    import msgspec

    return msgspec.json.format(data, indent=2) + b"\n"


def write_files(folder: Path, files: Mapping[str, File]) -> None:
    """Write a whole rendering: staged beside the folder, then put in its place.

    Raises:
        FileError: the folder holds something else, or cannot be written; what was there is untouched.
    """
    _check_ours(folder)
    make_folder(folder.parent)
    beside = folder.with_name(f".{folder.name}.{os.urandom(4).hex()}")
    try:
        for name, file in files.items():
            _write(beside / name, file)
        _swap(beside, folder)
    except OSError as error:
        raise FileError(f"cannot be written: {error.strerror}", source=str(folder)) from None
    finally:
        _remove(beside)


def _check_ours(folder: Path) -> None:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    plan = folder / PLAN_FILE
    if not plan.is_file() or _MARK not in read_file(plan, max_bytes=64 * 1024 * 1024):
        remedy = "choose a folder of its own; only what tappass rendered is replaced"
        raise FileError("exists and is no rendering", source=str(folder), remedy=remedy)


def _write(path: Path, file: File) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.write(file.data)
        stream.flush()
        os.fsync(stream.fileno())
    path.chmod(file.mode)


def _swap(beside: Path, folder: Path) -> None:
    if not folder.exists():
        beside.rename(folder)
        return
    old = folder.with_name(f".{folder.name}.old.{os.urandom(4).hex()}")
    folder.rename(old)
    try:
        beside.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    _remove(old)


def _remove(folder: Path) -> None:
    """Remove a folder of ours. `shutil` would take longer to load than all the writing takes."""
    if not folder.is_dir() or folder.is_symlink():
        return
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            _remove(path)
        else:
            path.unlink()
    folder.rmdir()


def differences(folder: Path, files: Mapping[str, File]) -> Iterator[tuple[str, list[str]]]:
    """What differs between a folder and a rendering: name, and lines of a unified diff."""
    there = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    for name in sorted({*there, *files}):
        before, after = there.get(name), files[name].data if name in files else None
        if before != after:
            yield name, _diff(name, before, after)


def _diff(name: str, before: bytes | None, after: bytes | None) -> list[str]:
    from difflib import unified_diff

    old, new = (_lines(data) for data in (before, after))
    first, second = ("/dev/null" if data is None else name for data in (before, after))
    return list(unified_diff(old, new, first, second, lineterm=""))


def _lines(data: bytes | None) -> list[str]:
    """Readable lines of any codec: NUL ends a line too."""
    return (data or b"").decode(errors="backslashreplace").replace("\0", "\n").splitlines()
