"""Whole processes: `tappass --version`, `tappass render` of a Runtime of five positions, and rulesync."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import measure
from measure import Timing, ms, table, times

from tappass_host.prove.targets import Catalogue, Missing

REPOSITORY = Path(__file__).resolve().parents[1]
ACME = REPOSITORY / "examples" / "acme"
TAPPASS = str(Path(sys.executable).with_name("tappass"))
FIVE = {
    "harness": "claude-code",
    "kernel": "bubblewrap",
    "interpreter": "monty",
    "llm-gateway": "llm-gateway-anthropic",
    "host": "egress-proxy",
}
# The rules of examples/acme as far as rulesync has words for them: commands and files.
PERMISSIONS = {
    "permission": {
        "bash": {
            "*": "ask",
            **dict.fromkeys(("git *", "ls *", "cat *", "grep *", "pwd"), "allow"),
            "git push *": "ask",
            **dict.fromkeys(("curl *", "wget *", "ssh *", "sudo *", "git push --force *"), "deny"),
        },
        "read": dict.fromkeys(("~/.ssh/**", "~/.aws/**", "~/.netrc", "**/.env", "deploy/keys/**"), "deny"),
        "edit": {"**": "allow", "deploy/keys/**": "deny"},
    }
}
RULESYNC_TARGETS = "claudecode,cursor,opencode"


def processes() -> str:
    """The table; what is not here is a line that says how to get it."""
    with tempfile.TemporaryDirectory(prefix="tappass-bench-") as folder:
        return "".join(_lines(Path(folder)))


def _lines(folder: Path) -> Iterator[str]:
    env = _environment(folder)
    bare = measure.of_process([sys.executable, "-c", "pass"], env=env)
    rows = [("python -c pass", bare, "")]
    rows.append(("tappass --version", measure.of_process([TAPPASS, "--version"], env=env), "<= 60"))
    render = _render(folder, env)
    rows.append(("tappass render, five positions", measure.of_process(render, cwd=folder, env=env), "<= 150"))
    with _rulesync(folder) as found:
        if isinstance(found, Missing):
            note = f"rulesync left out: {found.reason}. Install it: python conformance/install.py rulesync\n"
        else:
            note = ""
            timing = measure.of_process(found, runs=5, cwd=folder / "rulesync", env=env)
            rows.append(("rulesync generate, permissions of three tools", timing, ""))
    yield table(
        "Whole processes: ms of CPU, user and system with children",
        ["", "p50", "best", "budget", "beside python", "beside tappass render"],
        [_row(name, timing, budget, bare, rows[2][1]) for name, timing, budget in rows],
    )
    yield note


def _row(name: str, timing: Timing, budget: str, bare: Timing, render: Timing) -> list[str]:
    ratios = times(timing.p50 / bare.p50), times(timing.p50 / render.p50)
    return [name, ms(timing.p50), ms(timing.best), budget, *ratios]


def _environment(folder: Path) -> dict[str, str]:
    """As on a user's machine: byte code is kept, keys lie elsewhere."""
    env = {**os.environ, "TAPPASS_HOME": str(folder / "home"), "PYTHONPYCACHEPREFIX": str(folder / "pyc")}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    return env


def _render(folder: Path, env: dict[str, str]) -> list[str]:
    """`tappass render` of the signed example: verification, five targets, the join, and files on disk."""
    shutil.copytree(ACME, folder, dirs_exist_ok=True)
    providers = ",".join(f"{position}={name}" for position, name in FIVE.items())
    for line in (
        f"runtime create five --providers {providers}",
        "key new bench --org acme",
        "policy compile org.yaml project.yaml agent.yaml --runtime five --out compiled.json",
        "policy sign compiled.json --key bench --out policy.dsse.json",
    ):
        subprocess.run([TAPPASS, *line.split()], cwd=folder, env=env, check=True, capture_output=True)
    given = "--facts none --param workspace=/srv/checkout --param home=/home/dev --allow-gaps"
    return [TAPPASS, *f"render --policy policy.dsse.json --runtime five {given} --out out --json".split()]


@contextmanager
def _rulesync(folder: Path) -> Iterator[list[str] | Missing]:
    """rulesync with the same rules, or why it is not here."""
    catalogue = Catalogue.load(REPOSITORY / "conformance" / "targets.toml")
    located = catalogue.locate("rulesync")
    if isinstance(located, Missing):
        yield located
        return
    rules = folder / "rulesync" / ".rulesync"
    rules.mkdir(parents=True)
    (rules / "permissions.jsonc").write_text(json.dumps(PERMISSIONS))
    yield [*catalogue.argv(located), "generate", "-t", RULESYNC_TARGETS, "-f", "permissions"]
