"""Gate 2 for monty: the runner's own decoder takes what is rendered, and nothing else."""

import json
from pathlib import Path

import pytest

from tappass_host.providers.interpreter.monty.target import detect, validate

RENDERED = sorted(Path(__file__).parent.glob("cases/*/expected/state/monty.manifest.json"))


def test_it_is_found_where_it_is_installed():
    pytest.importorskip("pydantic_monty")
    assert detect().version.startswith("1.")


@pytest.mark.parametrize("path", RENDERED, ids=[path.parents[2].name for path in RENDERED])
def test_the_runner_takes_it(path):
    assert validate({"state/monty.manifest.json": path.read_bytes()}) == []


BROKEN = [
    ("an unknown field", {"surprise": 1}),
    ("a folder inside another", {"mounts": [{"host": h, "guest": h} for h in ("/a", "/a/b")]}),
    ("a module that is none", {"imports": {"deny": ["../os"]}}),
    ("memory beyond all bounds", {"limits": {"memory_bytes": 1 << 60, "cpu_time_ms": 1, "wall_ms": 1}}),
    ("a host that is none", {"network": {"mode": "allowlist", "allow": ["*"]}}),
]


@pytest.mark.parametrize(("what", "change"), BROKEN, ids=[what for what, _ in BROKEN])
def test_the_runner_does_not_take(what, change):
    document = {**json.loads(RENDERED[0].read_bytes()), **change}
    assert validate({"state/monty.manifest.json": json.dumps(document).encode()})
