"""Who may talk to the proxy, and how it is run."""

import asyncio
import base64
import json
import os
import signal
import stat
import sys
from pathlib import Path

import msgspec
import pytest

from tappass_host.dataplane.egress.secret import resolve_secret
from tappass_host.policy.errors import SchemaError, TappassError

DENIED = b"CONNECT evil.test:443 HTTP/1.1\r\n\r\n"


def mode_of(path):
    return stat.S_IMODE(Path(path).stat().st_mode)


async def test_the_socket_is_for_its_owner(egress, tmp_path):
    async with egress.Lab(tmp_path) as lab:
        assert mode_of(lab.bound["unix"]) == 0o600


async def test_with_other_users_the_peer_check_decides(egress, tmp_path):
    async with egress.Lab(
        tmp_path, listen={"unix": str(tmp_path / "egress.sock"), "uids": [os.geteuid(), 4242]}
    ) as lab:
        assert mode_of(lab.bound["unix"]) == 0o666
        assert (await lab.ask(DENIED)).startswith(b"HTTP/1.1 403")
        assert lab.events[0]["host"] == "evil.test"


async def test_a_stale_socket_is_replaced(egress, tmp_path):
    async with egress.Lab(tmp_path):
        pass
    async with egress.Lab(tmp_path) as lab:
        assert b"403" in await lab.ask(DENIED)


async def test_a_file_in_the_way_is_left_alone(egress, tmp_path):
    (tmp_path / "egress.sock").write_text("precious")
    with pytest.raises(SchemaError):
        await egress.Lab(tmp_path).__aenter__()
    assert (tmp_path / "egress.sock").read_text() == "precious"


def tcp(tmp_path):
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    token.chmod(0o600)
    return {"tcp": "127.0.0.1:0", "token_ref": f"file:{token}"}


TOKENS = {
    "basic": (b"Basic " + base64.b64encode(b"tappass:s3cret"), b"403"),
    "basic with another user": (b"Basic " + base64.b64encode(b":s3cret"), b"403"),
    "bearer": (b"Bearer s3cret", b"403"),
    "wrong": (b"Bearer s3cre", b"407"),
    "empty": (b"Bearer ", b"407"),
    "empty password": (b"Basic " + base64.b64encode(b"s3cret:"), b"407"),
    "not base64": (b"Basic !!!", b"407"),
    "not ascii": (b"Bearer s3cr\xe9t", b"407"),
    "digest": (b"Digest s3cret", b"407"),
    "two": (b"Bearer s3cret\r\nProxy-Authorization: Bearer s3cret", b"407"),
    "none": (None, b"407"),
}


