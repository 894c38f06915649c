"""Running the conformance kit: pytest as a process of its own, and what came of it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from tappass_host.policy.errors import MissingTargetError

# A run over a large provider takes a minute or two; beyond this something hangs.
_TIMEOUT_S = 1800


class Verdict(NamedTuple):
    """How a run of the kit ended. `failures` pairs the name of a test with what it said."""

    passed: int
    failures: tuple[tuple[str, str], ...]
    output: str

    @property
    def ok(self) -> bool:
        """True if something was tested, and all of it passed."""
        return self.passed > 0 and not self.failures


def available() -> bool:
    """True if pytest and hypothesis are installed."""
    return find_spec("pytest") is not None and find_spec("hypothesis") is not None


def update_golden(folder: Path) -> bool:
    """Write the golden cases of a package; False if the kit is not installed or a case cannot be rendered."""
    return available() and run_kit(["--update-golden", "-k", "TestGolden"], folder).ok


def run_kit(args: Sequence[str], folder: Path) -> Verdict:
    """Run pytest with the kit in a folder.

    Raises:
        MissingTargetError: pytest is not installed.
    """
    if not available():
        raise MissingTargetError("the conformance kit needs pytest", remedy="pip install 'tappass-host[kit]'")
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        argv = [sys.executable, "-m", "pytest", "-q", "--no-header", f"--junit-xml={report}", *args]
        # Compiled caches and the like must not end up in the author's folder.
        env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "HYPOTHESIS_STORAGE_DIRECTORY": scratch}
        argv += ["-p", "no:cacheprovider"]
        done = subprocess.run(
            argv, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
        )
        return _verdict(report, done.stdout + done.stderr)


def _verdict(report: Path, output: str) -> Verdict:
    # Written by our own pytest a moment ago, not by anybody else.
    import xml.etree.ElementTree as ET

    if not report.is_file():
        return Verdict(0, (("pytest", output.strip()),), output)
    passed, failures = 0, []
    for case in ET.parse(report).iter("testcase"):  # noqa: S314
        bad = next((child for child in case if child.tag in ("failure", "error")), None)
        if bad is not None:
            failures.append((case.get("name", ""), (bad.get("message") or bad.text or "").strip()))
        elif not any(child.tag == "skipped" for child in case):
            passed += 1
    return Verdict(passed, tuple(failures), output)
