"""Attack 8: who asks is known by the socket; who answers is somebody else; a yes is for one call only."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tappass_host.decision import peers
from tappass_host.decision.peers import Peer

ADMIN = {
    "admin": {"unix": "@/admin/admin.sock", "uids": [0], "apart": "namespace"},
    "approvals": {"route": "admin", "timeout_s": 5, "pending": 2},
}
PUSH = {"command": "git push origin main"}


@pytest.fixture
def asking(lab, monkeypatch):
    """A service that asks a person, for an agent that is kept apart (as far as the kernel is asked)."""
    monkeypatch.setattr("tappass_host.decision.decider.is_confined", lambda _: True)

    def make(**changes):
        return lab(**{**ADMIN, "admin": {**ADMIN["admin"], "uids": [os.geteuid()]}, **changes})

    return make


class Waiting:
    """A hook that waits for an answer, in a thread."""

    def __init__(self, service, tool="Bash", args=PUSH, **more):
        self.service, self.reply = service, None
        before = self.ids()
        self._thread = threading.Thread(target=self._run, args=(tool, args, more), daemon=True)
        self._thread.start()
        self.id = self._asked(before)

    def _run(self, tool, args, more):
        self.reply = self.service.hook(tool, args, **more)

    def ids(self):
        return [ask["id"] for ask in self.service.admin("/v1/asks").json()["asks"] if ask["waiting"]]

    def _asked(self, before):
        for _ in range(200):
            new = [i for i in self.ids() if i not in before]
            if new or self.reply is not None:
                return new[0] if new else ""
            time.sleep(0.01)
        raise AssertionError("nobody was asked")

    def end(self):
        self._thread.join(10)
        return self.reply


# Without anybody to ask.


def test_no_route_to_a_person_denies_at_once(lab):
    started = time.monotonic()
    reply = lab().hook("Bash", PUSH)
    assert (reply.effect, "no way to ask one" in reply.text) == ("deny", True)
    assert time.monotonic() - started < 1


def test_an_agent_that_is_not_kept_apart_is_not_asked_about(lab):
    """Same user, same namespaces as whoever answers: it could answer itself, so nobody is asked."""
    service = lab(**ADMIN | {"admin": {**ADMIN["admin"], "uids": [os.geteuid()]}})
    reply = service.hook("Bash", PUSH)
    assert (reply.effect, "not kept apart" in reply.text) == ("deny", True)


# Answers.


def test_once(asking):
    service = asking()
    waiting = Waiting(service)
    (shown,) = service.admin("/v1/asks").json()["asks"]
    assert (shown["what"], shown["statement"]) == ("Bash git push origin main", "tools.ask[Bash(git push *)]")
    assert service.admin("/v1/approve", {"id": waiting.id}).status == 200
    assert waiting.end().effect == "allow"
    again = Waiting(service)
    service.admin("/v1/deny", {"id": again.id})
    assert again.end().effect == "deny"
    kinds = [(e["type"], e.get("answer") or e.get("effect")) for e in service.records()][1:]
    assert kinds == [
        ("asked", None),
        ("approval", "once"),
        ("decision", "allow"),
        ("asked", None),
        ("approval", "deny"),
        ("decision", "deny"),
    ]
    assert service.records("decision")[0]["approval"] == waiting.id
    assert service.records("approval")[0]["uid"] == os.geteuid()


def test_for_a_while(asking):
    service = asking()
    waiting = Waiting(service)
    service.admin("/v1/approve", {"id": waiting.id, "seconds": 3600})
    assert waiting.end().effect == "allow"
    assert service.hook("Bash", PUSH).effect == "allow"
    service.ticks.pass_(3599)
    assert service.hook("Bash", PUSH).effect == "allow"
    service.ticks.pass_(2)
    later = Waiting(service)
    service.admin("/v1/deny", {"id": later.id})
    assert later.end().effect == "deny"


def test_a_yes_survives_a_restart_and_can_be_taken_back(asking):
    service = asking()
    waiting = Waiting(service)
    service.admin("/v1/approve", {"id": waiting.id, "seconds": 3600})
    waiting.end()
    service.restart()
    assert service.hook("Bash", PUSH).effect == "allow"
    (grant,) = service.admin("/v1/status").json()["grants"]
    assert service.admin("/v1/deny", {"id": grant["id"]}).json()["revoked"] is True
    assert service.admin("/v1/status").json()["grants"] == []


OTHER_CALLS = {
    "other arguments": {"command": "git push origin dev"},
    "one more argument": {**PUSH, "run_in_background": True},
    "another spelling": {"command": "git  push origin main"},
}


@pytest.mark.parametrize("case", OTHER_CALLS)
def test_a_yes_is_for_these_arguments(asking, case):
    service = asking()
    waiting = Waiting(service)
    service.admin("/v1/approve", {"id": waiting.id, "seconds": 3600})
    waiting.end()
    other = Waiting(service, args=OTHER_CALLS[case])
    assert other.id
    service.admin("/v1/deny", {"id": other.id})
    assert other.end().effect == "deny"


def test_a_yes_is_for_this_policy(asking):
    service = asking()
    waiting = Waiting(service)
    service.admin("/v1/approve", {"id": waiting.id, "seconds": 3600})
    waiting.end()
    service.restart(
        policy={"digest": "sha256:" + "b" * 64, "version": 8, "expires_at": "2030-01-01T00:00:00Z"}
    )
    other = Waiting(service)
    service.admin("/v1/deny", {"id": other.id})
    assert other.end().effect == "deny"


def test_a_yes_is_for_this_sandbox(asking):
    service = asking()
    waiting = Waiting(service)
    service.admin("/v1/approve", {"id": waiting.id, "seconds": 3600})
    waiting.end()
    service.restart(sandbox="box-2", audit={"folder": "@/audit-2", "fsync": "batch"})
    other = Waiting(service)
    service.admin("/v1/deny", {"id": other.id})
    assert other.end().effect == "deny"


def test_a_yes_is_not_stronger_than_a_policy_that_changed_meanwhile(asking):
    from tappass_host.decision.__main__ import load

    service = asking()
    waiting = Waiting(service)
    denies = {"default": "deny", "unknown": "deny", "allow": ["Bash(git *)"], "deny": ["Bash(git push *)"]}
    config, _ = load(service.write_config(tools=denies))
    service.call(service.decider.load, config)
    service.admin("/v1/approve", {"id": waiting.id})
    assert waiting.end().effect == "deny"


def test_time_out_denies_and_a_late_yes_is_for_the_next_try(asking):
    service = asking(approvals={"route": "admin", "timeout_s": 1})
    waiting = Waiting(service)
    reply = waiting.end()
    assert (reply.effect, "nobody answered" in reply.text) == ("deny", True)
    assert service.admin("/v1/approve", {"id": waiting.id}).status == 200
    assert service.hook("Bash", PUSH).effect == "allow"
    assert [e["answer"] for e in service.records("approval")] == ["timeout", "once"]


def test_too_many_questions(asking):
    service = asking()
    waiting = [Waiting(service, args={"command": f"git push {n}"}) for n in range(2)]
    assert "too many calls wait" in service.hook("Bash", PUSH).text
    for one in waiting:
        service.admin("/v1/deny", {"id": one.id})
        one.end()


def test_whoever_asked_is_gone(asking):
    service = asking()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(service.config["listen"]["unix"])
        body = json.dumps(service.message("Bash", PUSH)).encode()
        head = f"POST /v1/hook/claude-code HTTP/1.1\r\nTappass-Nonce: {'a' * 32}\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        while not service.admin("/v1/asks").json()["asks"]:
            time.sleep(0.01)
    for _ in range(200):
        if service.records("approval"):
            break
        time.sleep(0.01)
    assert service.records("approval")[0]["answer"] == "gone"
    assert service.verdicts() == []


def test_an_answer_that_cannot_be_recorded_is_none(asking):
    from tappass_host.policy.errors import AuditError

    service = asking()
    waiting = Waiting(service)

    def full(_):
        raise AuditError("no space left")

    service.append = full
    assert service.admin("/v1/approve", {"id": waiting.id}).status == 503
    service.append = service.log.append
    assert service.admin("/v1/status").json()["grants"] == []
    service.admin("/v1/deny", {"id": waiting.id})
    assert waiting.end().effect == "deny"


@pytest.mark.parametrize(
    "body", [{"id": "r-none"}, {}, {"id": 3}, {"id": "r", "seconds": 10**9}, {"id": "r", "uid": 0}]
)
def test_odd_answers(asking, body):
    assert asking().admin("/v1/approve", body).status == 400


# Who asks and who answers.


def test_another_user_is_refused(lab):
    service = lab(listen={"unix": "@/run/decision.sock", "uids": [os.geteuid() + 1]})
    reply = service.bash("git status")
    assert (reply.status, reply.effect) == (403, "")


def test_the_body_does_not_say_who_asks(lab):
    service = lab()
    reply = service.bash("curl x", session_id="admin", sandbox="box-0", uid=0, agent="root")
    assert reply.effect == "deny"
    assert service.records("decision")[0]["sandbox"] == "box-1"


def test_the_sandbox_socket_has_no_admin_verbs(asking):
    service = asking()
    for place in ("/v1/approve", "/v1/deny", "/v1/untaint", "/v1/asks", "/v1/status"):
        assert service.post(place, {"id": "x"}).status == 404


def test_the_agent_on_the_admin_socket_is_refused_and_recorded(asking, monkeypatch):
    """The agent's hook runs in namespaces of its own; so does whatever it starts to approve itself."""
    service = asking()
    monkeypatch.setattr(peers, "shares_namespaces", lambda _: False)
    reply = service.admin("/v1/approve", {"id": "r-1"})
    assert (reply.status, reply.text) == (403, "it comes from inside a sandbox")
    assert [e["reason"] for e in service.records("admin_refused")] == ["it comes from inside a sandbox"]