@pytest.mark.parametrize("case", TOKENS)
async def test_token(egress, tmp_path, case):
    value, status = TOKENS[case]
    line = b"" if value is None else b"Proxy-Authorization: " + value + b"\r\n"
    async with egress.Lab(tmp_path, listen=tcp(tmp_path)) as lab:
        answer = await lab.ask(b"CONNECT evil.test:443 HTTP/1.1\r\n" + line + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert (b"Proxy-Authenticate: Basic" in answer) == (status == b"407")
        assert lab.lookups == []


async def test_both_listeners_at_once(egress, tmp_path):
    listen = {"unix": str(tmp_path / "egress.sock"), **tcp(tmp_path)}
    async with egress.Lab(tmp_path, listen=listen) as lab:
        assert set(lab.bound) == {"unix", "tcp"}
        assert (await lab.ask(DENIED)).startswith(b"HTTP/1.1 403")
        del lab.bound["unix"]
        assert (await lab.ask(DENIED)).startswith(b"HTTP/1.1 407")


async def test_too_many_connections_are_turned_away_and_room_is_found_again(egress, tmp_path):
    async with egress.Lab(tmp_path, limits={"connections": 2, "handshake_s": 20}) as lab:
        first, second = await lab.connect(), await lab.connect()
        await asyncio.sleep(0.05)
        assert (await lab.ask(b"")).startswith(b"HTTP/1.1 503")
        for _, writer in (first, second):
            writer.close()
        await asyncio.sleep(0.05)
        assert (await lab.ask(DENIED)).startswith(b"HTTP/1.1 403")


SECRETS = {
    "open to the group": ("x", 0o640),
    "empty": ("", 0o600),
    "two lines": ("a\nb", 0o600),
    "not ascii": ("\u00e9", 0o600),
}


@pytest.mark.parametrize("case", SECRETS)
def test_a_secret_file_that_will_not_do(tmp_path, case):
    text, mode = SECRETS[case]
    path = tmp_path / "secret"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(SchemaError) as caught:
        resolve_secret(f"file:{path}")
    assert not text or text not in str(caught.value).replace(str(path), "")


@pytest.mark.parametrize(
    "ref", ["file:relative", "file:/does/not/exist", "env:TAPPASS_NOT_SET", "vault:x", "", "file:/"]
)
def test_a_reference_to_nothing(ref):
    with pytest.raises(TappassError):
        resolve_secret(ref)


def test_a_link_is_no_secret_file(tmp_path):
    (tmp_path / "real").write_text("x")
    (tmp_path / "real").chmod(0o600)
    (tmp_path / "link").symlink_to("real")
    assert resolve_secret(f"file:{tmp_path}/real") == "x"
    with pytest.raises(SchemaError):
        resolve_secret(f"file:{tmp_path}/link")


# -- the process


class Process:
    """`python -m tappass_host.dataplane.egress` with a configuration file in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "egress.json"

    def write(self, document: dict[str, object]) -> None:
        self.file.write_bytes(msgspec.json.encode(document))

    async def start(self) -> dict[str, str]:
        reading, writing = os.pipe()
        arguments = [
            "-m",
            "tappass_host.dataplane.egress",
            "--config",
            str(self.file),
            "--ready-fd",
            str(writing),
        ]
        pipes = {"stderr": asyncio.subprocess.PIPE, "pass_fds": (writing,)}
        self.process = await asyncio.create_subprocess_exec(sys.executable, *arguments, **pipes)
        os.close(writing)
        with os.fdopen(reading) as ready:
            line = await asyncio.to_thread(ready.readline)
        return json.loads(line) if line else {}

    async def ask(self, data: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(self.folder / "egress.sock"))
        writer.write(data)
        async with asyncio.timeout(5):
            answer = await reader.read(-1)
        writer.close()
        return answer

    async def end(self) -> str:
        _, errors = await asyncio.wait_for(self.process.communicate(), 5)
        return errors.decode()


def document(egress, tmp_path, **changes):
    return {**egress.BASE, "listen": {"unix": str(tmp_path / "egress.sock")}, **changes}


async def test_the_process_serves_reloads_locks_down_and_ends(egress, tmp_path):
    process = Process(tmp_path)
    process.write(document(egress, tmp_path))
    assert await process.start() == {"unix": str(tmp_path / "egress.sock")}
    try:
        assert b"policy 7 " in await process.ask(DENIED)
        newer = {**egress.BASE["policy"], "version": 8}
        process.write(document(egress, tmp_path, policy=newer))
        process.process.send_signal(signal.SIGHUP)
        await eventually(process, b"policy 8 ")
        process.file.write_bytes(b"{")
        process.process.send_signal(signal.SIGHUP)
        await eventually(process, b"the configuration cannot be read")
        process.write(document(egress, tmp_path, policy=newer))
        process.process.send_signal(signal.SIGHUP)
        await eventually(process, b"no allowed domain")
    finally:
        process.process.terminate()
        errors = await process.end()
    assert process.process.returncode == 0
    lines = [json.loads(line) for line in errors.splitlines() if line.startswith("{")]
    assert lines
    assert all(line["verdict"] == "deny" and line["host"] == "evil.test" for line in lines)


async def eventually(process, expected):
    for _ in range(100):
        if expected in await process.ask(DENIED):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(expected)


FAULTS = {
    "no file": (None, 4),
    "no json": ({"schema": "other"}, 2),
    "more connections than descriptors": ({"limits": {"connections": 65536}}, 4),
    "a token that is not there": ({"listen": {"tcp": "127.0.0.1:0", "token_ref": "env:TAPPASS_NOT_SET"}}, 2),
    "an injected secret that is not there": (
        {"inject": [{"env": "KEY", "ref": "env:TAPPASS_NOT_SET", "header": "x-key", "domains": ["a.test"]}]},
        2,
    ),
    "a socket in a folder that is not there": ({"listen": {"unix": "/nowhere/egress.sock"}}, 4),
}


@pytest.mark.parametrize("case", FAULTS)
async def test_the_process_does_not_start_without_what_it_needs(egress, tmp_path, case):
    change, code = FAULTS[case]
    process = Process(tmp_path)
    if change is not None:
        process.write(document(egress, tmp_path, **change))
    assert await process.start() == {}
    errors = await process.end()
    assert process.process.returncode == code
    assert errors.startswith("tappass-egress: ")
    assert "Traceback" not in errors
