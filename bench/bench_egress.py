"""Egress proxy beside a direct connection, and beside tinyproxy where it is installed, in one run.

    python bench/bench_egress.py [--exchanges 300] [--megabytes 64] [--tunnels 1000] [--json]

latency: p50 of connect, CONNECT, a ClientHello padded to 1 KB sent and echoed. throughput: one download
through one tunnel. memory: what the proxy's resident set grows by, per idle tunnel. Everything on
loopback; the origin is a process of its own. tinyproxy checks neither TLS nor names here: it only relays.
"""

import argparse
import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

BRIDGE = Path(__file__).parents[1] / "src/tappass_host/dataplane/bridge.py"
EXCHANGE = 1024
Connect = Callable[[], socket.socket]


class Route(NamedTuple):
    """One way to the origin: how to open it, and whose memory it costs."""

    name: str
    connect: Connect
    pid: int


def hello() -> bytes:
    """A ClientHello for an address (no server name), padded to 1 KB."""
    padding = EXCHANGE - 5 - 4 - 43 - 4
    block = (21).to_bytes(2) + padding.to_bytes(2) + bytes(padding)
    body = (
        b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00" + len(block).to_bytes(2) + block
    )
    message = b"\x01" + len(body).to_bytes(3) + body
    return b"\x16\x03\x01" + len(message).to_bytes(2) + message


def origin(listener: socket.socket) -> None:
    """Echoes 1 KB; if four more bytes come, they say how many megabytes to send."""
    block = memoryview(bytes(1 << 20))

    def talk(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            first = connection.recv(EXCHANGE, socket.MSG_WAITALL)
            connection.sendall(first)
            for _ in range(int.from_bytes(connection.recv(4, socket.MSG_WAITALL))):
                connection.sendall(block)

    while True:
        connection, _ = listener.accept()
        threading.Thread(target=talk, args=(connection,), daemon=True).start()


@contextlib.contextmanager
def start_origin() -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    pid = os.fork()
    if not pid:
        threading.stack_size(128 * 1024)
        try:
            origin(listener)
        finally:
            os._exit(0)
    port = listener.getsockname()[1]
    listener.close()
    try:
        yield port
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def tcp(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), 20)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def unix(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(20)
    connection.connect(path)
    return connection


def through(connect: Connect, target: str, head: str = "") -> Connect:
    """Open a tunnel in a connection."""
    request = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{head}\r\n".encode()

    def tunnel() -> socket.socket:
        connection = connect()
        connection.sendall(request)
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            piece = connection.recv(4096)
            if not piece:
                raise OSError(answer)
            answer += piece
        if b" 200 " not in answer:
            raise OSError(answer)
        return connection

    return tunnel


@contextlib.contextmanager
def start_ours(folder: Path, connections: int) -> Iterator[tuple[int, str, int]]:
    """Our proxy: gives its pid, its socket and its TCP port."""
    token = folder / "token"
    token.touch(0o600)
    token.write_text("bench")
    config = {
        "schema": "tappass.egress-proxy/v1",
        "policy": {"digest": "sha256:bench", "version": 1, "expires_at": "2099-01-01T00:00:00Z"},
        "sandbox": "bench",
        "mode": "enforce",
        "listen": {"unix": str(folder / "egress.sock"), "tcp": "127.0.0.1:0", "token_ref": f"file:{token}"},
        "default": "deny",
        "local": "allow",
        "limits": {"connections": connections + 64},
    }
    (folder / "egress.json").write_text(json.dumps(config))
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "tappass_host.dataplane.egress", "--ready-fd", str(writing), "--config"]
    with (folder / "audit.jsonl").open("w") as audit:
        process = subprocess.Popen([*command, folder / "egress.json"], pass_fds=(writing,), stderr=audit)
    os.close(writing)
    with os.fdopen(reading) as ready:
        bound = json.loads(ready.readline())
    try:
        yield process.pid, bound["unix"], int(bound["tcp"].rpartition(":")[2])
    finally:
        process.terminate()
        process.wait(10)


@contextlib.contextmanager
def start_bridge(path: str) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-I",
        "-S",
        BRIDGE,
        "--listen",
        f"127.0.0.1:{port}",
        "--to",
        path,
        "--",
        "/bin/cat",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL):
        wait_for(port)
        yield port


