"""The tutorial, to its end: every step, and then the proof on the real targets."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "tutorial.md"

pytestmark = pytest.mark.live


@pytest.fixture
def snippets():
    path = REPOSITORY / "tests" / "docs" / "snippets.py"
    spec = importlib.util.spec_from_file_location("tutorial_snippets", path)
    module = sys.modules["tutorial_snippets"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tutorial_ends_in_a_proof(tmp_path, snippets, located):
    located("claude-code", "bubblewrap", "monty")
    snippets.run_page(PAGE, tmp_path)
    command = re.search(r"```text live\n(.+)\n```", PAGE.read_text())[1]
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TAPPASS_HOME": str(tmp_path / ".home" / ".config" / "tappass"),
    }
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert re.search(
        r"^PROVEN +(\d+) of \1 verdicts equal the policy, live on 3 of 3 targets", done.stdout, re.MULTILINE
    )
