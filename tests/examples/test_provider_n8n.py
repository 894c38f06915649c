"""The example of a provider from outside: it conforms, is found, and needs nothing that is not published."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tappass_host import registry

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "examples" / "provider-n8n"
PAGES = "".join(
    (ROOT / "docs" / page).read_text() for page in ("spec/provider-sdk.md", "contributing/providers.md")
)


def test_its_own_tests_pass(tmp_path):
    storage = {"PYTHONDONTWRITEBYTECODE": "1", "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path)}
    env = {**os.environ, **storage}
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        argv, cwd=PACKAGE, env=env, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout[-4000:]


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The package as an installer leaves it: its source importable, its metadata beside it."""
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    shutil.copytree(PACKAGE / "src" / "tappass_n8n", tmp_path / "tappass_n8n")
    info = tmp_path / f"tappass_provider_n8n-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    points = project["entry-points"]["tappass.providers"]
    lines = [f"{name} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[tappass.providers]", *lines, ""]))
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "tappass_n8n"]:
        del sys.modules[name]


def test_it_is_found_by_its_entry_point(installed):
    (entry,) = [entry for entry in registry.all() if entry.id == "n8n"]
    assert (entry.position, entry.status, entry.source) == (
        "harness",
        "preview",
        "tappass-provider-n8n 0.1.0",
    )
    assert registry.get("n8n").reader is not None


def imported():
    """Every name that the package takes from ours, with its module."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tappass_host"):
                yield from ((path.name, node.module, alias.name) for alias in node.names)


def test_it_uses_nothing_that_the_pages_do_not_name():
    unnamed = [
        found
        for found in imported()
        if found[1] not in PAGES or not re.search(rf"(?<![\w-]){re.escape(found[2])}(?![\w-])", PAGES)
    ]
    assert unnamed == []


def cases():
    for path in sorted(PACKAGE.glob("tests/cases/*/expected/etc/n8n/tappass-patterns.txt")):
        yield from path.read_text().split(";")


NODE = shutil.which("node")
PATHS = (
    "/ws/.env",
    "/ws/a/b/.env",
    "/ws/env",
    "/ws/secret",
    "/ws/secret/key",
    "/ws/secrets",
    "/ws/(x)$",
    "/ws/.git/config",
)


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_javascript_reads_its_patterns_as_python_does():
    script = (
        "const [p, s] = JSON.parse(process.argv[1]);"
        "console.log(JSON.stringify(p.map((x) => s.map((y) => new RegExp(x, 'mi').test(y)))))"
    )
    patterns = sorted(set(cases()))
    assert any("secret" in pattern for pattern in patterns)
    done = subprocess.run(
        [NODE, "-e", script, json.dumps([patterns, PATHS])],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    ours = [
        [re.search(p, path, re.IGNORECASE | re.MULTILINE) is not None for path in PATHS] for p in patterns
    ]
    assert json.loads(done.stdout) == ours
    assert any(map(any, ours))
