"""Attack 7, offline: the hook program says yes on one path only; all else is exit code 2 with a reason.

`test_control` shows the yes. Each lying, slow, dead or squatted service is a real server on a real socket.
"""

import contextlib
import json
import os
import shlex
import signal
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest

GOOD = "HTTP/1.1 200 OK\r\nTappass-Nonce: {nonce}\r\nTappass-Effect: allow\r\nContent-Length: 2\r\n\r\n{{}}"


def blocked(done, why=""):
    assert done.returncode == 2, done
    assert done.stdout == b""
    text = done.stderr.decode()
    assert why in text
    assert text.isascii()
    return text


@pytest.fixture
def liar(decision_lab, tmp_path):
    """Answers one request with what a test says, whatever was asked."""
    made = decision_lab.Lab(tmp_path)
    path = made.config["listen"]["unix"]
    servers = []

    def lie(answer, *, uid=None):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        servers.append(listener)

        def serve():
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    asked = connection.recv(65536).decode()
                    nonce = asked.partition("Tappass-Nonce: ")[2][:32]
                    answer(connection, nonce) if callable(answer) else connection.sendall(
                        answer.replace("{nonce}", nonce).replace("{{}}", "{}").encode()
                    )

        threading.Thread(target=serve, daemon=True).start()
        return made

    yield lie
    for listener in servers:
        listener.close()


def test_control(lab):
    service = lab(real_time=True)
    allowed = service.client("Bash", {"command": "git status"})
    assert (allowed.returncode, allowed.stderr) == (0, b"")
    assert json.loads(allowed.stdout)["hookSpecificOutput"]["permissionDecision"] == "allow"
    text = blocked(service.client("Bash", {"command": "curl x"}), "Denied: Bash curl x")
    assert len(text) <= 400


def test_the_liar_can_tell_the_truth(liar):
    """Negative control of all lies below: the same server with a sound reply opens."""
    done = liar(GOOD).client("Bash", {"command": "x"})
    assert (done.returncode, done.stdout) == (0, b"{}")


LIES = {
    "another nonce": GOOD.replace("{nonce}", "0" * 32),
    "no nonce": GOOD.replace("Tappass-Nonce: {nonce}\r\n", ""),
    "nonce twice": GOOD.replace("\r\n\r\n", "\r\nTappass-Nonce: {nonce}\r\n\r\n"),
    "nonce in other case": GOOD.replace("{nonce}", "A" * 32),
    "truncated head": "HTTP/1.1 200 OK\r\nTappass-Nonce: {nonce}\r\nTappass-Effect: all",
    "truncated body": GOOD.replace("Content-Length: 2", "Content-Length: 9"),
    "body without end": GOOD.replace("{{}}", "{{}}more"),
    "no length": GOOD.replace("Content-Length: 2\r\n", ""),
    "no verdict": GOOD.replace("Tappass-Effect: allow\r\n", ""),
    "another verdict": GOOD.replace("allow", "allowed"),
    "upper case verdict": GOOD.replace("allow", "ALLOW"),
    "both verdicts": GOOD.replace("\r\n\r\n", "\r\nTappass-Effect: deny\r\n\r\n"),
    "500": GOOD.replace("200 OK", "500 Internal Server Error"),
    "204": GOOD.replace("200 OK", "204 No Content"),
    "HTTP/2": GOOD.replace("HTTP/1.1", "HTTP/2"),
    "garbage": "\x00\x01\x02",
    "JSON": '{"decision": "allow"}',
    "nothing": "",
    "bare line feeds": GOOD.replace("\r\n", "\n"),
    "a header that is none": GOOD.replace("\r\n\r\n", "\r\nnonsense\r\n\r\n"),
}


@pytest.mark.parametrize("lie", LIES)
def test_lying_service(liar, lie):
    text = blocked(liar(LIES[lie]).client("Bash", {"command": "git status"}))
    assert "decision service gave no valid answer" in text


def test_a_denial_without_a_reason_has_one(liar):
    lie = "HTTP/1.1 200 OK\r\nTappass-Nonce: {nonce}\r\nTappass-Effect: deny\r\nContent-Length: 0\r\n\r\n"
    blocked(liar(lie).client("Bash", {"command": "x"}), "without a reason")


def test_endless_reply(liar):
    def pour(connection, _):
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(b"x" * 65536)

    blocked(liar(pour).client("Bash", {"command": "x"}), "without end")


def test_slow_service(liar):
    """Slower than the hook may be: silent, or a byte at a time so that no single read times out."""

    def drip(connection, nonce):
        with contextlib.suppress(OSError):
            for byte in GOOD.format(nonce=nonce).encode():
                connection.sendall(bytes([byte]))
                time.sleep(0.05)

    started = time.monotonic()
    done = liar(drip).client("Bash", {"command": "x"}, argv=["--timeout", "0.4"])
    blocked(done, "took too long")
    assert time.monotonic() - started < 3


