"""The small world that a policy is tried in: a home, a workspace and outsiders, with a canary in every place.

Everything lies below one scratch folder, so nothing of the machine is written to. Paths of the policy below
that folder get something to be denied or granted; paths elsewhere are only ever read.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tappass_host.policy.effective import EffectivePolicy, FsRule

# Last segments that are files although nothing in the policy says so; anything with an inner dot is one too.
_FILES: Final = frozenset(
    {".env", ".envrc", ".netrc", ".npmrc", ".gitconfig", ".git-credentials", ".bashrc", ".profile", "config"}
)
# What self-protection adds is a long list of files of one kind; these few stand for all of them.
TRAMPOLINES: Final = (".git/config", ".git/hooks", ".envrc", ".mcp.json")
CANARY: Final = "canary"


class World(NamedTuple):
    """Where things are."""

    root: Path

    @property
    def workspace(self) -> Path:
        """The agent's working folder."""
        return self.root / "workspace"

    @property
    def home(self) -> Path:
        """The agent's home."""
        return self.root / "home"

    @property
    def outside(self) -> Path:
        """A folder that no policy names."""
        return self.root / "outside"

    def params(self) -> dict[str, str]:
        """Values for the usual parameters of a policy."""
        return {"workspace": str(self.workspace), "home": str(self.home), "user": "agent"}

    def inside(self, path: str) -> bool:
        """True for a path of this world, which may be written."""
        return Path(path).is_relative_to(self.root)


def build_world(root: Path, policy: EffectivePolicy) -> World:
    """Make the folders and canaries that a bound policy speaks of."""
    world = World(root)
    for folder in (root / "state", root / "run"):
        folder.mkdir(parents=True, exist_ok=True)
    for folder in (world.workspace, world.home, world.outside):
        folder.mkdir(parents=True, exist_ok=True)
        put(folder / "note.txt")
    for rule in (*policy.fs.grants, *policy.fs.denies):
        path = example(rule)
        if world.inside(path):
            _furnish(Path(path))
    for tail in TRAMPOLINES:
        _furnish(world.workspace / "sub" / tail)
    return world


def example(rule: FsRule) -> str:
    """A concrete path that a rule is about: stars become ordinary names."""
    names = [("sub" if s == "**" else s.replace("*", "x").replace("?", "x")) for s in rule.path.segments]
    return "/" + "/".join(names)


def canary_of(path: str) -> str:
    """The file to read in order to show that a path is readable."""
    return path if is_file_name(path) else f"{path.rstrip('/')}/{CANARY}"


def mark_of(path: str) -> str:
    """The text in that file: nothing else holds it."""
    return f"canary<{canary_of(path)}>"


def is_file_name(path: str) -> bool:
    """Tell by its name whether a path is meant to be a file."""
    name = path.rpartition("/")[2]
    return name in _FILES or "." in name[1:]


def _furnish(path: Path) -> None:
    if path.exists() and (path.is_dir() == is_file_name(str(path))):
        return
    if is_file_name(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
    else:
        path.mkdir(parents=True, exist_ok=True)
    put(Path(canary_of(str(path))))


def put(path: Path) -> None:
    """Write a canary that names its own place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A comment in every format that a program may read it as.
    path.write_text(f"# canary<{path}>\n", encoding="utf-8")


def below(policy: EffectivePolicy, world: World, rules: tuple[FsRule, ...]) -> Iterator[tuple[FsRule, str]]:
    """Rules with an example path inside the world; of what a Runtime adds only a few that stand for all."""
    for rule in rules:
        path = example(rule)
        said = policy.doc.provenance.get(rule.statement)
        added = said is not None and said.level == "runtime"
        if world.inside(path) and (not added or path.endswith(TRAMPOLINES)):
            yield rule, path


def real_files(policy: EffectivePolicy, world: World) -> Iterator[tuple[str, str]]:
    """For each rule about paths of the machine itself a file that can be read here, and a piece of it.

    Not below the temporary folder: a ring may give its own.
    """
    for rule in (*policy.fs.grants, *policy.fs.denies):
        path, said = str(rule.path), policy.doc.provenance.get(rule.statement)
        added = said is not None and said.level == "runtime"
        if rule.path.is_glob or added or world.inside(path) or _is_temporary(path):
            continue
        found = _readable(path)
        if found is not None:
            yield found


def _is_temporary(path: str) -> bool:
    return Path(path).is_relative_to(tempfile.gettempdir())


def _readable(path: str) -> tuple[str, str] | None:
    """A small text file at or below a path, and a piece of it that is long enough to be recognised."""
    for count, place in enumerate([path] if Path(path).is_file() else _below(path)):
        if count > _MOST_LOOKED_AT:
            return None
        try:
            text = Path(place).read_text(encoding="utf-8")[:_PIECE]
        except (OSError, UnicodeDecodeError):
            continue
        if len(text.strip()) >= _RECOGNISED:
            return place, text.strip()[:_RECOGNISED]
    return None


def _below(folder: str) -> Iterator[str]:
    for above, _folders, files in os.walk(folder):
        yield from (f"{above}/{name}" for name in sorted(files) if not Path(above, name).is_symlink())


_MOST_LOOKED_AT: Final = 2_000
_PIECE: Final = 4096
_RECOGNISED: Final = 16
