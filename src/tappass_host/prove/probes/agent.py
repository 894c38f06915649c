"""Runs inside a sandbox and tries things: one JSON list of attempts in, one JSON line of outcomes each out.

Started by path with `python3 -I -S` on whatever interpreter the sandbox has, so it imports the standard
library only and catches everything: what matters is whether the attempt succeeded, not why it did not.
"""

import json
import os
import socket
import sys
import urllib.parse
from collections.abc import Callable

TIMEOUT = 3.0


def read(path: str) -> str:
    """Read a file and return what it holds."""
    with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - pathlib costs 10 ms here
        return file.read(4096)


def write(path: str) -> str:
    """Create or change a file."""
    existed = os.path.exists(path)  # noqa: PTH110
    with open(path, "a", encoding="utf-8") as file:  # noqa: PTH123
        file.write("")
    if not existed:
        os.unlink(path)  # noqa: PTH108
    return "written"


def move(source: str, target: str) -> str:
    """Rename, and rename back so that the next attempt finds the world as it was."""
    os.rename(source, target)  # noqa: PTH104
    os.rename(target, source)  # noqa: PTH104
    return "moved"


def connect(host: str, port: str) -> str:
    """Reach a host by any way there is: directly, or through the proxy that the environment names."""
    failures = []
    for way in (_direct, _through_proxy):
        try:
            return way(host, int(port))
        except Exception as failed:  # noqa: BLE001 - any failure is the answer
            failures.append(f"{way.__name__.strip('_')}: {failed!r}")
    raise OSError("; ".join(failures))


def _direct(host: str, port: int) -> str:
    with socket.create_connection((host, port), TIMEOUT) as stream:
        return _ask(stream, host, "/")


def _through_proxy(host: str, port: int) -> str:
    proxy = urllib.parse.urlsplit(os.environ["HTTP_PROXY"])
    with socket.create_connection((proxy.hostname or "", proxy.port or 80), TIMEOUT) as stream:
        return _ask(stream, f"{host}:{port}", f"http://{host}:{port}/")


def _ask(stream: socket.socket, host: str, target: str) -> str:
    stream.settimeout(TIMEOUT)
    stream.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    answer = b""
    while piece := stream.recv(4096):
        answer += piece
    status, _, rest = answer.partition(b"\r\n")
    if b" 200" not in status:
        body = rest.partition(b"\r\n\r\n")[2]
        raise OSError(f"{status.decode(errors='replace')} {body[:200].decode(errors='replace')}")
    return "answered"


def udp(host: str, port: str) -> str:
    """Send one datagram."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stream:
        stream.connect((host, int(port)))
        stream.send(b"probe")
    return "sent"


def env(name: str) -> str:
    """Read a variable."""
    return os.environ[name]


def open_files(amount: str) -> str:
    """Hold that many descriptors."""
    held: list[int] = []
    try:
        while len(held) + 3 < int(amount):
            held.append(os.open("/dev/null", os.O_RDONLY))
    finally:
        for descriptor in held:
            os.close(descriptor)
    return "held"


ATTEMPTS: dict[str, Callable[..., str]] = {
    "read": read,
    "write": write,
    "move": move,
    "connect": connect,
    "udp": udp,
    "env": env,
    "open_files": open_files,
}


def main() -> None:
    """Try each attempt of the list on standard input."""
    for attempt in json.load(sys.stdin):
        kind, *arguments = attempt
        try:
            outcome = {"ok": True, "text": ATTEMPTS[kind](*arguments)}
        except Exception as failed:  # noqa: BLE001 - any failure is the answer
            outcome = {"ok": False, "text": f"{type(failed).__name__}: {failed}"}
        sys.stdout.write(json.dumps(outcome) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
