"""Tries the code corpus in the real interpreter, through the runner and the rendered manifest."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from tappass_host.compiler.plan import UsePlan
from tappass_host.policy import actions as a
from tappass_host.prove.cases import Case
from tappass_host.prove.corpus import code_cases
from tappass_host.prove.lab import Lab
from tappass_host.prove.outcome import Outcome, Status
from tappass_host.prove.stage import Stage
from tappass_host.prove.world import World

PROVES: Final = "monty"
SURFACES: Final = ("code",)
_STATUS: Final[dict[str, Status]] = {
    "timeout": "blocked",
    "memory": "blocked",
    "denied": "blocked",
    "crashed": "failed",
}
# What monty says where it refuses, by the first word of its error; any other error proves nothing.
_REFUSALS: Final = ("NameError", "ModuleNotFoundError", "ImportError", "PermissionError", "FileNotFoundError")


def cases(use: UsePlan, world: World) -> list[Case]:
    """The cases of this target."""
    return code_cases(use.policy, world)


def with_policy(stage: Stage, use: UsePlan, tried: Sequence[Case], lab: Lab) -> list[Outcome]:
    """Try the cases under the rendered manifest."""
    del lab
    manifest = stage.path(use.id, "manifest").read_bytes()
    return [_outcome(_run(manifest, case), case, "monty") for case in tried]


def without_policy(stage: Stage, use: UsePlan, tried: Sequence[Case], lab: Lab) -> list[Outcome]:
    """The negative control: a manifest that permits what each case needs, and that alone.

    monty knows no files, calls or memory without being given them, so a control "without policy" is one whose
    policy permits the action.
    """
    del lab
    manifest = msgspec.json.decode(stage.path(use.id, "manifest").read_bytes())
    return [_control(manifest, case) for case in tried]


def _control(manifest: dict[str, Any], case: Case) -> Outcome:
    action = case.actions[0]
    if isinstance(action, a.Use) and action.resource == "interpreter.cpu_time_ms":
        return _control_time(manifest, case)
    opened = {**manifest, **_opened(manifest, action)}
    return _outcome(_run(msgspec.json.encode(opened), case), case, "")


def _opened(manifest: dict[str, Any], action: a.Action) -> dict[str, Any]:
    match action:
        case a.Import():
            return {"imports": {}}
        case a.HostCall(name=name):
            return {"host_functions": [{"name": name}]}
        case a.File(path=path):
            folder = path.rpartition("/")[0]
            return {"mounts": [{"host": folder, "guest": folder, "mode": "rw", "write_bytes": 1 << 20}]}
        case a.Use(amount=amount):
            return {"limits": {**manifest["limits"], "memory_bytes": (4 * amount + 256) << 20}}
    return {}


def _control_time(manifest: dict[str, Any], case: Case) -> Outcome:
    """Under a longer limit the loop runs longer: it is the limit that ends it."""
    longer = 2 * manifest["limits"]["cpu_time_ms"]
    limits = {**manifest["limits"], "cpu_time_ms": longer, "wall_ms": longer + 10_000}
    result = _run(msgspec.json.encode({**manifest, "limits": limits}), case)
    outlived = result.status == "timeout" and result.usage.wall_ms >= longer
    return Outcome("ran", "ran until a longer limit") if outlived else _outcome(result, case, "")


def _run(manifest: bytes, case: Case) -> Any:
    from tappass_host.runners import run

    return run(manifest, case.attempt[1], host_functions=_functions(case))


def _functions(case: Case) -> dict[str, Callable[..., Any]]:
    names = [act.name for act in case.actions if isinstance(act, a.HostCall)]
    return {name: lambda *_args, name=name, **_named: f"called-{name}" for name in names}


def _outcome(result: Any, case: Case, by: str) -> Outcome:
    text = str(result.result) if result.status == "ok" else str(result.error or result.status)
    if result.status == "ok":
        return Outcome("ran" if case.mark in text else "blocked", text[:200], "" if case.mark in text else by)
    refused = _STATUS.get(result.status) or ("blocked" if _refusal(text) else "failed")
    return Outcome(refused, text[:200], by)


def _refusal(text: str) -> bool:
    return any(word in text for word in _REFUSALS)
