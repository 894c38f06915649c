"""The interpreters a runner can start, one module each, and the little that each must offer.

An engine is used on both sides of the pipe: the runner asks what it is and how much address space it needs,
the confined child runs code in it. Engine modules import their interpreter only inside `load` and
`run_child`, never at module level. Standard library only.
"""

import importlib
from typing import Any, Literal, NamedTuple, Protocol, TypedDict

# Engine id -> module. A new engine is one line here and one module beside `monty`.
_MODULES = {"monty": "tappass_host.runners.engines.monty"}

Kind = Literal["sync", "async"]
Status = Literal["ok", "error", "denied", "timeout", "memory", "crashed"]


class MountSpec(TypedDict):
    """One folder, as in the manifest."""

    host: str
    guest: str
    mode: Literal["ro", "rw"]
    write_bytes: int


class Spec(TypedDict):
    """All that the child is told about one run."""

    code: str
    input: Any
    limits: dict[str, int]
    mounts: list[MountSpec]
    env: dict[str, str]
    functions: dict[str, Kind]
    imports_allow: list[str] | None
    imports_deny: list[str]


class Failure(NamedTuple):
    """Type and message of an exception, as the code would see it."""

    type: str
    message: str


class Outcome(NamedTuple):
    """How a run ended inside the engine."""

    status: Status
    result: Any = None
    error: Failure | None = None


class Host(Protocol):
    """What an engine may ask of the trusted side."""

    def call(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Call a host function, declared or not; the trusted side decides.

        Raises:
            HostCallError: denied, or the function itself failed.
        """

    def write(self, text: str) -> None:
        """Pass on what the code printed. Does not return where that is more than the manifest allows."""

    def refused(self, name: str, reason: str) -> None:
        """Report something the engine itself refused, so that it is recorded."""


class HostCallError(Exception):
    """A host function was denied or failed; to be raised inside the interpreter under its `type`."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.type = failure.type
        self.message = failure.message


class Engine(Protocol):
    """One interpreter."""

    id: str
    # Release prefixes this module was proven against.
    versions: tuple[str, ...]

    def load(self) -> str:
        """Import the interpreter and return its version.

        Raises:
            ImportError: it is not installed, or not whole.
        """

    def address_space(self, memory_bytes: int) -> int | None:
        """Return the RLIMIT_AS it needs for that much memory, or None where it cannot work under one."""

    def run_child(self, spec: Spec, host: Host) -> Outcome:
        """Run `spec["code"]` to its end, in the confined child."""


def engine_ids() -> tuple[str, ...]:
    """Return the ids of all engines, installed or not."""
    return tuple(sorted(_MODULES))


def get_engine(engine_id: str) -> Engine:
    """Return one engine without loading its interpreter.

    Raises:
        KeyError: no such engine.
    """
    engine: Engine = importlib.import_module(_MODULES[engine_id]).ENGINE
    return engine


def version_matches(version: str, prefixes: str) -> bool:
    """Tell whether `version` belongs to one of the comma-separated release prefixes: 1.4.2 to `1.4`."""
    return any(f"{version}.".startswith(f"{prefix}.") for prefix in prefixes.split(",") if prefix)
