"""What `policy compile` is given: a sandbox file, or levels by file or folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tappass_host.cli.clock import span_of
from tappass_host.cli.files import FileError, read
from tappass_host.cli.runtimes import Runtime, runtime_of
from tappass_host.policy.authored import Level, load_level
from tappass_host.policy.errors import SchemaError
from tappass_host.policy.marked import parse_yaml
from tappass_host.policy.sandbox import Sandbox, is_sandbox, parse_sandbox

SANDBOX_FILE = "sandbox.yaml"


class Sources(NamedTuple):
    """Everything that a policy is compiled from."""

    levels: tuple[Level, ...]
    sandbox: Sandbox
    runtimes: tuple[Runtime, ...]
    file: str
    catalogue: str

    @property
    def expires_in(self) -> int:
        """How long the policy lasts, in seconds.

        Raises:
            SchemaError: the sandbox file says it in another form.
        """
        seconds = span_of(self.sandbox.expires_in)
        if seconds is None:
            what = f"expires_in is {self.sandbox.expires_in!r}"
            raise SchemaError(what, pointer="/expires_in", source=self.file, remedy="write 90d or 12h")
        return seconds


def gather(paths: Sequence[str]) -> Sources:
    """Read the sandbox file, or the levels, that were named; `sandbox.yaml` here if nothing was.

    Raises:
        FileError, PolicyError, RecipeError: the first thing that cannot be used, at its place.
    """
    files = [found for path in paths or (SANDBOX_FILE,) for found in _expand(Path(path))]
    if len(files) == 1 and is_sandbox(parse_yaml(read(files[0]), source=str(files[0]))):
        return load_sandbox(files[0])
    levels = tuple(load_level(read(path), source=str(path)) for path in files)
    return Sources(levels, Sandbox(policies=tuple(map(str, files))), (), "", "")


def load_sandbox(path: Path) -> Sources:
    """Read a sandbox file and everything that it names."""
    sandbox, folder = parse_sandbox(read(path), source=str(path)), path.parent
    levels = tuple(load_level(read(folder / name), source=str(folder / name)) for name in sandbox.policies)
    runtimes = tuple(runtime_of(str(folder / name)) for name in sandbox.runtimes)
    catalogue = str(folder / sandbox.catalogue) if sandbox.catalogue else ""
    return Sources(levels, sandbox, runtimes, str(path), catalogue)


def _expand(path: Path) -> list[Path]:
    """A folder stands for its sandbox file, or else for the levels in it."""
    if not path.is_dir():
        if str(path) == SANDBOX_FILE and not path.exists():
            remedy = "name the files of your levels, or begin with tappass policy init --preset standard"
            raise FileError("no sandbox.yaml here", remedy=remedy)
        return [path]
    if (path / SANDBOX_FILE).exists():
        return [path / SANDBOX_FILE]
    levels = [found for found in sorted(path.glob("*.yaml")) if _is_level(found)]
    if not levels:
        remedy = "begin one with: tappass policy init --preset standard"
        raise FileError("holds neither sandbox.yaml nor a level", source=str(path), remedy=remedy)
    return levels


def _is_level(path: Path) -> bool:
    value = parse_yaml(read(path), source=str(path)).value
    return isinstance(value, dict) and "level" in value
