"""The service as a process: ready, asked, reloaded, killed, started again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tappass_host.audit.read import verify_folder


@pytest.fixture
def running(decision_lab, tmp_path):
    """Starts it, as often as a test likes; ends what is left."""
    made = decision_lab.Lab(tmp_path)
    made.log_settings = None
    processes = []

    def start(**changes):
        made.path = made.write_config(**changes)
        ready, theirs = os.pipe()
        argv = [sys.executable, "-m", "tappass_host.decision", "--config", str(made.path)]
        process = subprocess.Popen(
            [*argv, "--ready-fd", str(theirs)], pass_fds=[theirs], stderr=subprocess.PIPE, text=True
        )
        os.close(theirs)
        processes.append(process)
        with os.fdopen(ready) as file:
            made.ready = file.readline()
        made.process = process
        return made

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def until(condition):
    for _ in range(300):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


def test_life(running):
    service = running()
    assert json.loads(service.ready) == {"unix": service.config["listen"]["unix"]}
    assert service.client("Bash", {"command": "git status"}).returncode == 0
    assert service.client("Bash", {"command": "curl x"}).returncode == 2
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(10) == 0
    assert [e["type"] for e in service.records()] == ["segment", "started", "decision", "decision", "stopped"]
    assert verify_folder(Path(service.config["audit"]["folder"])).ok


def test_reload_and_lock_down(running):
    service = running()
    service.write_config(tools={"default": "deny", "unknown": "deny", "allow": ["lookup"]})
    service.process.send_signal(signal.SIGHUP)
    until(lambda: service.records("reloaded"))
    assert service.client("Bash", {"command": "git status"}).returncode == 2
    assert service.client("lookup", {}).returncode == 0
    for broken in ({"tools": {"default": "maybe"}}, {"sandbox": "another"}):
        before = len(service.records("reloaded"))
        service.write_config(**broken)
        service.process.send_signal(signal.SIGHUP)
        until(lambda seen=before: len(service.records("reloaded")) > seen)
        done = service.client("lookup", {})
        assert (done.returncode, b"configuration cannot be read" in done.stderr) == (2, True)
        service.write_config(tools={"default": "deny", "allow": ["lookup"]}, sandbox="box-1")
        service.process.send_signal(signal.SIGHUP)
        until(lambda seen=before: len(service.records("reloaded")) > seen + 1)
        assert service.client("lookup", {}).returncode == 0


def test_killed_and_started_again(running):
    service = running(calls_per_minute=2)
    service.client("Bash", {"command": "git status"})
    service.process.kill()
    service.process.wait(10)
    assert service.client("Bash", {"command": "git status"}).returncode == 2
    service = running()
    assert service.client("Bash", {"command": "git status"}).returncode == 0
    if time.time() % 60 < 50:  # not over the turn of a minute
        assert service.client("Bash", {"command": "git status"}).returncode == 2
    service.process.send_signal(signal.SIGTERM)
    service.process.wait(10)
    report = verify_folder(Path(service.config["audit"]["folder"]))
    assert report.ok, report.findings


def test_two_of_them(running, decision_lab):
    service = running()
    argv = [sys.executable, "-m", "tappass_host.decision", "--config", str(service.path)]
    second = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    assert second.returncode == 4
    assert "another process" in second.stderr
    assert service.client("Bash", {"command": "git status"}).returncode == 0


def test_a_configuration_that_is_none(tmp_path):
    (tmp_path / "c.json").write_text('{"schema": "tappass.decision/v1"}')
    argv = [sys.executable, "-m", "tappass_host.decision", "--config", str(tmp_path / "c.json")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("tappass-decision: ")