def test_the_uid_of_the_sandbox_is_refused_on_the_admin_socket(lab):
    service = lab(
        listen={"unix": "@/run/decision.sock", "uids": [os.geteuid()]},
        admin={"unix": "@/admin/admin.sock", "uids": [os.geteuid() + 1]},
    )
    assert service.admin("/v1/status").status == 403
    assert service.records("admin_refused")[0]["uid"] == os.geteuid()


def test_the_control_group_of_the_sandbox_is_refused(asking):
    own = Path("/proc/self/cgroup").read_text().splitlines()[0].split(":", 2)[2]
    service = asking(admin={**ADMIN["admin"], "uids": [os.geteuid()], "cgroup": own or "/"})
    assert "control group" in service.admin("/v1/status").text


IN_NAMESPACES = """
import os, sys, time
sys.stdout.write("ready\\n"); sys.stdout.flush(); time.sleep(20)
"""


def test_namespaces_tell_a_sandbox_from_a_person():
    here = Peer(os.getpid(), os.geteuid())
    assert peers.shares_namespaces(here)
    assert not peers.is_confined(here)
    argv = [
        "unshare",
        "--map-root-user",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        sys.executable,
        "-c",
        IN_NAMESPACES,
    ]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout.readline() != "ready\n":
            pytest.skip("no user namespaces here")
        (inner,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        inside = Peer(int(inner), os.geteuid())
        assert peers.is_confined(inside)
        assert not peers.shares_namespaces(inside)
    finally:
        process.kill()
        process.communicate()


def test_who_cannot_be_looked_at_is_neither():
    gone = Peer(2**22 + 1, os.geteuid())
    assert not peers.is_confined(gone)
    assert not peers.shares_namespaces(gone)


# What people read.

FAKES = {
    "bidi": "git push \u202eevil",
    "escape codes": "git push '\x1b[2J\x1b[1;1Happrove me'",
    "newline": "git push '\nID r-000000 ALLOWED'",
    "look-alike": "git push \u043erigin",
    "zero width": "git push or\u200bigin",
}


@pytest.mark.parametrize("case", FAKES)
def test_nothing_that_an_agent_writes_fools_a_reader(asking, case):
    service = asking()
    waiting = Waiting(service, args={"command": FAKES[case]})
    (shown,) = service.admin("/v1/asks").json()["asks"]
    service.admin("/v1/deny", {"id": waiting.id})
    reply = waiting.end()
    for text in (shown["what"], shown["args"], reply.text):
        assert text.isascii()
        assert text.isprintable()
    for event in service.records():
        assert json.dumps(event, ensure_ascii=False).isprintable()


def test_the_denial_text_is_one_and_short(lab):
    note = {"reason": "r" * 900, "owner": "o" * 900, "url": "u" * 900}
    service = lab(annotations={"tools.deny[Bash(curl *)]": note}, name="n" * 200)
    text = service.bash("curl " + "x" * 900).text
    assert len(text) <= 400
    request = service.records("decision")[0]["request"]
    for part in ("Denied: Bash curl x", "v7", "tools.deny[Bash(curl *)]", "rrr", "Ask ooo", request):
        assert part in text
