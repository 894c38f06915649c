"""Verdicts of the Claude Code driver, read from what a program prints: no denial is ever guessed."""

import json

import pytest

from tappass_host.prove.drivers.claude_code import Via, drive, read_stream
from tappass_host.prove.llm import ToolCall

CALL = ToolCall("Bash", {"command": "ls"})
INIT = {"type": "system", "subtype": "init", "mcp_servers": [{"name": "corp", "status": "connected"}]}


def result(text, meta=None, *, is_error=True, **more):
    block = {"type": "tool_result", "content": text, "is_error": is_error, "tool_use_id": "toolu_0000"}
    event = {
        "type": "user",
        "message": {"role": "user", "content": [block]},
        "parent_tool_use_id": None,
        **more,
    }
    return event | ({"tool_result_meta": [{"id": "toolu_0000", **meta}]} if meta else {})


def refused(kind, **decision):
    return {"non_execution_kind": kind, "permission_decision": {"decision": "reject", **decision}}


def error(text):
    return result(f"<tool_use_error>{text}</tool_use_error>")


CASES = {
    "ran": (result("ok", is_error=False), ("ran", "", False)),
    "ran, and the command failed": (result("Exit code 3\nno"), ("ran", "", True)),
    "ran, in blocks": (result([{"type": "text", "text": "ok"}], is_error=False), ("ran", "", False)),
    "rule": (
        result("no", refused("permission-rule", source="config", reason_type="rule")),
        ("denied", "rule", True),
    ),
    "hook": (result("no", refused("permission-rule", source="hook")), ("denied", "hook", True)),
    "mode": (result("no", refused("permission-rule", reason_type="mode")), ("denied", "mode", True)),
    "unanswered prompt": (
        result("needs approval", refused("user-rejected", source="config", reason_type="subcommandResults")),
        ("unapproved", "subcommandResults", True),
    ),
    "classifier down": (
        result("x", refused("automode-unavailable", reason_type="classifier")),
        ("error", "classifier", True),
    ),
    "cancelled": (result("x", refused("cancelled")), ("error", "cancelled", True)),
    "file rule": (
        error("File is in a directory that is denied by your permission settings."),
        ("denied", "rule", True),
    ),
    "read rule on write": (
        error("File is covered by a Read deny rule in your permission settings and cannot be written."),
        ("denied", "rule", True),
    ),
    "removed tool": (
        error(
            "Error: No such tool available: Write. Write is disabled for this session, in subagents as well as here."
        ),
        ("denied", "removed", True),
    ),
    "agent type": (
        result("Agent type 'x' has been denied by permission rule 'Agent(x)' from settings."),
        ("denied", "rule", True),
    ),
    "removed MCP tool": (
        error("Error: No such tool available: mcp__corp__evil"),
        ("denied", "removed", True),
    ),
    "MCP tool of no server": (error("Error: No such tool available: mcp__gone__x"), ("error", "tool", True)),
    "unknown tool": (error("Error: No such tool available: Nope"), ("error", "tool", True)),
    "bad input": (error("InputValidationError: Read failed"), ("error", "tool", True)),
    "unread file": (
        error("File has not been read yet. Read it first before writing to it."),
        ("error", "tool", True),
    ),
    "words of a denial inside an error": (
        error("String to replace not found in file.\nString: is denied by your permission settings."),
        ("error", "tool", True),
    ),
    "a subagent's result": (
        result("ok", is_error=False, parent_tool_use_id="toolu_9"),
        ("error", "target", False),
    ),
}


@pytest.fixture
def program(tmp_path):
    """A program that prints a stream, then does something."""
    (tmp_path / "home").mkdir()
    (tmp_path / "ws").mkdir()

    def run(events, then="exit 0", timeout=10, **more):
        (tmp_path / "stream").write_text("".join(json.dumps(e) + "\n" for e in [INIT, *events]))
        path = tmp_path / "program"
        path.write_text(f"#!/bin/sh\ncat {tmp_path}/stream\n{then}\n")
        path.chmod(0o755)
        return drive(
            path,
            {"managed-settings.json": b"{}"},
            [CALL],
            home=tmp_path / "home",
            workspace=tmp_path / "ws",
            timeout=timeout,
            **more,
        )

    return run


@pytest.mark.parametrize("case", CASES)
def test_verdict(program, case):
    event, (kind, by, failed) = CASES[case]
    verdict = program([event]).verdicts[0]
    assert (verdict.kind, verdict.by, verdict.failed) == (kind, by, failed)


@pytest.mark.parametrize(
    ("then", "timeout", "kind", "text"),
    [
        ("echo policy could not be parsed >&2; exit 1", 10, "error", "exit 1: policy could not be parsed"),
        ("kill -9 $$", 10, "error", "exit 137"),
        ("sleep 30", 0.3, "timeout", "no result"),
    ],
)
def test_a_target_that_ends_early_denies_nothing(program, then, timeout, kind, text):
    session = program([], then, timeout)
    assert session.verdicts[0].kind == kind
    assert session.verdicts[0].text.startswith(text)


@pytest.mark.parametrize(
    ("then", "loaded"),
    [("exit 0", True), ("echo 'Managed settings contain invalid entries' >&2", False)],
)
def test_loaded_means_started_without_complaint(program, then, loaded):
    assert program([], then).loaded is loaded


def test_what_the_program_is_given(program, tmp_path):
    line = 'cat /etc/claude-code/managed-settings.json; echo; echo $HOME $ANTHROPIC_BASE_URL $X; pwd; echo $0 "$@"'
    out = program([], line, env={"X": "y"}, extra_argv=["--more"], skip_permissions=True).done.stdout
    *_, settings, env, cwd, argv = out.splitlines()
    assert (settings, cwd) == ("{}", str(tmp_path / "ws"))
    assert env == f"{tmp_path}/home http://127.0.0.1:8101 y"
    assert argv.endswith("-p go --output-format stream-json --verbose --dangerously-skip-permissions --more")


def test_prefix_and_its_own_way_to_the_model(program, tmp_path):
    via = Via("http://127.0.0.1:9", tmp_path / "own.sock")
    session = program(
        [],
        "test -S $SOCK && echo $ANTHROPIC_BASE_URL$TMPDIR",
        prefix_argv=["env", f"SOCK={via.unix_socket}"],
        via=via,
    )
    assert session.done.stdout.splitlines()[-1] == "http://127.0.0.1:9"


def test_cut_stream_is_read_up_to_the_cut():
    assert read_stream('{"type": "a"}\n[1]\n{"type": "b') == [{"type": "a"}]
