"""Attack 9: taint is set before the call, and outlives restarts, resumes, subagents and files."""

import os

import pytest

TOOLS = {
    "default": "deny",
    "unknown": "deny",
    "allow": ["Read", "Write", "WebFetch", "Bash", "Task", "lookup", "send"],
    "taint_sources": {"web": ["WebFetch", "Bash(wget *)", "mcp__docs__search"]},
    "deny_if_tainted": {"web": ["send", "mcp__docs__publish"]},
}
MCP = {
    "default": "deny",
    "servers": [
        {
            "id": "docs",
            "transport": {"kind": "stdio", "argv": ["/usr/bin/docs"]},
            "tools": {"default": "deny", "allow": ["search", "publish"]},
        }
    ],
}
PAGE = {"url": "https://a.example.com/"}


@pytest.fixture
def service(lab, tmp_path):
    (tmp_path / "ws/sub").mkdir(parents=True)
    files = {"default": "deny", "workspace": "@/ws", "read_write": ["@/other"]}
    return lab(tools=TOOLS, mcp=MCP, filesystem=files)


def sends(service, **more):
    """Whether the tool that needs clean hands may be used."""
    return service.hook("send", {}, **more).effect == "allow"


def another(service, name="box-2"):
    """The next sandbox of the same agent: other socket, log and taint, same database."""
    service.restart(sandbox=name, audit={"folder": f"@/audit-{name}", "fsync": "batch"})


def test_control(service):
    assert sends(service)
    assert service.hook("Read", {"file_path": "a"}).effect == "allow"
    assert sends(service)


def test_set_by_the_call_before_it_happens(service):
    reply = service.hook("WebFetch", PAGE)
    assert reply.effect == "allow"
    assert not sends(service)
    kinds = [event["type"] for event in service.records()]
    assert kinds.index("tainted") < kinds.index("decision")
    assert service.records("decision")[-1]["tainted"] == ["web"]


def test_a_call_that_is_denied_taints_nothing(service):
    assert service.hook("WebFetch", {"url": "https://evil.test/"}).effect == "deny"
    assert sends(service)


def test_survives_restart(service):
    service.hook("WebFetch", PAGE)
    service.restart()
    assert not sends(service)


def test_resumed_sessions_and_subagents_are_the_same_sandbox(service):
    service.hook("WebFetch", PAGE, session_id="s-1")
    assert not sends(service, session_id="s-2")
    assert not sends(service, session_id="s-2", agent_id="a-1", parent_session_id="s-1")
    assert not sends(service, transcript_path="/elsewhere", source="resume")


@pytest.mark.parametrize(
    ("line", "taints"),
    [
        ("wget x", True),
        ("git log; wget x", True),
        ("env wget x", True),
        ("bash -c 'wget x'", True),
        ("$tool x", True),
        ("git log", False),
        ("echo wget x", False),
    ],
)
def test_shell_sources(service, line, taints):
    assert service.bash(line).effect == "allow"
    assert sends(service) is not taints


def test_mcp_sources_and_sinks(service):
    assert service.hook("mcp__docs__publish", {}).effect == "allow"
    assert service.hook("mcp__docs__search", {"q": "x"}).effect == "allow"
    assert not sends(service)
    assert service.hook("mcp__docs__publish", {}).effect == "deny"


def test_through_a_file(service):
    """Written while tainted, read by the next sandbox of the agent: the label comes along."""
    service.hook("WebFetch", PAGE)
    service.hook("Write", {"file_path": "sub/notes", "content": "x"})
    another(service)
    assert sends(service)
    service.hook("Read", {"file_path": "sub/other"})
    assert sends(service)
    service.hook("Read", {"file_path": "@/ws/sub/../sub/notes"})
    assert not sends(service)


def test_through_a_link_to_the_file(service, tmp_path):
    service.hook("WebFetch", PAGE)
    service.hook("Write", {"file_path": "sub/notes", "content": "x"})
    (tmp_path / "ws/sub/notes").write_text("x")
    (tmp_path / "ws/link").symlink_to("sub/notes")
    another(service)
    service.hook("Read", {"file_path": "link"})
    assert not sends(service)


def test_through_a_shell(service):
    """Nobody sees what a line writes, so it may have written anything in the workspace."""
    service.hook("WebFetch", PAGE)
    service.bash("make")
    another(service)
    assert sends(service)
    service.hook("Read", {"file_path": "@/other/x"})
    assert sends(service)
    service.hook("Read", {"file_path": "whatever"})
    assert not sends(service)


def test_a_shell_reads_what_lies_in_the_workspace(service):
    service.hook("WebFetch", PAGE)
    service.hook("Write", {"file_path": "sub/notes", "content": "x"})
    another(service)
    service.bash("git log")
    assert not sends(service)


def test_on_and_on(service):
    """The label goes from file to file over several sandboxes."""
    service.hook("WebFetch", PAGE)
    service.hook("Write", {"file_path": "one", "content": "x"})
    for number, (read, write) in enumerate((("one", "two"), ("two", "three")), start=2):
        another(service, f"box-{number}")
        service.hook("Read", {"file_path": read})
        service.hook("Write", {"file_path": write, "content": "x"})
    another(service, "box-9")
    assert sends(service)
    service.hook("Read", {"file_path": "three"})
    assert not sends(service)


def test_files_of_the_clean_stay_clean(service):
    service.hook("Write", {"file_path": "notes", "content": "x"})
    service.bash("make")
    another(service)
    service.hook("Read", {"file_path": "notes"})
    assert sends(service)


def test_more_files_than_are_remembered_taint_everything(service, monkeypatch):
    monkeypatch.setattr("tappass_host.decision.state._MOST_FILES", 5)
    service.hook("WebFetch", PAGE)
    for number in range(8):
        service.hook("Write", {"file_path": f"f{number}", "content": "x"})
    another(service)
    service.hook("Read", {"file_path": "@/other/x"})
    assert not sends(service)


def test_when_it_cannot_be_recorded_the_call_does_not_happen(service):
    service.append = lambda _: None
    assert service.hook("WebFetch", PAGE).effect == "deny"
    service.append = service.log.append
    assert sends(service)


def test_only_a_person_declares_it_clean(lab, tmp_path, monkeypatch):
    monkeypatch.setattr("tappass_host.decision.decider.is_confined", lambda _: True)
    admin = {"unix": "@/admin/a.sock", "uids": [os.geteuid()], "apart": "namespace"}
    service = lab(tools=TOOLS, filesystem={"default": "deny", "workspace": "@/ws"}, admin=admin)
    service.hook("WebFetch", PAGE)
    service.hook("Write", {"file_path": "notes", "content": "x"})
    assert service.post("/v1/untaint", {"label": "web"}).status == 404
    assert service.admin("/v1/untaint", {"label": "web"}).json() == {"label": "web", "cleared": True}
    assert sends(service)
    service.hook("Read", {"file_path": "notes"})
    assert sends(service)
    assert service.records("tainted")[-1]["cleared"] is True


def test_observed_calls_taint_too(lab, tmp_path):
    service = lab(tools={**TOOLS, "allow": []}, mode="observe")
    service.hook("WebFetch", PAGE)
    service.restart(mode="enforce", tools=TOOLS)
    assert not sends(service)
