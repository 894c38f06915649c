"""`audit verify | tail | show | export`, `why`, and the verbs of approvals, end to end."""

import json
import os
import threading
import time

import pytest
from click.testing import CliRunner

from tappass_host.audit.events import Decided, PolicyLabel
from tappass_host.audit.witness import folder_witness
from tappass_host.audit.write import Log
from tappass_host.host import approvals as desk
from tappass_host.host.cli_approvals import approvals, approve, chosen, deny, seconds_of
from tappass_host.host.cli_audit import audit, why_
from tappass_host.policy.errors import AuditError, MissingTargetError, PolicyError


def called(command, *args):
    done = CliRunner().invoke(command, [str(arg) for arg in args])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


@pytest.fixture
def host(tmp_path):
    """A host with one log, and a witness of it."""
    (tmp_path / "witness").mkdir()
    folder = tmp_path / "var/lib/tappass/audit"
    log = Log.open(folder, component="test", witness=folder_witness(tmp_path / "witness"))
    log.append(
        Decided(
            request="r-1",
            sandbox="box",
            tool="Bash",
            what="Bash curl \\u202e",
            args="sha256:0",
            effect="deny",
            statement="tools.deny[Bash(curl *)]",
            level="org",
            source="org.yaml:12:5",
            reason="rule Bash(curl *)",
            policy=PolicyLabel(digest="sha256:1", version=7),
        )
    )
    log.close()
    return tmp_path


def test_verify(host):
    code, out = called(audit, "verify", "--host-root", host, "--witness", host / "witness")
    assert (code, out.startswith("ok")) == (0, True)
    assert "no witness" in called(audit, "verify", "--host-root", host)[1]


def test_verify_fails_after_one_byte(host):
    path = host / "var/lib/tappass/audit/00000001.jsonl"
    path.write_bytes(path.read_bytes().replace(b"deny", b"demy", 1))
    code, out = called(audit, "verify", "--host-root", host)
    assert (code, "signature does not hold" in out) == (1, True)


def test_verify_misses_a_log_that_a_witness_knows(host):
    for path in (host / "var/lib/tappass/audit").iterdir():
        path.unlink()
    (host / "var/lib/tappass/audit").rmdir()
    Log.open(host / "var/lib/tappass/audit", component="test").close()
    code, out = called(audit, "verify", "--host-root", host, "--witness", host / "witness")
    assert (code, "which is not here" in out) == (1, True)


def test_show_tail_export_why(host):
    assert json.loads(called(audit, "show", "r-1", "--host-root", host)[1])["event"]["effect"] == "deny"
    assert "r-1 deny Bash curl" in called(audit, "tail", "--host-root", host)[1]
    lines = called(audit, "export", "--format", "ocsf", "--host-root", host)[1].splitlines()
    assert {json.loads(line)["class_uid"] for line in lines} == {6002, 6003}
    text = called(why_, "r-1", "--host-root", host)[1]
    for part in ("tools.deny[Bash(curl *)]", "org.yaml:12:5", "v7 sha256:1"):
        assert part in text
    assert text.replace("\n", "").isprintable()


def test_nothing_there(host, tmp_path):
    with pytest.raises(AuditError, match="nothing is recorded"):
        called(why_, "r-2", "--host-root", host)
    with pytest.raises(AuditError, match="no audit log"):
        called(audit, "verify", "--host-root", tmp_path / "empty")


@pytest.fixture
def asking(lab, monkeypatch):
    monkeypatch.setattr("tappass_host.decision.decider.is_confined", lambda _: True)
    admin = {"unix": "@/run/tappass/admin/box.sock", "uids": [os.geteuid()], "apart": "namespace"}
    return lab(admin=admin, approvals={"route": "admin", "timeout_s": 8})


@pytest.mark.parametrize(
    ("command", "options", "effect"),
    [(approve, ["--once"], "allow"), (approve, ["--for", "1h"], "allow"), (deny, [], "deny")],
)
def test_answers(asking, command, options, effect):
    replies = []
    push = {"command": "git push origin"}
    thread = threading.Thread(target=lambda: replies.append(asking.hook("Bash", push)), daemon=True)
    thread.start()
    sockets = chosen(asking.root, None)
    while not (questions := desk.waiting(sockets)):
        time.sleep(0.01)
    assert "Bash git push origin" in called(approvals, "--host-root", asking.root, "--args")[1]
    code, _ = called(command, questions[0]["id"], *options, "--host-root", asking.root)
    thread.join(10)
    assert (code, replies[0].effect) == (0, effect)


def test_answers_to_nobody(asking, tmp_path):
    with pytest.raises(PolicyError, match="nobody asked"):
        called(approve, "r-9", "--once", "--host-root", asking.root)
    with pytest.raises(MissingTargetError, match="no decision service"):
        called(approvals, "--host-root", tmp_path / "empty")
    assert called(approve, "r-9", "--host-root", asking.root)[0] == 2


def test_spans():
    assert [seconds_of(text) for text in ("30s", "5m", "1h", "1d")] == [30, 300, 3600, 86400]
    for text in ("1", "h", "0h", "-1h", "1w", "1.5h"):
        with pytest.raises(PolicyError):
            seconds_of(text)
