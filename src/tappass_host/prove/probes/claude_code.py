"""Tries the tool corpus on the real Claude Code, inside whatever encloses it, driven by a scripted model.

The program runs as rendered: its managed settings at /etc/claude-code, its launch behind that of the ring
around it, its requests over TLS through the egress proxy to a model that asks for one call after another.
"""

import json
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from tappass_host.compiler.plan import UsePlan
from tappass_host.policy import actions as a
from tappass_host.prove.cases import Case
from tappass_host.prove.certificate import write_certificate
from tappass_host.prove.corpus import named_tools, tool_cases
from tappass_host.prove.drivers.claude_code import read_session
from tappass_host.prove.drivers.verdict import Verdict
from tappass_host.prove.lab import MODEL_HOST, Command, Lab
from tappass_host.prove.llm import ScriptedLLM, ToolCall
from tappass_host.prove.outcome import Outcome
from tappass_host.prove.stage import Stage
from tappass_host.prove.world import World

PROVES: Final = "claude-code"
SURFACES: Final = ("tool",)
_HEADLESS: Final = ("-p", "go", "--output-format", "stream-json", "--verbose")
_ARGUMENT: Final = {"Bash": "command", "Read": "file_path", "Write": "file_path", "WebFetch": "url"}
_SECONDS: Final = 90.0
# What a kernel, or a path that is not there, says through a tool of the harness.
_KERNEL_SAYS: Final = ("EROFS", "EACCES", "EPERM", "ENOENT", "Permission denied", "Read-only file system")
_ABSENT: Final = ("No such file", "does not exist", "command not found", "ENOTDIR", "Not a directory")


def cases(use: UsePlan, world: World) -> list[Case]:
    """The cases of this target."""
    return tool_cases(use.policy, world)


def with_policy(stage: Stage, use: UsePlan, tried: Sequence[Case], lab: Lab) -> list[Outcome]:
    """Try the cases under everything that was rendered."""
    command = stage.command(use.id, *_HEADLESS, env=_ENV, cwd=use.target.paths["workspace"])
    verdicts = _drive(lab, [*stage.services(), command], tried, use)
    return [_outcome(v, c, use) for v, c in zip(verdicts, tried, strict=True)]


def without_policy(stage: Stage, use: UsePlan, tried: Sequence[Case], lab: Lab) -> list[Outcome]:
    """The negative control: the same program with no settings, no ring, and no permission asked."""
    launch = stage.plan.launches[use.id]
    program = next(str(part) for part in (launch.program, *launch.args) if str(part).endswith("claude"))
    env = {"HOME": use.target.paths["home"], "PATH": "/usr/bin:/bin", **_ENV, "IS_SANDBOX": "1"}
    servers = ("--mcp-config", str(stage.path(use.id, "mcp"))) if use.policy.doc.mcp else ()
    argv = (program, *_HEADLESS, "--dangerously-skip-permissions", *servers)
    command = Command(argv=argv, env=env, cwd=use.target.paths["workspace"])
    verdicts = _drive(lab._replace(binds={}), [command], tried, use)
    return [_outcome(v, c, use) for v, c in zip(verdicts, tried, strict=True)]


# The scripted model takes any key, and a refused connection would be retried for minutes.
_ENV: Final = {"ANTHROPIC_API_KEY": "scripted", "CLAUDE_CODE_MAX_RETRIES": "1"}
_SERVER: Final = Path(__file__).with_name("mcp_server.py")
_CA_PATH: Final = "/etc/ssl/certs/ca-certificates.crt"


def _drive(lab: Lab, commands: Iterable[Command], tried: Sequence[Case], use: UsePlan) -> list[Verdict]:
    script = [_call(case) for case in tried]
    with tempfile.TemporaryDirectory(prefix="tappass-model-") as scratch:
        folder = Path(scratch)
        authority, certificate = write_certificate(folder, MODEL_HOST)
        with ScriptedLLM(script, unix_socket=folder / "model.sock") as model:
            *services, last = commands
            env = {**last.env, "NODE_EXTRA_CA_CERTS": _CA_PATH}
            last = last._replace(env=env, timeout=_SECONDS)
            place = lab._replace(
                binds={**lab.binds, **_servers(use, folder), _CA_PATH: authority},
                model_socket=folder / "model.sock",
                certificate=certificate,
            )
            done = place.run([*services, last])[-1]
            return read_session(script, done, model).verdicts


def _servers(use: UsePlan, folder: Path) -> dict[str, Path]:
    """Where the policy says a local MCP server is, one of ours stands: it offers what the policy names."""
    found = {}
    for server in use.policy.mcp_servers.values():
        if server.transport.kind == "stdio":
            script = folder / f"{server.id}.py"
            head = f"#!/usr/bin/python3 -IS\nTOOLS = {named_tools(server)!r}\n"
            script.write_text(head + _SERVER.read_text(encoding="utf-8"), encoding="utf-8")
            script.chmod(0o755)
            found[server.transport.argv[0]] = script
    return found


def _call(case: Case) -> ToolCall:
    kind, name, *rest = case.attempt
    if kind == "mcp":
        return ToolCall(f"mcp__{name}__{rest[0]}", json.loads(rest[1]))
    arguments: dict[str, Any] = {_ARGUMENT[name]: rest[0]}
    if name == "Write":
        arguments["content"] = case.id
    if name == "Bash":
        arguments["description"] = case.title
    return ToolCall(name, arguments)


def _outcome(verdict: Verdict, case: Case, use: UsePlan) -> Outcome:
    text = verdict.text[:200]
    if _succeeded(verdict, case):
        return Outcome("ran", text)
    if verdict.kind == "denied":
        return Outcome("blocked", text, "claude-code")
    if verdict.kind == "unapproved":
        return Outcome("asked", text, "claude-code")
    if verdict.kind == "timeout":
        return Outcome("timeout", text)
    kernel = use.target.inside[0] if use.target.inside else "kernel"
    if verdict.kind == "ran" and case.mark:
        # It ran and did not see the canary, which the control did: what it looked at is not there for it.
        return Outcome("blocked", text, kernel)
    refused = any(word in verdict.text for word in (*_KERNEL_SAYS, *_ABSENT))
    return Outcome("blocked" if refused else "failed", text, kernel if refused else "")


def _succeeded(verdict: Verdict, case: Case) -> bool:
    action = case.actions[0]
    if isinstance(action, a.Tool) and action.name == "Write":
        return _written(str(action.args["path"]), case.id)
    if case.mark:
        return case.mark in verdict.text
    return verdict.kind == "ran"


def _written(path: str, content: str) -> bool:
    """Whether the file is there with what was to be written; taken away again for the next run."""
    place = Path(path)
    try:
        written = place.read_text(encoding="utf-8") == content
    except OSError:
        return False
    if written:
        place.unlink()
    return written
