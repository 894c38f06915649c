"""The child and the engine's worker from outside, and children that misbehave."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tappass_host.runners import process, run
from tappass_host.sdk.configs.interpreter import HostFunction


@pytest.fixture
def inspected(run_code, processes):
    """Run a probe over both processes while code is suspended in a host function."""

    def go(probe, **fields):
        found = []

        def look():
            found.extend(probe(pid) for pid in processes.pair())

        result = run_code("look()", host_functions={"look": look}, **fields)
        assert result.status == "ok", result
        assert len(found) == 2
        return found

    return go


def test_the_environment_is_empty(inspected, processes, monkeypatch):
    monkeypatch.setenv("TAPPASS_TEST_SECRET", "hunter2")
    assert "TAPPASS_TEST_SECRET" in os.environ
    assert inspected(lambda pid: processes.read(pid, "environ")) == [b"", b""]


def test_the_code_sees_only_the_environment_of_the_manifest(run_code, monkeypatch):
    monkeypatch.setenv("TAPPASS_TEST_SECRET", "hunter2")
    code = "import os\n[dict(os.environ), os.getenv('A'), os.getenv('TAPPASS_TEST_SECRET'), os.getenv('B', 'none')]"
    assert run_code(code, env={"A": "1"}).result == [{"A": "1"}, "1", None, "none"]
    assert run_code("import os\ndict(os.environ)").result == {}


def test_no_new_privileges_and_no_core(inspected, processes):
    for status in inspected(lambda pid: processes.read(pid, "status").decode()):
        assert "NoNewPrivs:\t1" in status
    for limits in inspected(lambda pid: processes.read(pid, "limits").decode()):
        assert _limit(limits, "Max core file size") == "0"


def test_resource_limits_hold_for_both(inspected, processes):
    fields = {"memory_bytes": 64 << 20, "cpu_time_ms": 2000}
    for limits in inspected(lambda pid: processes.read(pid, "limits").decode(), limits=fields):
        assert _limit(limits, "Max cpu time") == "4"
        assert _limit(limits, "Max file size") == "0"
        assert _limit(limits, "Max open files") == "64"
        assert _limit(limits, "Max address space") == str((640 + 64) << 20)


def _limit(text, name):
    (line,) = [line for line in text.splitlines() if line.startswith(name)]
    return line[len(name) :].split()[0]


def test_own_session_and_group(inspected):
    (child, worker) = inspected(lambda pid: (os.getpgid(pid), os.getsid(pid)))
    assert child == worker
    assert child != (os.getpgid(0), os.getsid(0))


def test_the_worker_inherits_no_way_to_the_runner(inspected):
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    try:
        child, worker = inspected(_descriptors)
        assert any(name.startswith("socket:") for name in child)
        assert not any(name.startswith("socket:") for name in worker), worker
        assert str(Path(f"/proc/self/fd/{writing}").readlink()) not in child + worker
    finally:
        os.close(reading)
        os.close(writing)


def _descriptors(pid):
    folder = Path(f"/proc/{pid}/fd")
    return [str(each.readlink()) for each in folder.iterdir()]


def test_the_child_works_in_no_folder_of_ours(inspected):
    assert inspected(lambda pid: str(Path(f"/proc/{pid}/cwd").readlink())) == ["/", "/"]


def test_nothing_is_left_behind(run_code, processes):
    pids = []
    run_code("look()", host_functions={"look": lambda: pids.extend(processes.pair())})
    assert len(pids) == 2
    assert not any(processes.read(pid, "cmdline") for pid in pids)
    before = len(list(Path("/proc/self/fd").iterdir()))
    run_code("1")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


KILLED = [("child", 0, "ChildCrashedError"), ("worker", 1, "MontyCrashedError")]


@pytest.mark.parametrize(("which", "error"), [k[1:] for k in KILLED], ids=[k[0] for k in KILLED])
def test_a_crash_is_a_crash_and_no_denial(run_code, processes, which, error):
    def crash():
        os.kill(processes.pair()[which], signal.SIGKILL)
        time.sleep(0.1)

    result = run_code("crash()\n1", host_functions={"crash": crash})
    assert (result.status, result.error.type, result.exit_code) == ("crashed", error, 5)
    assert [c.verdict for c in result.calls] == ["allow"]


def test_a_slow_host_function_does_not_keep_the_code_alive(run_code, processes):
    pids = []

    def slow():
        pids.extend(processes.pair())
        time.sleep(1.5)
        return [bool(processes.read(pid, "cmdline")) for pid in pids]

    gone = []
    result = run_code(
        "slow()",
        host_functions={"slow": lambda: gone.extend(slow())},
        limits={"wall_ms": 1000, "cpu_time_ms": 900},
    )
    assert (result.status, gone) == ("timeout", [False, False])


def test_when_the_runner_dies_its_children_die(monty, make_manifest, now, tmp_path, processes):
    manifest = tmp_path / "m.json"
    manifest.write_bytes(
        make_manifest(
            limits={"cpu_time_ms": 60_000, "wall_ms": 60_000, "sleep_ms": 60_000},
            host_functions=(HostFunction(name="mark"),),
        )
    )
    script = f"""
        import sys; from tappass_host.runners import run
        run({str(manifest)!r}, "import time\\nmark()\\ntime.sleep(50)", now={now},
            host_functions={{"mark": lambda: print("ready", flush=True)}})
    """
    runner = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE)
    try:
        assert runner.stdout.readline() == b"ready\n"
        (child,) = processes._children(runner.pid)
        (worker,) = processes._children(child)
    finally:
        runner.kill()
        runner.wait()
        runner.stdout.close()
    _wait_until(lambda: not processes.read(child, "cmdline") and not processes.read(worker, "cmdline"))


def _wait_until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# A child that is not ours but speaks on our pipe: what it sends is judged, never believed.
HOSTILE = [
    ("says nothing and leaves", "pass", "crashed", "ChildCrashedError"),
    ("dies with words", "raise SystemExit('out of luck')", "crashed", "ChildCrashedError"),
    ("dies by signal", "os.kill(os.getpid(), 11)", "crashed", "ChildCrashedError"),
    ("says nothing and stays", "time.sleep(60)", "timeout", "TimeoutError"),
    ("ignores signals", "signal.signal(15, signal.SIG_IGN); hello(); time.sleep(60)", "timeout", "TimeoutError"),
    ("announces a huge frame", "s.sendall(b'\\xff\\xff\\xff\\xff')", "crashed", "ProtocolError"),
    ("cuts a frame off", "s.sendall(b'\\0\\0\\0\\xffabc')", "crashed", "ProtocolError"),
    ("floods the pipe", "while True: s.sendall(b'x' * 65536)", "crashed", "ProtocolError"),
    ("sends no JSON", "frame(b'nonsense')", "crashed", "ProtocolError"),
    ("sends deep JSON", "frame(b'[' * 100000)", "crashed", "ProtocolError"),
    ("sends no UTF-8", "frame(b'{\"op\":\"hello\",\"version\":\"\\xff\"}')", "crashed", "ProtocolError"),
    ("sends another message", "frame(b'{\"op\":\"grant\"}')", "crashed", "ProtocolError"),
    ("adds a field", "frame(b'{\"op\":\"hello\",\"version\":\"1.4\",\"x\":1}')", "crashed", "ProtocolError"),
    ("is done before it starts", "done()", "crashed", "ProtocolError"),
    ("starts twice", "hello(); hello()", "crashed", "ProtocolError"),
    ("invents a status", "hello(); frame(b'{\"op\":\"done\",\"status\":\"fine\",\"ran\":true,\"result\":1,\"error\":null}')", "crashed", "ProtocolError"),
    ("prints more than allowed", "hello(); [send(op='print', text='x' * 1000) for _ in range(2000)]", "crashed", "ProtocolError"),
    ("prints nothing for ever", "hello(); [send(op='print', text='') for _ in range(10**6)]", "crashed", "ProtocolError"),
    ("asks for ever", "hello(); [send(op='refused', name='x', reason='') for _ in range(10**6)]", "crashed", "ProtocolError"),
    ("calls and does not read", "hello(); [send(op='call', name='big', args=[], kwargs={}) for _ in range(900)]; time.sleep(60)", "timeout", "TimeoutError"),
    ("fills stderr", "hello(); [os.write(2, b'x' * 4096) for _ in range(1000)]", "timeout", "TimeoutError"),
    ("pretends another version", "send(op='hello', version='9.9')", "denied", "MissingTargetError"),
]  # fmt: skip

HOSTILE_CHILD = """
import json, os, signal, socket, struct, sys, time
s = socket.socket(fileno=int(sys.argv[1]))
def frame(payload): s.sendall(struct.pack(">I", len(payload)) + payload)
def send(**message): frame(json.dumps(message).encode())
def read():
    (size,) = struct.unpack(">I", s.recv(4, socket.MSG_WAITALL))
    return json.loads(s.recv(size, socket.MSG_WAITALL))
