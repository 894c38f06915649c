"""A provider that claims what a test says, recordings made by the record API, and plugins that are installed."""

import importlib
import sys
from pathlib import Path

import pytest

from tappass_host import registry
from tappass_host.compiler.compile import compile_runtime
from tappass_host.compiler.recipe import Recipe, Use
from tappass_host.compiler.suggest import default_capabilities
from tappass_host.policy import model as m
from tappass_host.policy.effect import Effect
from tappass_host.prove.corpus import code_cases
from tappass_host.prove.outcome import Outcome, Row
from tappass_host.prove.record import record
from tappass_host.prove.run import Report
from tappass_host.prove.targets import Located
from tappass_host.prove.world import World
from tappass_host.registry import LoadedProvider
from tappass_host.sdk.claims import Claim, Evidence, Reach
from tappass_host.sdk.contract import ProviderInfo, TargetConfig
from tappass_host.sdk.kit import world
from tappass_host.sdk.kit.reference import policy, reference

RECORDED_POLICY = policy(
    interpreter=m.Interpreter(allow_imports=("json",), deny_imports=("subprocess",), memory_mb=64)
)


@pytest.fixture
def reach():
    """A place of the toy target."""

    def make(name="rules", *, surfaces=("exec",), strength="compulsory", probe="", escape=""):
        evidence = Evidence("https://toy.example/rules", "2026-11-01", ("1.0",), probe)
        return Reach(name, surfaces, strength, evidence, escape=escape)

    return make


@pytest.fixture
def toy(reach):
    """A provider whose claims are (statement prefix -> verdict) on the reference policy."""

    def make(provider_id="toy", *, at=None, preview=False, aliases=(), **verdicts):
        place = at or reach()
        said = {name.replace("__", "."): verdict for name, verdict in verdicts.items()}
        claims = tuple(
            Claim(
                s.id, place, verdict, reason="" if verdict == "enforced" else "because", locators=("rules#",)
            )
            for s in reference("full").statements
            for prefix, verdict in said.items()
            if s.field.startswith(prefix)
        )
        info = ProviderInfo(
            id=provider_id,
            position="kernel",
            target="toy",
            version="2.0",
            sdk="1.0",
            versions=("1.0",),
            aliases=aliases,
            effects={"rules": "live"},
            preview=preview,
        )
        return LoadedProvider("toy", "toy-dist 1.0", info, lambda policy, target: TargetConfig(claims=claims))

    return make


@pytest.fixture
def monty():
    """The real provider."""
    return registry.get("monty")


@pytest.fixture
def recorded(monty, tmp_path):
    """A recording of monty, as the record API makes it; the outcomes are what `outcome` says."""

    def make(*, version="1.4.0", at="2026-11-01T10:00:00Z", by="ops", outcome=None, control="ran"):
        recipe = Recipe(name="code", uses=(Use(id="monty", provider="monty"),))
        providers = {"monty": monty}
        capabilities = default_capabilities(recipe, providers, world.PATHS)
        plan = compile_runtime(RECORDED_POLICY, recipe, providers, capabilities, refuse_gaps=False)
        use = plan.use("monty")
        rows = tuple(
            _row(case, use.policy, outcome or _as_the_policy_says, control)
            for case in code_cases(use.policy, World(tmp_path))
        )
        found = Located("monty", tmp_path, version, "0" * 64, "cache", pinned=True)
        report = Report(plan, rows, (), {"monty": version})
        return record(report, use, monty, found, recorded_at=at, by=by)

    return make


def _row(case, effective, outcome, control):
    decision = case.expected(effective)
    return Row("monty", case, decision, outcome(decision), Outcome(control), provenance="org org.yaml:7:3")


def _as_the_policy_says(decision):
    return Outcome("ran") if decision.effect is Effect.ALLOW else Outcome("blocked", "refused", "monty")


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a provider package for real: an importable file, and metadata with its entry point."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def add(provider_id: str, package: str, body: str) -> None:
        folder: Path = tmp_path / package
        folder.mkdir()
        (folder / "__init__.py").touch()
        (folder / "provider.py").write_text(body)
        info = tmp_path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[tappass.providers]\n{provider_id} = {package}\n")
        importlib.invalidate_caches()

    yield add
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in {path.name for path in tmp_path.iterdir()}:
            del sys.modules[name]
