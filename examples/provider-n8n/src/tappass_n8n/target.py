"""Meets the real n8n: is it here, and in which version. May do I/O; `provider.py` never imports it."""

import re
import shutil
import subprocess
from pathlib import Path

from tappass_host.sdk.target import Found

PROGRAM = "n8n"
_VERSION = re.compile(r"[0-9]+(\.[0-9]+)+")


def detect() -> Found | None:
    """The n8n that is installed; None if there is none."""
    program = shutil.which(PROGRAM)
    if program is None:
        return None
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=60)
    found = _VERSION.search(done.stdout)
    return Found(found.group(), str(Path(program).resolve())) if found else None
