"""Meets the real bubblewrap: finds the program, and has it make the sandbox once around nothing.

bwrap has no way to only parse. A dry run makes every namespace and mount and ends with a program that is not
there or does nothing, so it is done only where it can leave nothing behind: bwrap makes missing mount points,
and in a folder that is bound it would make them on the host.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from shutil import which
from typing import Final

from tappass_host.policy.errors import MissingTargetError
from tappass_host.providers.kernel.bubblewrap.inside import ARGS_FD, FILTER_FD
from tappass_host.sdk.target import Found

TIMEOUT_S: Final = 20
_VERSION: Final = re.compile(r"[0-9]+(?:\.[0-9]+)+")
_ARGS: Final = "bubblewrap.args"
_FILTER: Final = "bubblewrap.bpf"
# The last thing bwrap does is to become the program: whatever it says about that, all before it was taken.
_REACHED: Final = "execvp"
_BINDS: Final = ("--bind", "--ro-bind")
# Opens what bwrap reads from, where the rendered arguments say that it is.
_STARTER: Final = f"""
import os, sys
for number, path in (({ARGS_FD}, sys.argv[1]), ({FILTER_FD}, sys.argv[2])):
    os.dup2(os.open(path, os.O_RDONLY), number)
os.execv(sys.argv[3], [sys.argv[3], "--args", "{ARGS_FD}", "/usr/bin/true"])
"""


def detect() -> Found | None:
    """The program that is on PATH, by its real path."""
    program = which("bwrap")
    if program is None:
        return None
    real = str(Path(program).resolve())
    done = subprocess.run(
        [real, "--version"], env={}, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
    )
    found = _VERSION.search(done.stdout)
    return Found(found.group() if found else "", real)


def validate(files: Mapping[str, bytes]) -> list[str]:
    """What bwrap objects to when it is started with the rendered arguments and filter.

    Raises:
        MissingTargetError: it is not here.
    """
    found = detect()
    if found is None:
        raise MissingTargetError("bwrap is not on PATH", remedy="install the package bubblewrap")
    arguments = next((data for name, data in files.items() if name.endswith(_ARGS)), b"")
    code = next((data for name, data in files.items() if name.endswith(_FILTER)), b"")
    missing = list(_missing([word.decode() for word in arguments.split(b"\0")]))
    return missing or _dry_run(found.program, arguments, code)


def _missing(words: list[str]) -> Iterator[str]:
    """Mounts of things that are not here, or onto things that would have to be made."""
    private: list[str] = ["/dev", "/proc"]
    for at, word in enumerate(words):
        if word in _BINDS and not Path(words[at + 1]).exists():
            yield f"{word} {words[at + 1]}: not on this machine"
        target = words[at + 2] if word in _BINDS else words[at + 1] if word == "--tmpfs" else ""
        own = any(target == folder or target.startswith(f"{folder}/") for folder in private)
        if target and not own and not Path(target).exists():
            yield f"{word} {target}: no such mount point on this machine"
        if word == "--tmpfs":
            private.append(target)


def _dry_run(program: str, arguments: bytes, code: bytes) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="tappass-bwrap-") as folder:
        paths = Path(folder, "args"), Path(folder, "filter")
        for path, data in zip(paths, (arguments, code), strict=True):
            path.write_bytes(data)
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _STARTER, *map(str, paths), program],
            env={},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
    accepted = done.returncode == 0 or _REACHED in done.stderr
    return [] if accepted else [done.stderr.strip() or f"ended with {done.returncode}"]
