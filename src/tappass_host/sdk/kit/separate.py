"""Renders in another process, with another hash seed, environment and folder, and compares."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tappass_host.sdk.kit.reference import REFERENCE
from tappass_host.sdk.kit.subject import Subject
from tappass_host.sdk.kit.targets import plain_of
from tappass_host.sdk.kit.written import digest

# Generous: a loaded machine imports everything in a few seconds.
_TIMEOUT_S = 120


def differences(subject: Subject) -> Iterator[str]:
    """What another process renders differently, and what it touched on the way."""
    report = _report(subject)
    yield from (f"render or read touches the machine: {event}" for event in report["events"])
    for name in REFERENCE:
        here = [digest(rendered.config) for rendered in subject.reference(name)]
        if report["digests"][name] != here:
            yield f"policy {name!r} renders differently in another process"


def _report(subject: Subject) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "tappass_host.sdk.kit.worker", subject.provider, subject.reader],
            input=msgspec.json.encode([plain_of(target) for target in subject.targets]),
            env=_environment(folder),
            cwd=folder,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
    report: dict[str, Any] = msgspec.json.decode(done.stdout)
    return report


def _environment(folder: str) -> dict[str, str]:
    """Nothing that the calling process has, but the way to its modules."""
    seed = "4242" if os.environ.get("PYTHONHASHSEED") != "4242" else "7"
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    return {
        "PYTHONPATH": path,
        "PYTHONHASHSEED": seed,
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": folder,
        "USER": "nobody",
        "TZ": "Pacific/Kiritimati",
        "LANG": "C.UTF-8",
    }
