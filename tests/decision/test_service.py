"""The service over its socket: verdicts, budgets, taint, answers, reload, expiry."""

import json

import pytest

from tappass_host.policy.errors import AuditError, MissingTargetError, SchemaError


def test_allow_and_deny(lab):
    service = lab()
    allowed, denied = service.bash("git status"), service.bash("curl x")
    assert (allowed.status, allowed.effect) == (200, "allow")
    said = json.loads(allowed.text)["hookSpecificOutput"]
    assert (said["hookEventName"], said["permissionDecision"]) == ("PreToolUse", "allow")
    assert (denied.status, denied.effect) == (200, "deny")
    assert denied.text.startswith(
        "Denied: Bash curl x. By policy acme/crm/helper v7, tools.deny[Bash(curl *)]"
    )


def test_decide(lab):
    service = lab()
    said = service.decide({"kind": "tool", "name": "Bash", "args": {"command": "git push origin"}}).json()
    assert (said["effect"], said["statement"]) == ("deny", "tools.ask[Bash(git push *)]")
    assert said["policy"]["version"] == 7
    connect = service.decide({"kind": "connect", "host": "a.example.com", "surface": "tool"})
    assert connect.json()["effect"] == "allow"
    unknown = service.decide({"kind": "model", "model": "x"})
    assert unknown.json()["effect"] == "deny"


def test_the_nonce_comes_back(lab):
    reply = lab().post("/v1/decide", {"action": {"kind": "tool", "name": "lookup"}}, nonce="ab" * 16)
    assert reply.headers["tappass-nonce"] == reply.json()["nonce"] == "ab" * 16


def test_every_verdict_is_recorded(lab):
    service = lab(
        compliance_tags={"SOC2:CC6.1": ["tools.deny[Bash(curl *)]"]},
        provenance={"tools.deny[Bash(curl *)]": {"level": "org", "source": "org.yaml:12:5"}},
    )
    service.bash("git status")
    denied = service.bash("curl x")
    first, second = service.records("decision")
    assert (first["effect"], first["what"], first["call"]) == ("allow", "Bash git status", "toolu_1")
    assert (second["level"], second["source"], second["tags"]) == ("org", "org.yaml:12:5", ["SOC2:CC6.1"])
    assert second["request"] in denied.text
    assert "curl" not in second["args"]


def test_annotations_are_in_the_text(lab):
    note = {"reason": "Use the gateway.", "owner": "net@acme.test", "url": "https://wiki/x"}
    text = lab(annotations={"tools.deny[Bash(curl *)]": note}).bash("curl x").text
    assert "Use the gateway. Ask net@acme.test https://wiki/x." in text


def test_a_failed_audit_write_denies(lab):
    service = lab()

    def full(_):
        raise AuditError("no space left")

    service.append = full
    reply = service.bash("git status")
    assert (reply.effect, "could not be recorded" in reply.text) == ("deny", True)
    service.append = service.log.append
    assert service.bash("git status").effect == "allow"


def test_a_broken_database_denies(lab):
    service = lab(calls_per_minute=100)
    service.call(service.state._db.close)
    reply = service.bash("git status")
    assert (reply.effect, "cannot be written" in reply.text) == ("deny", True)
    assert service.verdicts() == ["deny"]


def test_expired(lab):
    service = lab(policy={"digest": "sha256:0", "version": 1, "expires_at": "2026-09-21T14:14:00Z"})
    assert service.bash("git status").effect == "allow"
    service.ticks.pass_(60)
    reply = service.bash("git status")
    assert (reply.effect, "expired at 2026-09-21T14:14:00Z" in reply.text) == ("deny", True)


@pytest.mark.parametrize("clock", ["wall", "steady"])
def test_either_clock_ends_it_and_none_revives_it(lab, clock):
    service = lab(policy={"digest": "sha256:0", "version": 1, "expires_at": "2026-09-21T14:14:00Z"})
    setattr(service.ticks, clock, getattr(service.ticks, clock) + 60)
    assert service.bash("git status").effect == "deny"
    service.ticks.wall -= 3600
    assert service.bash("git status").effect == "deny"


def test_unmanaged_aspects_promise_nothing_and_block_nothing(lab):
    open_ = lab(tools=None, filesystem=None, network=None)
    reply = open_.bash("anything at all")
    assert (reply.effect, reply.text) == ("allow", "")
    assert open_.hook("mcp__docs__search", {}).text == ""


def test_managed_tools_with_unmanaged_files_are_allowed_in_so_many_words(lab):
    reply = lab(filesystem=None).hook("Read", {"file_path": "/etc/hosts"})
    assert json.loads(reply.text)["hookSpecificOutput"]["permissionDecision"] == "allow"


