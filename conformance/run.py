"""Live conformance: every test marked `live`, and the example proven on every target that is here.

Skips are counted and printed with their reasons. In CI a skip of a target that could be installed fails.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
BOUND_SECONDS = 2400
# How a skip says that a target is missing; any other skip is about what this kernel or machine cannot do.
MISSING = re.compile(r"SKIPPED .*(?:no pinned copy is installed|could not import)", re.IGNORECASE)


def main() -> int:
    """Run pytest on the live tests, then the example."""
    live = run_tests()
    proof = prove_example()
    print(
        f"\nconformance  live tests {'ok' if live == 0 else 'FAILED'}, "
        f"example {'ok' if proof == 0 else 'FAILED'}"
    )
    return live or proof


def run_tests() -> int:
    """The live tests; prints the reasons of all skips."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "live", "-rs", "-p", "no:cacheprovider"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        timeout=BOUND_SECONDS,
        check=False,
    )
    print(done.stdout)
    missing = MISSING.findall(done.stdout)
    if missing and os.environ.get("CI"):
        print(f"{len(missing)} skips because of targets that can be installed: in CI that is a failure")
        return done.returncode or 1
    return done.returncode


def prove_example() -> int:
    """`tappass prove` over examples/acme, compiled afresh, with all rows."""
    tappass = str(Path(sys.executable).with_name("tappass"))
    acme = REPOSITORY / "examples" / "acme"
    with tempfile.TemporaryDirectory(prefix="tappass-conformance-") as scratch:
        compiled = Path(scratch) / "compiled.json"
        env = {**os.environ, "TAPPASS_HOME": scratch}
        made = subprocess.call(
            [tappass, "policy", "compile", str(acme / "sandbox.yaml"), "--out", str(compiled)], env=env
        )
        if made != 0:
            return made
        words = ["prove", "--policy", str(compiled), "--runtime", str(acme / "runtime.yaml"), "--all"]
        return subprocess.call([tappass, *words], env=env)


if __name__ == "__main__":
    raise SystemExit(main())
