"""Hostile bytes on the sockets of the decision service: no crash, no allow, no wait without end."""

import secrets
import socket
import threading
import time
from pathlib import Path

import pytest

from tappass_host.audit.read import verify_folder

NONCE = "a" * 32
BODY = b'{"action":{"kind":"tool","name":"lookup"}}'


def head(*lines, first="POST /v1/decide HTTP/1.1", length=42):
    return "\r\n".join(
        [first, f"Tappass-Nonce: {NONCE}", f"Content-Length: {length}", *lines, "", ""]
    ).encode()


def test_control(lab):
    assert len(BODY) == 42
    assert b"Tappass-Effect: allow" in lab().send(head() + BODY)


REQUESTS = {
    "no nonce": b"POST /v1/decide HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "short nonce": b"POST /v1/decide HTTP/1.1\r\nTappass-Nonce: ab\r\nContent-Length: 0\r\n\r\n",
    "two nonces": head(f"Tappass-Nonce: {NONCE}") + BODY,
    "two lengths": head("Content-Length: 3") + BODY,
    "chunked": head("Transfer-Encoding: chunked") + BODY,
    "expect": head("Expect: 100-continue") + BODY,
    "negative length": head(length="-1") + BODY,
    "length with sign": head(length="+42") + BODY,
    "length in hex": head(length="0x2a") + BODY,
    "huge length": head(length=10**9) + BODY,
    "length too short": head(length=len(BODY) - 1) + BODY,
    "get": head(first="GET /v1/decide HTTP/1.1") + BODY,
    "put": head(first="PUT /v1/decide HTTP/1.1") + BODY,
    "http/1.0": head(first="POST /v1/decide HTTP/1.0") + BODY,
    "http/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "absolute form": head(first="POST http://x/v1/decide HTTP/1.1") + BODY,
    "another place": head(first="POST /v1/approve HTTP/1.1") + BODY,
    "dots": head(first="POST /v1/hook/../decide HTTP/1.1") + BODY,
    "query": head(first="POST /v1/decide?allow=1 HTTP/1.1") + BODY,
    "unknown dialect": head(first="POST /v1/hook/cobol HTTP/1.1") + BODY,
    "bare line feeds": head().replace(b"\r\n", b"\n") + BODY,
    "folded header": head("X: a\r\n b") + BODY,
    "header with NUL": head("X: \0") + BODY,
    "not ASCII": head("X: \xe9") + BODY,
    "long head": head(*[f"X-{n}: {'x' * 4000}" for n in range(20)]) + BODY,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "nothing": b"\r\n\r\n",
    "noise": secrets.token_bytes(2000) + b"\r\n\r\n",
}


@pytest.mark.parametrize("case", REQUESTS)
def test_requests_that_are_refused(lab, case):
    service = lab(limits={"read_s": 1})
    reply = service.send(REQUESTS[case])
    assert b"allow" not in reply
    assert service.hook("lookup", {}).effect == "allow"


def test_a_second_request_on_a_connection_is_not_read(lab):
    reply = lab().send(head() + BODY + head() + BODY)
    assert reply.count(b"HTTP/1.1") == 1


def test_slow_loris(lab):
    """A client that never finishes is cut off, and does not keep others out."""
    service = lab(limits={"read_s": 1, "connections": 8})
    slow = []
    for _ in range(4):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(service.config["listen"]["unix"])
        connection.sendall(b"POST /v1/decide HTTP/1.1\r\n")
        slow.append(connection)
    assert service.hook("lookup", {}).effect == "allow"
    for connection in slow:
        connection.settimeout(5)
        assert b"408" in connection.recv(4096)
        connection.close()


def test_too_many_connections(lab):
    service = lab(limits={"connections": 2, "read_s": 1})
    held = []
    for _ in range(4):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(service.config["listen"]["unix"])
        held.append(connection)
    reply = service.send(head() + BODY)
    assert b"503" in reply
    for connection in held:
        connection.close()
    time.sleep(0.1)
    assert service.hook("lookup", {}).effect == "allow"


def test_many_at_once(lab):
    service = lab(calls_per_minute=20, log={"burst": 1000})
    replies = []

    def ask():
        replies.append(service.hook("lookup", {}).effect)

    threads = [threading.Thread(target=ask) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(replies) == ["allow"] * 20 + ["deny"] * 20
    assert len(service.records("decision")) == 40


def test_a_flood_is_denied_and_counted_and_leaves_the_log_whole(lab):
    """Nothing happens that has no record of its own: what is over the limit is a denial."""
    service = lab(log={"burst": 30, "rate": 1})
    effects = [service.hook("lookup", {}).effect for _ in range(60)]
    assert effects.count("allow") <= 40
    assert effects[-1] == "deny"
    assert len(service.records("decision")) == effects.count("allow")
    service.call(service.log.tick)
    assert sum(e["count"] for e in service.records("suppressed")) == effects.count("deny")
    service.stop()
    assert verify_folder(Path(service.config["audit"]["folder"])).ok