def test_pass_says_nothing(lab):
    service = lab(hooks=[{"dialect": "claude-code", "answer": "pass"}])
    assert (service.bash("git status").effect, service.bash("git status").text) == ("allow", "")


def test_observe_allows_and_records(lab):
    service = lab(mode="observe")
    reply = service.bash("curl x")
    assert (reply.effect, reply.text) == ("allow", "")
    (record,) = service.records("decision")
    assert (record["effect"], record["would"], record["statement"]) == (
        "allow",
        "deny",
        "tools.deny[Bash(curl *)]",
    )


def test_observe_ends_with_the_policy(lab):
    policy = {"digest": "sha256:0", "version": 1, "expires_at": "2020-01-01T00:00:00Z"}
    assert lab(mode="observe", policy=policy).bash("git status").effect == "deny"


def test_constraints(lab):
    tools = {"default": "deny", "unknown": "deny", "allow": ["lookup", "Read"]}
    tools["constraints"] = {"lookup": {"id": {"pattern": "c-[0-9]+"}, "n": {"range": {"max": 10}}}}
    service = lab(tools=tools)
    assert service.hook("lookup", {"id": "c-1", "n": 3}).effect == "allow"
    assert service.hook("lookup", {"id": "c-1", "n": 0.5}).effect == "allow"
    for args in ({"id": "x", "n": 1}, {"id": "c-1", "n": 11}, {"id": "c-1"}, {"id": "c-1", "n": 10.5}):
        assert service.hook("lookup", args).effect == "deny", args


def test_budget(lab):
    service = lab(calls_per_minute=3)
    service.bash("curl x")  # what is denied is no call
    assert [service.bash("git status").effect for _ in range(4)] == ["allow"] * 3 + ["deny"]
    assert "budget.tool_calls_per_minute[3]" in service.bash("git status").text
    service.restart()
    assert service.bash("git status").effect == "deny"
    service.ticks.pass_(60)
    assert service.bash("git status").effect == "allow"


def test_the_wall_clock_opens_no_budget(lab):
    service = lab(calls_per_minute=1)
    assert service.bash("ls").effect == "allow"
    service.ticks.wall += 3600
    assert service.bash("ls").effect == "deny"


def test_questions_that_are_no_tool_calls_are_not_counted(lab):
    service = lab(calls_per_minute=1)
    for _ in range(3):
        assert service.decide({"kind": "connect", "host": "a.example.com"}).json()["effect"] == "allow"


def test_reload(lab):
    from tappass_host.decision.__main__ import load
    from tappass_host.decision.decider import check_same_place

    service = lab()
    config, _ = load(service.write_config(tools={"default": "deny", "unknown": "deny", "allow": ["lookup"]}))
    check_same_place(service.decider.config, config)
    service.call(service.decider.load, config)
    assert service.bash("git status").effect == "deny"
    assert service.hook("lookup", {}).effect == "allow"
    service.call(service.decider.lock_down, "the configuration cannot be read")
    assert "cannot be read" in service.hook("lookup", {}).text


BAD = {
    "tcp": ({"listen": {"tcp": "127.0.0.1:1", "token_ref": "env:X"}}, "unix socket only"),
    "relative socket": ({"listen": {"unix": "x.sock"}}, "absolute"),
    "approvals without a socket": ({"approvals": {"route": "admin"}}, "admin socket"),
    "one user for both": (
        {
            "listen": {"unix": "@/run/d.sock", "uids": [1000]},
            "admin": {"unix": "@/run/a.sock", "uids": [0, 1000]},
        },
        "could answer",
    ),
    "users left out": ({"admin": {"unix": "@/run/a.sock"}}, "could answer"),
    "one socket for both": (
        {"admin": {"unix": "@/run/decision.sock", "uids": [0], "apart": "namespace"}},
        "the one of the sandbox",
    ),
    "a rule that is none": (
        {"tools": {"default": "deny", "unknown": "deny", "allow": ["Bash("]}},
        "does not end",
    ),
    "an unknown field": ({"trust_me": True}, "unknown field"),
}


@pytest.mark.parametrize("case", BAD)
def test_configurations_that_are_refused(lab, case):
    changes, why = BAD[case]
    with pytest.raises(Exception, match=why):
        lab(**changes)


def test_a_socket_is_never_put_where_others_may_put_one(lab, tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(SchemaError, match="others may write"):
        lab(listen={"unix": "@/open/d.sock"})


def test_something_else_in_the_way_of_the_socket(lab, tmp_path):
    (tmp_path / "run").mkdir(mode=0o755)
    (tmp_path / "run/decision.sock").write_text("x")
    with pytest.raises(SchemaError, match="no socket of ours"):
        lab()


def test_a_database_that_is_a_link(lab, tmp_path):
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state/decision.db").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(MissingTargetError, match="cannot be used"):
        lab()
