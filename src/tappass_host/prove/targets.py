"""Where the real targets are: the pinned catalogue and the copies found on this machine.

The pinned copy in the cache comes first, then what an operator has on PATH. Standard library
only: `conformance/install.py` runs this before anything is installed.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

Kind = Literal["npm", "pip", "apt"]

DEFAULT_CATALOGUE = Path(__file__).with_name("targets.toml")
MARKER = ".installed.json"
UNKNOWN_VERSION = "unknown"
_VERSION_TIMEOUT_S = 20
_VERSION = re.compile(r"\d+(?:\.\d+)+")
_NPM_ARCH = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


class Located(NamedTuple):
    """A target that can be driven: `digest` is the SHA-256 of what was found, as hex.

    `pinned` is false for a copy whose version is not the catalogue's: its verdicts speak of that
    version only.
    """

    id: str
    path: Path
    version: str
    digest: str
    origin: Literal["cache", "path"]
    pinned: bool


class Missing(NamedTuple):
    """A target that cannot be driven here, and what would change that."""

    id: str
    reason: str
    remedy: str


@dataclass(frozen=True)
class Target:
    """One entry of the catalogue, with the words for this machine filled in."""

    id: str
    kind: Kind
    package: str
    version: str
    path: str
    command: str
    version_argv: tuple[str, ...]
    why: str
    runtime: str = ""

    @property
    def pin(self) -> str:
        """Digest of everything an installed copy depends on: a changed pin is another installation."""
        abi = sys.implementation.cache_tag or "" if self.kind == "pip" else ""
        text = json.dumps([asdict(self), abi], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Catalogue:
    """All targets, and the folder that holds the pinned copies."""

    targets: Mapping[str, Target]
    cache: Path

    @classmethod
    def load(cls, path: Path = DEFAULT_CATALOGUE, *, cache: Path | None = None) -> "Catalogue":
        """Read the catalogue at `path`.

        Raises:
            OSError: it cannot be read.
            ValueError: it is not TOML, or an entry lacks a field or has one too many.
        """
        words = {"os": sys.platform, "arch": _NPM_ARCH.get(platform.machine().lower(), platform.machine())}
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
        return cls({key: _target(key, entry, words) for key, entry in entries.items()}, cache or cache_root())

    def target(self, target_id: str) -> Target:
        """The entry of `target_id`.

        Raises:
            ValueError: there is none.
        """
        if target_id not in self.targets:
            raise ValueError(f"no target {target_id!r} in the catalogue: {', '.join(self.targets)}")
        return self.targets[target_id]

    def prefix(self, target: Target) -> Path:
        """The folder of the pinned copy."""
        return self.cache / target.id / f"{target.version}-{target.pin[:12]}"

    def locate(self, target_id: str) -> Located | Missing:
        """The pinned copy, else the one on PATH (or importable), else why there is none.

        Raises:
            ValueError: the catalogue has no such target.
        """
        target = self.target(target_id)
        found = self._cached(target) or _elsewhere(target)
        if isinstance(found, Located) and target.runtime:
            runtime = self.locate(target.runtime)
            if isinstance(runtime, Missing):
                return Missing(target.id, f"needs {runtime.id}: {runtime.reason}", runtime.remedy)
        return found

    def argv(self, located: Located) -> list[str]:
        """How to start a located target: its runtime, if any, then its path."""
        runtime = self.targets[located.id].runtime
        found = self.locate(runtime) if runtime else None
        return [str(found.path), str(located.path)] if isinstance(found, Located) else [str(located.path)]

    def _cached(self, target: Target) -> Located | None:
        prefix = self.prefix(target)
        mark = _read_marker(prefix)
        path = prefix / target.path
        if mark.get("pin") != target.pin or mark.get("stamp") != stamp(path):
            return None
        version, digest = str(mark["version"]), str(mark["sha256"])
        return Located(target.id, path, version, digest, "cache", version == target.version)

    def write_marker(self, target: Target, prefix: Path) -> None:
        """Record a finished installation in `prefix`, with the digest and the version it prints.

        Raises:
            ValueError: what was installed does not run, or is not the pinned version.
        """
        path = prefix / target.path
        version = self.printed_version(target, path)
        if version != target.version and target.kind != "apt":
            raise ValueError(f"installed copy says version {version}, the pin says {target.version}")
        if version == UNKNOWN_VERSION:
            raise ValueError("installed copy does not run")
        mark = {"pin": target.pin, "stamp": stamp(path), "version": version, "sha256": digest_of(path)}
        (prefix / MARKER).write_text(json.dumps(mark), encoding="utf-8")

    def printed_version(self, target: Target, path: Path) -> str:
        """What the copy at `path` says it is."""
        if target.kind == "pip":
            return _distribution_version(target, [str(path.parent)])
        runtime = self.locate(target.runtime) if target.runtime else None
        lead = [str(runtime.path)] if isinstance(runtime, Located) else []
        return _run_version([*lead, str(path), *target.version_argv])


def cache_root() -> Path:
    """`$TAPPASS_CACHE`, else `targets` below the user's cache folder."""
    chosen = os.environ.get("TAPPASS_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(chosen) if chosen else Path(base).expanduser() / "tappass-host" / "targets"


def stamp(path: Path) -> list[int]:
    """Sizes and newest change: what tells cheaply that a copy is still the one that was hashed."""
    try:
        found = [file.stat() for file in _files(path)]
    except OSError:
        return []
    return [sum(s.st_size for s in found), max(s.st_mtime_ns for s in found)] if found else []


def digest_of(path: Path) -> str:
    """SHA-256 of a file, or of a folder's files in order, as hex; caches of Python are left out."""
    if path.is_file():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    whole = hashlib.sha256()
    for file in _files(path):
        whole.update(f"{file.relative_to(path)}\0{digest_of(file)}\n".encode())
    return whole.hexdigest()


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(f for f in path.rglob("*") if f.is_file() and "__pycache__" not in f.parts)


def _target(target_id: str, entry: dict[str, object], words: dict[str, str]) -> Target:
    fields = {k: _fill(v, words) for k, v in entry.items()}
    try:
        return Target(id=target_id, **fields)  # type: ignore[arg-type]
    except TypeError as wrong:
        raise ValueError(f"catalogue entry {target_id}: {wrong}") from wrong


def _fill(value: object, words: dict[str, str]) -> object:
    if isinstance(value, list):
        return tuple(value)
    return value.format(**words) if isinstance(value, str) else value


def _read_marker(prefix: Path) -> dict[str, object]:
    try:
        mark = json.loads((prefix / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return mark if isinstance(mark, dict) else {}


def _elsewhere(target: Target) -> Located | Missing:
    remedy = f"python conformance/install.py {target.id}"
    if target.kind == "pip":
        return _importable(target, remedy)
    found = shutil.which(target.command) if target.command else None
    if found is None:
        return Missing(target.id, f"{target.command} is not on PATH and no pinned copy is installed", remedy)
    real = Path(found).resolve()
    # A planted program in a user's PATH must not run as root merely to be asked its version.
    if os.geteuid() == 0 and not _only_root_writes(real):
        return Missing(
            target.id, f"{real} can be changed by others than root, so root does not run it", remedy
        )
    version = _run_version([str(real), *target.version_argv])
    return Located(target.id, real, version, digest_of(real), "path", version == target.version)


def _importable(target: Target, remedy: str) -> Located | Missing:
    try:
        distribution = metadata.distribution(target.package)
    except metadata.PackageNotFoundError:
        return Missing(target.id, f"{target.package} is not installed for this Python", remedy)
    path = Path(str(distribution.locate_file(target.path)))
    version = distribution.version
    return Located(target.id, path, version, digest_of(path), "path", version == target.version)


def _only_root_writes(path: Path) -> bool:
    for place in (path, *path.parents):
        status = place.stat()
        if status.st_uid != 0 or status.st_mode & 0o022:
            return False
    return True


def _distribution_version(target: Target, where: list[str]) -> str:
    found = metadata.distributions(name=target.package, path=where)
    return next((d.version for d in found), UNKNOWN_VERSION)


def _run_version(argv: list[str]) -> str:
    with tempfile.TemporaryDirectory(prefix="tappass-version-") as home:
        env = {"PATH": os.defpath, "HOME": home}
        try:
            done = subprocess.run(
                argv,
                env=env,
                cwd=home,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=_VERSION_TIMEOUT_S,
            )
        except (OSError, subprocess.TimeoutExpired):
            return UNKNOWN_VERSION
    match = _VERSION.search(done.stdout + done.stderr) if done.returncode == 0 else None
    return match.group() if match else UNKNOWN_VERSION
