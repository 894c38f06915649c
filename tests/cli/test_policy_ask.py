"""`policy show`, `decide`, `diff`: questions to a policy."""

import json

import pytest


def test_show_lists_every_statement_with_its_place(run, compiled):
    ran = run("policy", "show", compiled)
    assert ran.code == 0
    text = ran.out
    assert text.startswith("acme/coder v1, enforce\nvalid until ")
    assert "allow_domains  docs.example.com  agent.yaml:4:19" in text
    assert "unmanaged, so nothing is promised: mcp, interpreter, data, llm, credentials" in text
    document = run("policy", "show", compiled, "--json").json
    row = next(s for s in document["statements"] if s["id"] == "filesystem.deny_paths[${workspace}/secret]")
    assert row["controls"] == ["SOC2:CC6.1"]
    assert row["annotation"]["reason"] == "keys live here"
    assert row["level"] == "org"


def test_show_only_an_aspect_or_a_control(run, compiled):
    aspects = run("policy", "show", compiled, "--aspect", "tools", "--json").json["statements"]
    assert {s["field"].partition(".")[0] for s in aspects} == {"tools"}
    tagged = run("policy", "show", compiled, "--control", "SOC2:CC6.1", "--json").json["statements"]
    assert [s["id"] for s in tagged] == ["filesystem.deny_paths[${workspace}/secret]"]
    assert run("policy", "show", compiled, "--aspect", "nets").code == 2


def test_show_takes_an_envelope_and_says_that_it_checked_nothing(run, signed):
    ran = run("policy", "show", signed)
    assert "the signatures are checked by tappass verify" in ran.out
    assert run("policy", "show", signed, "--json").json["form"] == "envelope"


@pytest.mark.parametrize(
    ("args", "effect", "statement"),
    [
        (["--run", "git status"], "allow", "tools.allow[Bash(git status)]"),
        (["--run", "git push origin main"], "ask", "tools.ask[Bash(git push *)]"),
        (["--tool", "Bash", "--arg", "command=ls"], "allow", "tools.allow[Bash(ls)]"),
        (["--tool", "Unheard"], "deny", "tools.unknown[deny]"),
        (["--read", "/srv/ws/x"], "allow", "filesystem.workspace[/srv/ws]"),
        (["--write", "/usr/bin/x"], "deny", "filesystem.read_only[/usr]"),
        (["--read", "/srv/ws/secret/key"], "deny", "filesystem.deny_paths[/srv/ws/secret]"),
        (["--move", "/srv/ws/a:/srv/ws/b"], "allow", "filesystem.workspace[/srv/ws]"),
        (["--connect", "docs.example.com"], "allow", "network.allow_domains[docs.example.com]"),
        (["--connect", "docs.example.com:22"], "deny", "network.default[deny]"),
        (["--connect", "[::1]:443"], "deny", "network.local[deny]"),
        (["--socket", "/run/docker.sock"], "deny", "network.default[deny]"),
        (["--mcp", "github/push"], "unmanaged", ""),
        (["--import", "os"], "unmanaged", ""),
        (
            ["--action", '{"kind": "use", "resource": "budget.tool_calls_per_minute", "amount": 61}'],
            "deny",
            None,
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_decide(run, compiled, args, effect, statement):
    ran = run("policy", "decide", compiled, *args, "--param", "workspace=/srv/ws", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["effect"] == effect
    if statement is not None:
        assert ran.json["statement"] == statement


def test_decide_explains(run, compiled):
    ran = run("policy", "decide", compiled, "--read", "/srv/ws/secret/key", "--sandbox", "sandbox.yaml")
    assert ran.out.splitlines()[0] == "deny      read /srv/ws/secret/key"
    assert "org org.yaml:12:7" in ran.out
    assert "keys live here" in ran.out
    assert "security" in ran.out
    assert "by acme/coder v1" in ran.err


def test_the_workspace_is_the_current_folder_unless_said(run, compiled, place):
    assert run("policy", "decide", compiled, "--write", f"{place}/x", "--json").json["effect"] == "allow"


@pytest.mark.parametrize(("expect", "code"), [("deny", 0), ("allow", 1)])
def test_decide_as_a_check(run, compiled, expect, code):
    assert run("policy", "decide", compiled, "--connect", "evil.net", "--expect", expect).code == code


@pytest.mark.parametrize(
    ("args", "what"),
    [
        ([], "no action given"),
        (["--read", "/a", "--write", "/b"], "several actions given"),
        (["--connect", "a:b:c"], "no host:port"),
        (["--mcp", "github"], "no server/tool"),
        (["--move", "/a"], "no from:to"),
        (["--action", "{"], "not JSON"),
        (["--action", '{"kind": "fly"}'], "fly"),
        (["--read", "/a", "--param", "workspace=/a/../b"], "parameter workspace"),
        (["--read", "/a", "--param", "nothing=/x"], "not declared"),
        (["--read", "/a", "--param", "workspace"], "no name=value"),
        (["--tool", "Bash", "--arg", "x"], "no name=value"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_decide_what_cannot_be_asked(run, compiled, args, what):
    ran = run("policy", "decide", compiled, *args)
    assert ran.code == 2
    assert what in ran.err


@pytest.fixture
def wider(run, compiled, sources):
    agent = sources / "agent.yaml"
    agent.write_text("level: agent\nid: coder\n")
    assert run("policy", "compile", "--out", "wider.json").code == 0
    return "wider.json"


def test_diff_names_an_action_for_what_became_wider(run, compiled, wider):
    ran = run("policy", "diff", compiled, wider, "--fail-on", "wider")
    assert ran.code == 1
    assert "+ network.allow_domains[*.example.com]" in ran.out
    assert "- network.allow_domains[docs.example.com]" in ran.out
    assert "was deny, is allow" in ran.out
    document = run("policy", "diff", compiled, wider, "--json").json
    assert document["narrower"] is False
    for each in document["wider"]:
        action = json.dumps(each["action"])
        for policy, effect in ((compiled, each["old"]), (wider, each["new"])):
            said = run("policy", "decide", policy, "--action", action, "--json").json
            assert said["effect"] == effect


def test_diff_the_other_way_is_narrower(run, compiled, wider):
    ran = run("policy", "diff", wider, compiled, "--fail-on", "wider")
    assert ran.code == 0
    assert "not wider" in ran.out
    assert run("policy", "diff", wider, compiled, "--fail-on", "any").code == 1


def test_diff_of_a_renewal_is_only_its_expiry(run, compiled):
    assert run("policy", "renew", compiled, "--expires-in", "200d", "--out", "renewed.json").code == 0
    ran = run("policy", "diff", compiled, "renewed.json", "--fail-on", "any")
    assert ran.code == 0
    assert "the same statements, expires" in ran.out


def test_diff_reads_envelopes(run, signed, compiled):
    assert run("policy", "diff", signed, compiled, "--json").json["old"]["form"] == "envelope"