def hello(): send(op="hello", version="1.4.0")
def done(): send(op="done", status="ok", ran=True, result=None, error=None)
"""


@pytest.fixture
def hostile(make_manifest, monkeypatch, now):
    def go(script, **kwargs):
        monkeypatch.setattr(process, "COMMAND", ("-I", "-c", HOSTILE_CHILD + script))
        manifest = make_manifest(
            host_functions=(HostFunction(name="big"), HostFunction(name="f")),
            limits={"wall_ms": 1000, "stdout_bytes": 1000},
        )
        return run(manifest, "1", now=now, **kwargs)

    return go


@pytest.mark.parametrize(("script", "status", "error"), [h[1:] for h in HOSTILE], ids=[h[0] for h in HOSTILE])
def test_hostile_child(hostile, script, status, error):
    result = hostile(script, host_functions={"big": lambda: "x" * 100_000})
    assert result.status == status, result
    # A child that dies with unread input resets the connection: then its death may be seen before its words.
    known = {error, "ChildCrashedError"} if error == "ProtocolError" else {error}
    assert error == "" or (result.error is not None and result.error.type in known), result
    assert result.usage.wall_ms < 5000


def test_a_child_cannot_call_what_the_policy_does_not_declare(hostile):
    called = []
    functions = {"f": lambda: called.append("f"), "secret": lambda: called.append("secret")}
    script = "hello(); send(op='call', name='{}', args=[], kwargs={{}}); read(); read(); read(); done()"
    assert hostile(script.format("secret"), host_functions=functions).calls[0].verdict == "deny"
    assert called == []
    assert hostile(script.format("f"), host_functions=functions).calls[0].verdict == "allow"
    assert called == ["f"]


def test_a_process_left_behind_dies_with_the_group(hostile, processes):
    script = "hello(); pid = os.fork()\nif not pid: s.close(); time.sleep(60)\nsend(op='done', status='ok', ran=True, result=pid, error=None)"
    left = hostile(script).result
    _wait_until(lambda: not processes.read(left, "cmdline"))


def test_last_words_are_reported(hostile):
    assert "out of luck" in hostile("raise SystemExit('out of luck')").error.message
