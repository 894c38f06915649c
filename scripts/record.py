"""Records the live proofs that the package ships: the example on every target that is here.

Everything lies below /var/tmp, so that a recording names no path of whoever made it.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
ACME = REPOSITORY / "examples" / "acme"
SHIPPED = REPOSITORY / "src" / "tappass_host" / "prove" / "recordings"
GROUND = Path("/var/tmp/tappass-proof")
CACHE = Path("/var/tmp/tappass-targets")


def main() -> int:
    """Install the targets in a neutral place, compile the example, prove and record it."""
    tappass = str(Path(sys.executable).with_name("tappass"))
    env = {**os.environ, "TAPPASS_HOME": str(GROUND / "tappass"), "TAPPASS_CACHE": str(CACHE)}
    shutil.rmtree(GROUND, ignore_errors=True)
    GROUND.mkdir(parents=True)
    targets = ("claude-code", "bubblewrap", "monty")
    subprocess.call([sys.executable, str(REPOSITORY / "conformance" / "install.py"), *targets], env=env)
    compiled = GROUND / "compiled.json"
    compile_ = [tappass, "policy", "compile", "sandbox.yaml", "--out", str(compiled)]
    if (made := subprocess.call(compile_, cwd=ACME, env=env)) != 0:
        return made
    words = [
        "--policy",
        str(compiled),
        "--runtime",
        str(ACME / "runtime.yaml"),
        "--dir",
        str(GROUND / "world"),
    ]
    return subprocess.call(
        [tappass, "prove", *words, "--record", str(SHIPPED), "--by", "tappass-host maintainers"], env=env
    )


if __name__ == "__main__":
    raise SystemExit(main())
