"""Install the pinned targets into a cache outside the tree: `python conformance/install.py [id...]`.

Standard library only, and fast when everything is there. Exit 0 when all asked for are installed,
4 when one is missing; each missing one is named with its reason.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from tappass_host.prove.targets import Catalogue, Located, Missing, Target  # noqa: E402

_TIMEOUT_S = 600


class InstallError(Exception):
    """A package client said no; the text is its last words."""


def run(argv: list[str], *, cwd: Path | None = None) -> None:
    try:
        done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    except FileNotFoundError as gone:
        raise InstallError(f"{argv[0]} is not installed") from gone
    except subprocess.TimeoutExpired as slow:
        raise InstallError(f"{argv[0]} gave no answer within {_TIMEOUT_S} s") from slow
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if "warn" not in line]
        raise InstallError(f"{argv[0]} exit {done.returncode}: {' / '.join(lines[-3:]) or 'no output'}")


def install_npm(target: Target, prefix: Path) -> None:
    # Install scripts are never run: the pinned packages hold their program as shipped.
    options = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"]
    run(["npm", "install", "--prefix", str(prefix), *options, f"{target.package}@{target.version}"])


def install_pip(target: Target, prefix: Path) -> None:
    options = ["--quiet", "--no-input", "--disable-pip-version-check", "--target", str(prefix)]
    wanted = f"{target.package}=={target.version}"
    run([sys.executable, "-m", "pip", "install", *options, wanted])


def install_apt(target: Target, prefix: Path) -> None:
    """Unpack below `prefix` without root: nothing outside the cache changes."""
    with tempfile.TemporaryDirectory(prefix="tappass-apt-") as folder:
        run(["apt-get", "download", "-qq", target.package], cwd=Path(folder))
        for package in Path(folder).glob("*.deb"):
            run(["dpkg-deb", "-x", str(package), str(prefix)])


def install_apt_as_root(target: Target) -> None:
    options = ["-y", "-qq", "--no-install-recommends"]
    try:
        run(["apt-get", "install", *options, target.package])
    except InstallError:
        # Fresh machines come without package lists.
        run(["apt-get", "update", "-qq"])
        run(["apt-get", "install", *options, target.package])


INSTALLERS = {"npm": install_npm, "pip": install_pip, "apt": install_apt}


def install(catalogue: Catalogue, target: Target) -> None:
    """Install beside the final folder and rename, so that a half-done copy is never found."""
    final = catalogue.prefix(target)
    final.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{final.name}.", dir=final.parent))
    try:
        INSTALLERS[target.kind](target, beside)
        catalogue.write_marker(target, beside)
        shutil.rmtree(final, ignore_errors=True)
        beside.rename(final)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def ensure(catalogue: Catalogue, target: Target) -> Located | Missing:
    """The target, installed if need be."""
    found = catalogue.locate(target.id)
    # A distribution serves one version of an apt package: what is on PATH is what there is.
    if isinstance(found, Located) and (found.pinned or target.kind == "apt"):
        return found
    try:
        if target.runtime:
            ensure(catalogue, catalogue.target(target.runtime))
        if target.kind == "apt" and os.geteuid() == 0:
            install_apt_as_root(target)
        else:
            install(catalogue, target)
    except (InstallError, OSError, ValueError) as failed:
        return Missing(target.id, str(failed), "")
    return catalogue.locate(target.id)


def line(target: Target, found: Located | Missing, seconds: float) -> str:
    if isinstance(found, Missing):
        return f"MISSING  {target.id:<12} {found.reason}  (unproven: {target.why})"
    note = "" if found.pinned else f"  (pin is {target.version})"
    return f"ok       {target.id:<12} {found.version:<10} {found.origin:<5} {seconds:5.1f} s{note}"


def main(ids: list[str]) -> int:
    catalogue = Catalogue.load()
    missing = 0
    wanted = ids or list(catalogue.targets)
    for target in [catalogue.target(target_id) for target_id in wanted]:
        started = time.monotonic()
        found = ensure(catalogue, target)
        missing += isinstance(found, Missing)
        print(line(target, found, time.monotonic() - started), flush=True)
    print(f"{len(wanted) - missing} of {len(wanted)} targets installed, {missing} missing", flush=True)
    return 4 if missing else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ValueError as wrong:
        sys.exit(f"install.py: {wrong}")