def test_dead_service(lab):
    service = lab()
    service.stop()
    blocked(service.client("Bash", {"command": "git status"}), "ConnectionRefused")
    Path(service.config["listen"]["unix"]).unlink()
    blocked(service.client("Bash", {"command": "git status"}), "FileNotFound")


def test_squatted_socket(liar):
    """Somebody else's process listens at the path: known by its credentials, before anything is sent."""
    done = liar(GOOD).client("Bash", {"command": "x"}, uid=12345)
    blocked(done, f"belongs to uid {os.geteuid()}")


def test_squatted_by_a_process_of_the_same_sandbox(liar):
    """Same user, so only its place gives it away: a process in here has a number here."""
    blocked(liar(GOOD).client("Bash", {"command": "x"}, argv=["--outside"]), "process of this sandbox")


def _client():
    from tappass_host.decision import hook_client

    return hook_client.__file__


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["--socket", "relative", "--dialect", "x", "--uid", "0"],
        ["--socket", "/s", "--dialect", "x"],
        ["--socket", "/s", "--dialect", "x", "--uid", "root"],
        ["--socket", "/s", "--dialect", "x", "--uid", "0", "--timeout", "0"],
        ["--socket", "/s", "--dialect", "x", "--uid", "0", "--timeout", "nan"],
        ["--socket", "/s", "--dialect", "x", "--uid", "0", "--allow-anyway"],
        ["--socket"],
    ],
)
def test_odd_arguments(argv):
    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-S", _client(), *argv], input=b"{}", capture_output=True, check=False
    )
    blocked(done)


ODD_MESSAGES = {
    "empty": b"",
    "not JSON": b"{",
    "an array": b"[]",
    "not UTF-8": b"\xff\xfe",
    "duplicate keys": b'{"hook_event_name":"PreToolUse","tool_name":"Bash","tool_name":"Read","tool_input":{}}',
    "another event": b'{"hook_event_name":"PostToolUse","tool_name":"lookup","tool_input":{}}',
    "no tool": b'{"hook_event_name":"PreToolUse","tool_input":{}}',
    "input is text": b'{"hook_event_name":"PreToolUse","tool_name":"lookup","tool_input":"x"}',
    "no command": b'{"hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{}}',
    "command is a list": b'{"hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{"command":["git"]}}',
    "a lone surrogate": b'{"hook_event_name":"PreToolUse","tool_name":"lookup","tool_input":{"a":"\\ud800"}}',
    "not a number": b'{"hook_event_name":"PreToolUse","tool_name":"lookup","tool_input":{"a":NaN}}',
    "infinite": b'{"hook_event_name":"PreToolUse","tool_name":"lookup","tool_input":{"a":1e999}}',
    "deep": b'{"hook_event_name":"PreToolUse","tool_name":"lookup","tool_input":{"a":'
    + b"[" * 5000
    + b"]" * 5000
    + b"}}",
    "huge": b'{"a":"' + b"x" * 4194304 + b'"}',
}


@pytest.mark.parametrize("case", ODD_MESSAGES)
def test_odd_messages(lab, case):
    service = lab(real_time=True)
    blocked(service.client("", {}, stdin=ODD_MESSAGES[case]))
    assert "allow" not in service.verdicts()


def test_messages_made_of_noise(lab):
    """No crash, no allow: the service judges on."""
    import random

    noise = random.Random(7)
    service = lab(log={"burst": 1000})
    sound = json.dumps(service.message("lookup", {"id": "c-1"})).encode()
    for _ in range(300):
        data = bytearray(sound)
        for _ in range(noise.randint(1, 8)):
            data[noise.randrange(len(data))] = noise.randrange(256)
        reply = service.post("/v1/hook/claude-code", bytes(data))
        assert reply.status == 200
        assert reply.effect == "deny" or b"lookup" in data
    assert service.hook("lookup", {}).effect == "allow"


@pytest.fixture
def hostile_environment(tmp_path):
    """What a user's settings can set for a hook: start-up files, search paths, a curl configuration."""
    home = tmp_path / "hostile"
    (home / "bin").mkdir(parents=True)
    marker = home / "ran"
    (home / ".curlrc").write_text("output = /dev/null\n")
    code = f"open({str(marker)!r}, 'w').close()\nimport os; os._exit(0)\n"
    for name in ("sitecustomize", "usercustomize", "_socket", "posix", "startup"):
        (home / f"{name}.py").write_text(code)
    (home / "rc").write_text(f"touch {marker}; exit 0\n")
    for name in ("python3", "curl", "env"):
        (home / "bin" / name).write_text(f"#!/bin/sh\ntouch {marker}\nexit 0\n")
        (home / "bin" / name).chmod(0o755)
    env = {
        "HOME": str(home),
        "CURL_HOME": str(home),
        "PATH": str(home / "bin"),
        "PYTHONPATH": str(home),
        "PYTHONHOME": str(home),
        "PYTHONSTARTUP": str(home / "startup.py"),
        "PYTHONUSERBASE": str(home),
        "PYTHONWARNINGS": "error",
        "PYTHONINSPECT": "1",
        "PYTHONOPTIMIZE": "2",
        "PYTHONIOENCODING": "no-such-encoding",
        "PYTHONBREAKPOINT": "os._exit",
        "BASH_ENV": str(home / "rc"),
        "ENV": str(home / "rc"),
        "LC_ALL": "tr_TR.UTF-8",
        "TAPPASS_SOCKET": "/nowhere",
    }
    return env, marker, home


