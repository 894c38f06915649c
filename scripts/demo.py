"""The main job end to end: key, compile, sign, verify, render, coverage, and proof on the targets here.

Everything is done by the `tappass` command that a user has, in .demo/ and nowhere else.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
ACME = REPOSITORY / "examples" / "acme"
DEMO = REPOSITORY / ".demo"
COLOUR = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
WIDTH = 112


def main() -> int:
    """Run the steps and print one line for each; the proof prints its own table."""
    began = time.monotonic()
    shutil.rmtree(DEMO, ignore_errors=True)
    DEMO.mkdir()
    compiled, envelope = DEMO / "compiled.json", DEMO / "policy.dsse.json"
    runtime = ACME / "runtime.yaml"

    tappass("key", "new", "acme-demo", "--org", "acme")
    policy = tappass("policy", "compile", ACME / "sandbox.yaml", "--out", compiled)
    signed = tappass("policy", "sign", compiled, "--key", "acme-demo", "--out", envelope)
    tappass("verify", envelope)
    say(
        "policy",
        f"acme org+project+agent -> v{policy['version']}, {policy['statements']} statements, "
        f"signed (key {signed['keys'][0]}), expires {policy['expires_at'][:10]}",
    )

    common = ("--policy", envelope, "--runtime", runtime, *places())
    rendered = tappass("render", *common, "--out", DEMO / "rendered")
    files = [name for name in rendered["files"] if name != "plan.json"]
    say(
        "render",
        f"claude-code, bubblewrap, monty, egress-proxy -> {len(files)} files in .demo/rendered, "
        f"every statement accounted for",
    )

    code = subprocess.call(
        [
            *command(),
            "prove",
            "--policy",
            str(envelope),
            "--runtime",
            str(runtime),
            "--dir",
            str(DEMO / "world"),
        ],
        env=environment(),
    )
    counts, total = rendered["coverage"], sum(rendered["coverage"].values())
    nobody, partly = len(rendered["open"]), f"{counts['partial']} with a way round that is named"
    say("OPEN", f"{nobody} of {total} statements are held by nobody here, {partly}:", "")
    print(f"          TAPPASS_HOME=.demo/home {coverage_line()}")
    print(f"          nothing outside .demo/ was touched; {time.monotonic() - began:.0f} s")
    return code


def places() -> tuple[str | Path, ...]:
    """Where the example's sandbox lies in this demo."""
    world = DEMO / "world"
    (world / "workspace").mkdir(parents=True)
    (world / "home").mkdir()
    return (
        "--param",
        f"workspace={world / 'workspace'}",
        "--param",
        f"home={world / 'home'}",
    )


def coverage_line() -> str:
    """The command that shows what is open."""
    return (
        ".venv/bin/tappass coverage --policy .demo/policy.dsse.json --runtime examples/acme/runtime.yaml "
        "--sandbox examples/acme/sandbox.yaml"
    )


def tappass(*words: str | Path) -> dict:
    """Run one verb with --json and return its answer; end with its error if it fails."""
    done = subprocess.run(
        [*command(), *map(str, words), "--json"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.stderr.write(done.stderr or done.stdout)
        sys.stderr.write(f"demo: tappass {' '.join(map(str, words[:2]))} ended with {done.returncode}\n")
        raise SystemExit(done.returncode)
    return json.loads(done.stdout)


def command() -> list[str]:
    """The installed command of this environment."""
    return [str(Path(sys.executable).with_name("tappass"))]


def environment() -> dict[str, str]:
    """This environment, with keys and roots of trust below .demo/."""
    return {**os.environ, "TAPPASS_HOME": str(DEMO / "home")}


def say(word: str, text: str, state: str = "ok") -> None:
    """One status line."""
    gap = " " * max(WIDTH - len(word.ljust(9)) - len(text) - len(state), 2) if state else ""
    bold, green, plain = ("\x1b[1m", "\x1b[32m", "\x1b[0m") if COLOUR else ("", "", "")
    print(f"{bold}{word.ljust(9)}{plain} {text}{gap}{green}{state}{plain}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
