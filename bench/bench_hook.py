"""A decision as the harness sees it: start of the hook process to its exit code, beside other hooks.

    python bench/bench_hook.py [--runs 40] [--json]

Wall time of whole processes, since that is what the agent waits for; every row is measured in turn, so that a
busy moment of the machine hits all. The service is a process of its own, with its database and its audit log
on the disk, `fsync` of every verdict included. The policy has four hundred rules. Budget: p50 of our hook
<= 10 ms. More than 40 runs meet the limit of what one agent may write into the audit log.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import measure

from tappass_host.decision import hook_client
from tappass_host.sdk.hooks import hook_argv

PYTHON = "/usr/bin/python3"
BUDGET_MS = 10.0
NONCE = "a" * 32
PLAIN = """import json, sys
call = json.load(sys.stdin)
if call["tool_input"]["command"].startswith("curl"):
    print("denied", file=sys.stderr)
    sys.exit(2)
"""
WITH_HTTP = """import http.client, json, socket, sys
body = sys.stdin.buffer.read()
connection = http.client.HTTPConnection("tappass")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect(sys.argv[1])
connection.request("POST", "/v1/hook/claude-code", body, {"Tappass-Nonce": "%s"})
answer = connection.getresponse()
sys.exit(0 if answer.headers["Tappass-Effect"] == "allow" else 2)
"""


class Row(NamedTuple):
    """One way to be asked, and what it cost."""

    name: str
    run: Callable[[], None]


def config(root: Path) -> dict[str, object]:
    """A policy of some four hundred rules."""
    allow = ["Bash(git *)", "Read", "Write", *(f"Bash(tool{n} *)" for n in range(200))]
    return {
        "schema": "tappass.decision/v1",
        "policy": {"digest": "sha256:" + "0" * 64, "version": 1, "expires_at": "2099-01-01T00:00:00Z"},
        "name": "bench",
        "sandbox": "bench",
        "agent": "bench",
        "mode": "enforce",
        "listen": {"unix": f"{root}/run/d.sock"},
        "hooks": [{"dialect": "claude-code"}],
        "state": f"{root}/state/d.db",
        "audit": {"folder": f"{root}/audit"},
        "calls_per_minute": 1_000_000,
        "tools": {
            "default": "deny",
            "unknown": "deny",
            "allow": allow,
            "deny": [f"Bash(bad{n} *)" for n in range(100)],
            "taint_sources": {"web": ["WebFetch"]},
            "deny_if_tainted": {"web": ["Bash"]},
        },
        "filesystem": {
            "default": "deny",
            "workspace": f"{root}/ws",
            "deny_paths": [f"{root}/ws/secret{n}" for n in range(100)],
        },
    }


@contextmanager
def service(root: Path) -> Iterator[str]:
    """The service as a process; gives its socket."""
    (root / "ws").mkdir()
    path = root / "decision.json"
    path.write_text(json.dumps(config(root)))
    ready, theirs = os.pipe()
    argv = [sys.executable, "-m", "tappass_host.decision", "--config", str(path), "--ready-fd", str(theirs)]
    process = subprocess.Popen(argv, pass_fds=[theirs])
    os.close(theirs)
    try:
        with os.fdopen(ready) as file:
            yield json.loads(file.readline())["unix"]
    finally:
        process.terminate()
        process.wait()


def message(root: Path, tool: str, args: dict[str, str]) -> bytes:
    """What Claude Code says to a hook."""
    said = {
        "session_id": "s",
        "transcript_path": "/t",
        "cwd": f"{root}/ws",
        "hook_event_name": "PreToolUse",
        "tool_name": tool,
        "tool_input": args,
        "tool_use_id": "t",
    }
    return json.dumps(said).encode()


def process(argv: list[str], said: Path) -> Callable[[], None]:
    """Run a hook to its end, with as little of our own around it as there can be."""
    devices = [(os.POSIX_SPAWN_OPEN, 0, str(said), os.O_RDONLY, 0)]
    devices += [(os.POSIX_SPAWN_OPEN, n, "/dev/null", os.O_WRONLY, 0) for n in (1, 2)]

    def run() -> None:
        pid = os.posix_spawn(argv[0], argv, {}, file_actions=devices)
        assert os.waitpid(pid, 0)[1] == 0, argv

    return run


def bare(path: str, said: bytes) -> Callable[[], None]:
    """The service alone, asked by a process that is there already."""
    head = (
        f"POST /v1/hook/claude-code HTTP/1.1\r\nTappass-Nonce: {NONCE}\r\nContent-Length: {len(said)}\r\n\r\n"
    )

    def run() -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            connection.sendall(head.encode() + said)
            answer = b""
            while part := connection.recv(65536):
                answer += part
        assert b"Tappass-Effect: allow" in answer, answer

    return run


def rows(root: Path, path: str) -> list[Row]:
    """Everything that is compared."""
    bash, read = root / "bash.json", root / "read.json"
    bash.write_bytes(message(root, "Bash", {"command": "git status"}))
    read.write_bytes(message(root, "Read", {"file_path": "a/b"}))
    ours = list(
        hook_argv(
            socket=path, client=hook_client.__file__, dialect="claude-code", uids=[os.getuid()], timeout_s=10
        )
    )
    for name, source in (("plain.py", PLAIN), ("asks.py", WITH_HTTP % NONCE)):
        (root / name).write_text(source)
    found = [
        Row("our hook, Bash", process(ours, bash)),
        Row("our hook, Read (links followed)", process(ours, read)),
        Row("the service alone", bare(path, bash.read_bytes())),
        Row("an interpreter that does nothing (-I -S)", process([PYTHON, "-I", "-S", "-c", "pass"], bash)),
        Row("a plain Python hook, no service", process([PYTHON, str(root / "plain.py")], bash)),
        Row("a Python hook with http.client", process([PYTHON, str(root / "asks.py"), path], bash)),
    ]
    curl = shutil.which("curl")
    if curl:
        ask = [
            curl,
            "-q",
            "-s",
            "--unix-socket",
            path,
            "-H",
            f"Tappass-Nonce: {NONCE}",
            "--data-binary",
            "@-",
        ]
        found.append(
            Row("curl (checks no nonce, no peer)", process([*ask, "http://x/v1/hook/claude-code"], bash))
        )
    return found


def timed(found: list[Row], runs: int) -> dict[str, list[float]]:
    """Milliseconds of every row, one after the other in each round."""
    times: dict[str, list[float]] = {row.name: [] for row in found}
    for round_ in range(runs + 3):
        for row in found:
            began = time.perf_counter_ns()
            row.run()
            if round_ >= 3:
                times[row.name].append((time.perf_counter_ns() - began) / 1e6)
    return times


def main() -> int:
    """Print the table; 1 if the budget is exceeded."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tappass-bench-") as scratch, service(Path(scratch)) as path:
        times = timed(rows(Path(scratch), path), chosen.runs)
    p50 = {name: statistics.median(found) for name, found in times.items()}
    if chosen.json:
        print(json.dumps(p50, indent=2))
    else:
        print(text(times, p50))
    return int(p50["our hook, Bash"] > BUDGET_MS)


def text(times: dict[str, list[float]], p50: dict[str, float]) -> str:
    """The table."""
    ours = p50["our hook, Bash"]
    cells = [
        (name, measure.ms(p50[name]), measure.ms(min(found)), measure.times(p50[name] / ours))
        for name, found in times.items()
    ]
    title = f"Hook decision, whole process, wall ms (budget p50 {BUDGET_MS:g}): {measure.machine()}"
    return measure.table(title, ("", "p50", "best", "to ours"), cells)


if __name__ == "__main__":
    sys.exit(main())