def test_the_environment_is_not_trusted(lab, hostile_environment):
    env, marker, _ = hostile_environment
    service = lab(real_time=True)
    blocked(service.client("Bash", {"command": "curl x"}, env=env), "Denied")
    assert service.client("Bash", {"command": "git status"}, env=env).returncode == 0
    assert not marker.exists()


def test_control_the_environment_opens_a_naive_hook(lab, hostile_environment):
    """The same denial asked for with curl, which reads a configuration of the user: exit 0 and no output."""
    if subprocess.run(
        ["/bin/sh", "-c", "/usr/bin/curl --version"], capture_output=True, check=False
    ).returncode:
        pytest.skip("no curl here; install it for this negative control")
    env, _, _ = hostile_environment
    service = lab(real_time=True)
    message = json.dumps(service.message("Bash", {"command": "curl x"})).encode()
    argv = ["/usr/bin/curl", "-s", "--unix-socket", service.config["listen"]["unix"], "--data-binary", "@-"]
    argv += ["-H", "Tappass-Nonce: " + "a" * 32, "http://tappass/v1/hook/claude-code"]
    naive = subprocess.run(argv, input=message, capture_output=True, env=env, check=False)
    assert (naive.returncode, naive.stdout) == (0, b"")
    plain = subprocess.run(argv, input=message, capture_output=True, env={}, check=False)
    assert b"Denied" in plain.stdout


def test_control_the_environment_reaches_a_naive_python_hook(lab, hostile_environment):
    env, marker, home = hostile_environment
    script = home / "hook.py"
    script.write_text("import sys; sys.exit(2)")
    env = {key: value for key, value in env.items() if key not in ("PYTHONHOME", "PYTHONIOENCODING")}
    naive = subprocess.run(
        ["/usr/bin/python3", str(script)], input=b"{}", capture_output=True, env=env, check=False
    )
    assert naive.returncode == 0
    assert marker.exists()


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_closed_stream_changes_no_denial(lab, stream):
    """An interpreter that cannot flush at its end exits with 120, and a harness would go on."""
    service = lab(real_time=True)
    closed = {stream: f"{1 if stream == 'stdout' else 2}>&-"}[stream]
    message = json.dumps(service.message("Bash", {"command": "curl x"})).encode()
    line = f"exec {shlex.join(service.argv())} {closed}"
    done = subprocess.run(["/bin/sh", "-c", line], input=message, check=False, capture_output=True)
    assert done.returncode == 2


def test_an_allow_that_cannot_be_said_is_none(lab):
    service = lab(real_time=True)
    message = json.dumps(service.message("Bash", {"command": "git status"})).encode()
    line = f"exec {shlex.join(service.argv())} >/dev/full"
    done = subprocess.run(["/bin/sh", "-c", line], input=message, check=False, capture_output=True)
    assert done.returncode == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM])
def test_an_interrupted_hook_blocks(liar, decision_lab, number):
    held = threading.Event()

    def hold(connection, _):
        held.set()
        time.sleep(5)

    made = liar(hold)
    process = subprocess.Popen(
        made.argv(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={},
    )
    process.stdin.write(b"{}")
    process.stdin.close()
    process.stdin = None
    assert held.wait(5)
    process.send_signal(number)
    out, _ = process.communicate(timeout=5)
    assert (process.returncode, out) == (2, b"")


def test_a_killed_hook_says_nothing(liar):
    """Nothing can be said by who is killed: so an allow is said in words, and silence is no allow."""
    made = liar(lambda *_: time.sleep(3))
    process = subprocess.Popen(
        made.argv(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={},
    )
    time.sleep(0.2)
    process.kill()
    out, _ = process.communicate(timeout=5)
    assert (process.returncode, out) == (-9, b"")


def test_it_imports_nothing_that_could_be_put_in_its_way():
    probe = f"import sys; before = set(sys.modules); exec(open({_client()!r}).read().replace('__main__', 'no')); print(sorted(set(sys.modules) - before))"
    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-S", "-c", probe], capture_output=True, text=True, check=True, env={}
    )
    assert set(eval(done.stdout)) <= {"_socket", "_signal", "posix", "sys"}


def test_the_client_is_readable_by_an_old_interpreter():
    import ast

    ast.parse(Path(_client()).read_text(encoding="utf-8"), feature_version=(3, 7))


def test_the_client_is_a_plain_file():
    assert stat.S_ISREG(os.lstat(_client()).st_mode)
