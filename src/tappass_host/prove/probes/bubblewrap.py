"""Tries the exec corpus inside the rendered sandbox: one launch for all cases, and one without a sandbox."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tappass_host.compiler.plan import UsePlan
from tappass_host.prove.cases import Case
from tappass_host.prove.corpus import STRAY_VARIABLE, exec_cases
from tappass_host.prove.lab import Command, Lab
from tappass_host.prove.outcome import Outcome
from tappass_host.prove.sandbox import Completed
from tappass_host.prove.stage import Stage
from tappass_host.prove.world import World

PROVES: Final = "bubblewrap"
SURFACES: Final = ("exec",)
_AGENT: Final = Path(__file__).with_name("agent.py")
# What the corpus needs inside: any Python 3; the sandbox has the system's own where the policy grants /usr.
_PYTHON: Final = "/usr/bin/python3"
_SECONDS: Final = 60.0
# How a kernel, or a file system that is not there, says no. Anything else proves nothing.
_REFUSALS: Final = (
    "PermissionError", "FileNotFoundError", "NotADirectoryError", "KeyError", "Errno 13]", "Errno 16]",
    "Errno 18]", "Errno 24]", "Errno 30]", "Errno 101]",
)  # fmt: skip
_UNREACHABLE: Final = ("OSError(101,", "gaierror", "ConnectionRefusedError")


def cases(use: UsePlan, world: World) -> list[Case]:
    """The cases of this target."""
    return exec_cases(use.policy, world)


def with_policy(stage: Stage, use: UsePlan, tried: Sequence[Case], lab: Lab) -> list[Outcome]:
    """Try the cases under the rendered policy."""
    command = stage.command(use.id, *_argv(), cwd=str(stage.root))
    done = lab.run([*stage.services(), _given(command, tried)])[-1]
    return _outcomes(done, tried, "bubblewrap")


def without_policy(stage: Stage, use: UsePlan, tried: Sequence[Case], lab: Lab) -> list[Outcome]:
    """The negative control: the same attempts with nothing around them."""
    del use
    env = {STRAY_VARIABLE: f"value-of-{STRAY_VARIABLE}"}
    env.update((c.attempt[1], f"value-of-{c.attempt[1]}") for c in tried if c.attempt[0] == "env")
    done = lab.run([_given(Command(argv=_argv(), env=env, cwd=str(stage.root)), tried)])[-1]
    return _outcomes(done, tried, "")


def _argv() -> tuple[str, ...]:
    return (_PYTHON, "-I", "-S", "-c", _AGENT.read_text(encoding="utf-8"))


def _given(command: Command, tried: Sequence[Case]) -> Command:
    return command._replace(stdin=json.dumps([case.attempt for case in tried]), timeout=_SECONDS)


def _outcomes(done: Completed, tried: Sequence[Case], by: str) -> list[Outcome]:
    """One line for each attempt; a missing line means that the attempt never ran, which proves nothing."""
    lines = done.stdout.splitlines()
    found = [_outcome(json.loads(line), case, by) for line, case in zip(lines, tried, strict=False)]
    why = done.stderr.strip()[-300:] or f"exit {done.rc}"
    missing: Outcome = Outcome("timeout" if done.timed_out else "failed", why)
    return found + [missing] * (len(tried) - len(found))


def _outcome(answer: dict[str, object], case: Case, by: str) -> Outcome:
    text = str(answer["text"])
    if answer["ok"] and case.mark in text:
        return Outcome("ran", text[:200])
    if answer["ok"]:
        # A masked folder is empty, not forbidden: what counts is that the canary was not seen.
        return Outcome("blocked", text[:200], by)
    refused = _refused_connection(text) if case.attempt[0] == "connect" else _says(text, _REFUSALS)
    by = "egress-proxy" if by and " 403 " in text else by
    return Outcome("blocked" if refused else "failed", text[:200], by)


def _refused_connection(text: str) -> bool:
    """Both ways have to be refused: the direct one by the kernel, the other by (or for want of) a proxy."""
    direct, _, proxied = text.partition("; through_proxy: ")
    return _says(direct, _UNREACHABLE) and _says(proxied, (" 403 ", "KeyError"))


def _says(text: str, words: tuple[str, ...]) -> bool:
    return any(word in text for word in words)
