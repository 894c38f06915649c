"""Golden cases: a small policy, and every byte and claim that a provider makes of it.

A case is a folder: `policy.json` (any part of a policy; the kit fills in the head), `capabilities.json`
(optional: version, options, paths, facts, offers, inside, inner, and `"world": true` to have questions
answered by the kit's world), `expected/<root>/<path>` and `coverage.json`. `pytest --update-golden` writes
the last two; read the diff before you commit it.

    from tappass_host.sdk.kit.golden import golden
    TestGolden = golden("my_pkg.my_provider", Path(__file__).parent / "cases")
"""

import json
import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tappass_host.policy.decode import policy_of
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.sdk.contract import TargetConfig
from tappass_host.sdk.kit.reference import HEAD
from tappass_host.sdk.kit.subject import settle
from tappass_host.sdk.kit.targets import target_of
from tappass_host.sdk.kit.written import coverage, files

_MAX_SHOWN = 40


def golden(package: str, folder: Path) -> type:
    """A test class over all cases of a folder for the provider in a package."""
    cases = case_folders(folder)

    class TestGolden:
        @pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])
        def test_case(self, case: Path, request: pytest.FixtureRequest) -> None:
            check_case(package, case, update=bool(request.config.getoption("--update-golden")))

    return TestGolden


def case_folders(folder: Path) -> list[Path]:
    """The cases in a folder, by name."""
    return sorted(path.parent for path in folder.glob("*/policy.json"))


def check_case(package: str, case: Path, *, update: bool) -> None:
    """Render a case and compare it, or write what is expected of it.

    Raises:
        AssertionError: naming what differs.
    """
    config = render_case(package, case)
    if update:
        _write(case, config)
    differences = list(_differences(case, config))
    assert not differences, "\n".join([f"{case.name} (--update-golden rewrites it):", *differences])


def render_case(package: str, case: Path) -> TargetConfig:
    """What the provider makes of a case."""
    module = import_module(f"{package}.provider")
    policy = policy_of({**HEAD, **_json(case / "policy.json")}, source=str(case / "policy.json"))
    given = _json(case / "capabilities.json") if (case / "capabilities.json").exists() else {}
    in_world = given.pop("world", False) is True
    target = target_of(module.INFO, given)
    if in_world:
        return settle(module.render, EffectivePolicy(policy), target)[1]
    config: TargetConfig = module.render(EffectivePolicy(policy), target)
    return config


def _json(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_bytes())
    return value


def _coverage_text(config: TargetConfig) -> bytes:
    return msgspec.json.format(msgspec.json.encode(coverage(config)), indent=2) + b"\n"


def _write(case: Path, config: TargetConfig) -> None:
    shutil.rmtree(case / "expected", ignore_errors=True)
    for name, data in files(config).items():
        path = case / "expected" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (case / "coverage.json").write_bytes(_coverage_text(config))


def _differences(case: Path, config: TargetConfig) -> Iterator[str]:
    expected = {
        path.relative_to(case / "expected").as_posix(): path.read_bytes()
        for path in (case / "expected").rglob("*")
        if path.is_file()
    }
    found = files(config)
    coverage_path = case / "coverage.json"
    expected["coverage.json"] = coverage_path.read_bytes() if coverage_path.exists() else b""
    found["coverage.json"] = _coverage_text(config)
    for name in sorted({*expected, *found}):
        if expected.get(name) != found.get(name):
            yield from _diff(name, expected.get(name, b""), found.get(name, b""))


def _diff(name: str, expected: bytes, found: bytes) -> list[str]:
    from difflib import unified_diff

    before, after = (_lines(data) for data in (expected, found))
    lines = list(unified_diff(before, after, f"expected {name}", f"rendered {name}", lineterm=""))
    more = [f"... {len(lines) - _MAX_SHOWN} more lines"] if len(lines) > _MAX_SHOWN else []
    return lines[:_MAX_SHOWN] + more


def _lines(data: bytes) -> list[str]:
    """Readable lines of any codec: NUL ends a line too."""
    return data.decode(errors="backslashreplace").replace("\0", "\n").splitlines()
