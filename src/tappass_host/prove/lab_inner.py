"""The inner half of `lab.py`: answers HTTP at the laboratory's addresses and runs the commands it is given.

Run by path with `python -I -S` inside the namespaces; standard library only. One JSON order on standard
input, one JSON list of how each command ended on standard output.
"""

import json
import os
import selectors
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from typing import Any

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nanswered\n"
READY_SECONDS = 10.0


def serve(address: str, port: int) -> None:
    """Answer every request at one address with 200."""
    listener = socket.create_server((address, port), backlog=64)
    threading.Thread(target=_answer, args=(listener,), daemon=True).start()


def _answer(listener: socket.socket) -> None:
    while True:
        stream, _ = listener.accept()
        threading.Thread(target=_one, args=(stream,), daemon=True).start()


def _one(stream: socket.socket) -> None:
    with stream:
        stream.settimeout(5)
        try:
            if stream.recv(65536):
                stream.sendall(ANSWER)
        except OSError:
            return


def lead(address: str, port: int, path: str, certificate: str) -> None:
    """Pass every TLS connection to an address on to a unix socket, decrypted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server((address, port), backlog=64)

    def accept() -> None:
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_relay, args=(context, client, path), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def _relay(context: ssl.SSLContext, client: socket.socket, path: str) -> None:
    try:
        with (
            context.wrap_socket(client, server_side=True) as stream,
            socket.socket(socket.AF_UNIX) as upstream,
        ):
            upstream.connect(path)
            back = threading.Thread(target=_copy, args=(upstream, stream), daemon=True)
            back.start()
            _copy(stream, upstream)
            back.join()
    except OSError:
        return


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Copy until one side ends; a TLS stream cannot be polled, so each direction has its own thread."""
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


def start(order: dict[str, Any], command: dict[str, Any]) -> "subprocess.Popen[bytes]":
    """Start one command in a session of its own."""
    wanted = {key: command[key] for key in ("argv", "env", "cwd", "fds", "rlimits")}
    return subprocess.Popen(
        [*order["starter"], json.dumps(wanted)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def finish(process: "subprocess.Popen[bytes]", command: dict[str, Any]) -> dict[str, Any]:
    """Wait for it, or end it and all it started."""
    began, timed_out = time.monotonic(), False
    try:
        out, err = process.communicate(command["stdin"].encode(), command["timeout"])
    except subprocess.TimeoutExpired:
        timed_out = True
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
    return {
        "rc": process.returncode if process.returncode >= 0 else 128 - process.returncode,
        "stdout": out.decode(errors="replace"),
        "stderr": err.decode(errors="replace"),
        "timed_out": timed_out,
        "seconds": time.monotonic() - began,
    }


def await_line(process: "subprocess.Popen[bytes]") -> None:
    """Wait for the first line of a background command."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        if not ready.select(READY_SECONDS) or not process.stdout.readline():
            process.kill()
            _, err = process.communicate()
            raise RuntimeError(
                f"a background program did not get ready: {err.decode(errors='replace')[-400:]}"
            )


def main() -> None:
    """Carry out the order on standard input."""
    order = json.load(sys.stdin)
    for address, port in order["servers"]:
        serve(address, port)
    if order["model"]:
        lead(*order["model"])
    background = [start(order, c) for c in order["commands"] if c["background"]]
    for process in background:
        await_line(process)
    ended = [finish(start(order, c), c) for c in order["commands"] if not c["background"]]
    for process in background:
        process.terminate()
        process.wait(5)
    json.dump(ended, sys.stdout)


main()