@contextlib.contextmanager
def start_tinyproxy(folder: Path, origin_port: int, connections: int) -> Iterator[tuple[int, int]]:
    """Gives pid and port of a tinyproxy that allows the same one port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    lines = [
        f"Port {port}",
        "Listen 127.0.0.1",
        "Timeout 600",
        f"MaxClients {connections + 64}",
        "LogLevel Notice",
    ]
    lines += ["Allow 127.0.0.1", f"ConnectPort {origin_port}", f'LogFile "{folder}/tinyproxy.log"']
    (folder / "tinyproxy.conf").write_text("\n".join(lines) + "\n")
    process = subprocess.Popen(
        ["tinyproxy", "-d", "-c", folder / "tinyproxy.conf"], stdout=subprocess.DEVNULL
    )
    try:
        wait_for(port)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(10)


def wait_for(port: int) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            tcp(port).close()
            return
        time.sleep(0.01)
    raise OSError(f"nothing listens on {port}")


def latency(paths: list[Route], exchanges: int) -> dict[str, float]:
    """Milliseconds, interleaved, so that whatever else the machine does hits all alike."""
    data, found = hello(), {path.name: [] for path in paths}
    for _ in range(exchanges):
        for path in paths:
            start = time.perf_counter()
            with path.connect() as connection:
                connection.sendall(data)
                if len(connection.recv(EXCHANGE, socket.MSG_WAITALL)) != EXCHANGE:
                    raise OSError("no echo")
                found[path.name].append((time.perf_counter() - start) * 1000)
    return {name: statistics.median(times) for name, times in found.items()}


def throughput(path: Route, megabytes: int) -> float:
    """Megabytes per second, best of three."""
    best, scratch = 0.0, bytearray(1 << 18)
    for _ in range(3):
        with path.connect() as connection:
            connection.sendall(hello())
            connection.recv(EXCHANGE, socket.MSG_WAITALL)
            start, left = time.perf_counter(), megabytes << 20
            connection.sendall(megabytes.to_bytes(4))
            while left:
                got = connection.recv_into(scratch)
                if not got:
                    raise OSError("cut short")
                left -= got
            best = max(best, megabytes / (time.perf_counter() - start))
    return best


def memory(path: Route, tunnels: int) -> tuple[float, float]:
    """Resident set in MiB without tunnels, and KiB more for each idle one."""
    before = resident(path.pid)
    open_ones = []
    for _ in range(tunnels):
        connection = path.connect()
        connection.sendall(hello())
        connection.recv(EXCHANGE, socket.MSG_WAITALL)
        open_ones.append(connection)
    after = resident(path.pid)
    for connection in open_ones:
        connection.close()
    time.sleep(0.5)
    return before / 1024, (after - before) / tunnels


def resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--exchanges", type=int, default=300)
    parser.add_argument("--megabytes", type=int, default=64)
    parser.add_argument("--tunnels", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        rows = run(stack, folder, options)
    print(json.dumps(rows, indent=2) if options.json else table(rows))


def run(stack: contextlib.ExitStack, folder: Path, options: argparse.Namespace) -> list[dict[str, object]]:
    port = stack.enter_context(start_origin())
    target = f"127.0.0.1:{port}"
    pid, path, ours = stack.enter_context(start_ours(folder, options.tunnels))
    bridge = stack.enter_context(start_bridge(path))
    token = "Proxy-Authorization: Bearer bench\r\n"
    paths = [
        Route("direct", lambda: tcp(port), 0),
        Route("tappass, unix socket", through(lambda: unix(path), target), pid),
        Route("tappass, tcp and token", through(lambda: tcp(ours), target, token), pid),
        Route("tappass, unix socket and bridge", through(lambda: tcp(bridge), target), pid),
    ]
    if shutil.which("tinyproxy"):
        tiny_pid, tiny = stack.enter_context(start_tinyproxy(folder, port, options.tunnels))
        paths.append(Route("tinyproxy, tcp", through(lambda: tcp(tiny), target), tiny_pid))
    times = latency(paths, options.exchanges)
    speeds = {one.name: throughput(one, options.megabytes) for one in paths}
    sizes = {one.name: memory(one, options.tunnels) for one in paths if one.pid and "bridge" not in one.name}
    return [row(one.name, times, speeds, sizes) for one in paths]


def row(
    name: str, times: dict[str, float], speeds: dict[str, float], sizes: dict[str, tuple[float, float]]
) -> dict:
    base, per_tunnel = sizes.get(name, (None, None))
    return {
        "path": name,
        "latency_p50_ms": round(times[name], 3),
        "latency_ratio": round(times[name] / times["direct"], 2),
        "throughput_mb_s": round(speeds[name]),
        "throughput_ratio": round(speeds[name] / speeds["direct"], 2),
        "rss_mib": base and round(base, 1),
        "kib_per_idle_tunnel": per_tunnel and round(per_tunnel, 1),
    }


def table(rows: list[dict[str, object]]) -> str:
    heads = ["path", "p50 ms", "x direct", "MB/s", "x direct", "RSS MiB", "KiB/tunnel"]
    lines = [heads, *(["-" if value is None else str(value) for value in one.values()] for one in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
    )


if __name__ == "__main__":
    main()
