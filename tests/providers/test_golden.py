"""Golden cases of every built-in provider: `tests/providers/<id>/cases/<name>/`."""

from pathlib import Path

import pytest

from tappass_host.registry.builtin import BUILTIN, package_of
from tappass_host.sdk.kit.golden import case_folders, check_case

HERE = Path(__file__).parent
CASES = [(name, case) for name in sorted(BUILTIN) for case in case_folders(HERE / name / "cases")]


@pytest.mark.parametrize(("provider_id", "case"), CASES, ids=[f"{name}-{case.name}" for name, case in CASES])
def test_golden(provider_id, case, request):
    check_case(package_of(provider_id), case, update=request.config.getoption("--update-golden"))


def test_every_folder_of_cases_belongs_to_a_provider():
    folders = {path.parent.name for path in HERE.glob("*/cases")}
    assert folders <= set(BUILTIN)
