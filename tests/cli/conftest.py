"""Running `tappass` in the process and as a process, in a folder and a home of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from tappass_host.cli.root import build

ORG = """\
level: org
id: acme
params: {workspace: {type: path}}
network:
  default: deny
  allow_domains: ["*.example.com", "api.x.org:8443"]
filesystem:
  default: deny
  workspace: "${workspace}"
  read_only: [/usr]
  deny_paths:
    - {rule: "${workspace}/secret", reason: keys live here, owner: security, controls: [SOC2:CC6.1]}
tools:
  default: deny
  allow: [Read, Bash(git status), Bash(ls)]
  ask: [Bash(git push *)]
mcp: unmanaged
interpreter: unmanaged
data: unmanaged
llm: unmanaged
budget: {tool_calls_per_minute: 60}
process: {memory_mb: 512}
credentials: unmanaged
"""
AGENT = """\
level: agent
id: coder
network:
  allow_domains: [docs.example.com]
"""
RUNTIME = """\
schema: tappass.runtime/v1
name: box
uses:
  - {id: bubblewrap, provider: bubblewrap}
  - {id: monty, provider: monty, inside: bubblewrap}
"""
SANDBOX = """\
policies: [org.yaml, agent.yaml]
runtimes: [box.yaml]
audience: {sandbox_id: coder}
params: {workspace: /srv/ws}
expires_in: 90d
"""


class Ran(NamedTuple):
    """How one command line ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = json.loads(self.err)["error"]
        return error


Run = Callable[..., Ran]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in; keys and roots lie beside it."""
    project = tmp_path / "project"
    project.mkdir()
    for name in ("NO_COLOR", "COLUMNS", "SOURCE_DATE_EPOCH", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TAPPASS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(project)
    return project


@pytest.fixture
def run() -> Run:
    """Run a command line in this process."""

    def call(*args: str, input: str | None = None) -> Ran:  # noqa: A002
        done = CliRunner().invoke(build(), list(args), input=input)
        return Ran(done.exit_code, done.stdout, done.stderr)

    return call


@pytest.fixture
def process() -> Run:
    """Run a command line as a process of its own."""

    def call(*args: str, input: str | None = None, **env: str) -> Ran:  # noqa: A002
        argv = [sys.executable, "-m", "tappass_host.cli.main", *args]
        done = subprocess.run(
            argv,
            input=input,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, **env},
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def sources(place: Path) -> Path:
    """Levels, a Runtime and a sandbox file."""
    texts = {"org.yaml": ORG, "agent.yaml": AGENT, "box.yaml": RUNTIME, "sandbox.yaml": SANDBOX}
    for name, text in texts.items():
        (place / name).write_text(text)
    return place


@pytest.fixture
def compiled(sources: Path, run: Run) -> str:
    """`compiled.json`."""
    ran = run("policy", "compile", "--out", "compiled.json")
    assert ran.code == 0, ran.err
    return "compiled.json"


@pytest.fixture
def signed(compiled: str, run: Run) -> str:
    """`policy.dsse.json`, signed with the key `signing` that the root of acme trusts."""
    assert run("key", "new", "signing", "--org", "acme").code == 0
    ran = run("policy", "sign", compiled, "--key", "signing", "--out", "policy.dsse.json")
    assert ran.code == 0, ran.err
    return "policy.dsse.json"
