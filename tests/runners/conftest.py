import importlib.util
import os
import textwrap
from pathlib import Path

import pytest

from tappass_host.runners import run
from tappass_host.sdk.configs.interpreter import (
    HostFunction,
    Limits,
    Manifest,
    PolicyRef,
    Target,
    encode_manifest,
)

NOW = 1_800_000_000  # 2027-01-15T08:00:00Z


@pytest.fixture(scope="session")
def monty():
    if importlib.util.find_spec("pydantic_monty") is None:
        pytest.skip("pydantic-monty is not installed: pip install 'tappass-host[monty]'")


@pytest.fixture
def make_manifest():
    """Bytes of a manifest that is valid now; limits are given by name, the rest as fields."""

    def make(*, limits=None, target=None, policy=None, **fields):
        limits = {"memory_bytes": 64 << 20, "cpu_time_ms": 2000, "wall_ms": 10_000} | (limits or {})
        policy = {
            "digest": "sha256:" + "0" * 64,
            "version": 7,
            "not_before": "2027-01-01T00:00:00Z",
            "expires_at": "2027-02-01T00:00:00Z",
        } | (policy or {})
        target = {"id": "monty", "versions": "1.4"} | (target or {})
        manifest = Manifest(
            target=Target(**target), policy=PolicyRef(**policy), limits=Limits(**limits), **fields
        )
        return encode_manifest(manifest)

    return make


@pytest.fixture
def run_code(monty, make_manifest):
    """Run code under a manifest made of the given fields."""

    def go(code, *, host_functions=None, declared=None, value=None, on_stdout=None, **fields):
        if declared is None:
            declared = tuple(HostFunction(name=name) for name in sorted(host_functions or {}))
        return run(
            make_manifest(host_functions=declared, **fields),
            code,
            host_functions=host_functions,
            input=value,
            on_stdout=on_stdout,
            now=NOW,
        )

    return go


@pytest.fixture
def outcomes(run_code):
    """Run many snippets in one run; return how each ended: the name of its exception, or the text of `x`."""

    def go(snippets, **fields):
        parts = ["ends = []"]
        for snippet in snippets:
            body = textwrap.indent(f"x = 'went through'\n{snippet}", "  ")
            parts.append(
                f"try:\n{body}\n  ends.append(x)\nexcept BaseException as e:\n  ends.append(type(e).__name__)"
            )
        result = run_code("\n".join([*parts, "ends"]), **fields)
        assert result.status == "ok", result
        return dict(zip(snippets, result.result, strict=True))

    return go


@pytest.fixture
def now():
    return NOW


class Processes:
    """The runner's child and the engine's worker, seen from outside through /proc."""

    @staticmethod
    def _children(pid):
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    stat = (entry / "stat").read_text()
                except OSError:
                    continue
                if int(stat.rpartition(")")[2].split()[1]) == pid:
                    found.append(int(entry.name))
        return found

    def pair(self):
        """Pids of child and worker."""
        (child,) = [p for p in self._children(os.getpid()) if b"runners.child" in self.read(p, "cmdline")]
        (worker,) = self._children(child)
        return child, worker

    @staticmethod
    def read(pid, name):
        try:
            return Path(f"/proc/{pid}/{name}").read_bytes()
        except OSError:
            return b""

    @staticmethod
    def alive(pid):
        return Path(f"/proc/{pid}").exists()


@pytest.fixture
def processes():
    if not Path("/proc/self/stat").exists():
        pytest.skip("needs /proc: Linux only")
    return Processes()
