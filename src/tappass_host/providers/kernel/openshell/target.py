"""Meets the real OpenShell: finds the program, and has it parse a policy file.

Its command line reads the file before it connects anywhere, so a gateway address where nobody listens is
enough to have keys and types looked at. What gateway and supervisor check beyond that (wildcards, paths,
identities) needs a gateway; `reader` has those rules.
"""

import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from shutil import which
from typing import Final

from tappass_host.policy.errors import MissingTargetError
from tappass_host.sdk.target import Found

PROGRAMS: Final = ("openshell", "ryno")
# Port 1 of loopback: nobody listens there, and nothing leaves the machine.
NOWHERE: Final = "http://127.0.0.1:1"
TIMEOUT_S: Final = 20
_VERSION: Final = re.compile(r"[0-9]+(?:\.[0-9]+)+")
_REFUSED: Final = "failed to parse sandbox policy"
_ACCEPTED: Final = ("transport error", "error trying to connect", "connection refused")


def detect() -> Found | None:
    """The program that is on PATH, by either of its names."""
    for name in PROGRAMS:
        program = which(name)
        if program is not None:
            real = str(Path(program).resolve())
            found = _VERSION.search(_run([real, "--version"]))
            return Found(found.group() if found else "", real)
    return None


def validate(files: Mapping[str, bytes]) -> list[str]:
    """What the program's parser objects to in the policy file.

    Raises:
        MissingTargetError: the program is not here.
    """
    found = detect()
    if found is None:
        raise MissingTargetError("openshell is not on PATH", remedy="install the OpenShell command line")
    return [text for name, data in files.items() if name.endswith(".yaml") for text in _parse(found, data)]


def _parse(found: Found, data: bytes) -> list[str]:
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
        file.write(data)
        file.flush()
        said = _run(
            [found.program, "--gateway-endpoint", NOWHERE, "policy", "set", "check", "--policy", file.name]
        )
    accepted = any(word in said.lower() for word in _ACCEPTED) and _REFUSED not in said
    return [] if accepted else [said.strip() or "said nothing"]


def _run(argv: list[str]) -> str:
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            argv,
            env={"HOME": home, "PATH": "/usr/bin:/bin"},
            cwd=home,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=TIMEOUT_S,
        )
    return done.stdout + done.stderr
