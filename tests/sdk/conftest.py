import importlib
import json
import sys
from textwrap import dedent

import pytest


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write a provider package for real and make it importable; returns its dotted name."""
    monkeypatch.syspath_prepend(tmp_path)
    made = []

    def write(name, **files):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").touch()
        for file, text in files.items():
            (folder / f"{file}.py").write_text(dedent(text))
        importlib.invalidate_caches()
        made.append(name)
        return name

    yield write
    for module in [m for m in sys.modules if m.partition(".")[0] in made]:
        del sys.modules[module]


@pytest.fixture
def case(tmp_path):
    """Write a golden case."""

    def write(name, policy, capabilities=None):
        folder = tmp_path / "cases" / name
        folder.mkdir(parents=True)
        (folder / "policy.json").write_text(json.dumps(policy))
        if capabilities is not None:
            (folder / "capabilities.json").write_text(json.dumps(capabilities))
        return folder

    return write
