"""Claude Code: the message of a `PreToolUse` hook, and its answer.

Seen on 2.1.330 (2026-11-23; https://code.claude.com/docs/en/hooks): exit code 2 denies and shows stderr; exit
code 0 with `permissionDecision: allow` lets a call run in a closed mode, though not past a deny or ask rule;
every other way to end lets the call go on. A silent exit 0 is no decision.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Final

from tappass_host.decision.call import Call
from tappass_host.policy import actions as a
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import WireError

DIALECT: Final = "claude-code"
EVENT: Final = "PreToolUse"

# Its bookkeeping tools, the group `@internal` of a policy; a policy may name one of them by itself.
INTERNAL: Final = frozenset(
    (
        "Artifact", "AskUserQuestion", "ClaudeDesign", "CronCreate", "CronDelete", "CronList",
        "EndConversation", "EnterPlanMode", "EnterWorktree", "ExitPlanMode", "ExitWorktree", "LSP",
        "ListAgents", "ListMcpResourcesTool", "OfferChromeSetup", "Projects", "PushNotification",
        "ReadMcpResourceDirTool", "ReadNotifications", "RemoteTrigger", "ReportFindings",
        "ScheduleWakeup", "SendFeedback", "SendMessage", "SendUserFile", "SendUserMessage",
        "SetGoal", "ShareOnboardingGuide", "ShowOnboardingRolePicker", "Skill", "SubagentHandback",
        "TaskCreate", "TaskGet", "TaskList", "TaskStop", "TaskUpdate", "TodoWrite", "ToolSearch",
        "WaitForMcpServers", "Workflow", "propose_skills",
    )
)  # fmt: skip
# Native tool -> canonical tool and the argument that names the file.
_FILES: Final[dict[str, tuple[str, str]]] = {
    "Read": ("Read", "file_path"),
    "Write": ("Write", "file_path"),
    "Edit": ("Write", "file_path"),
    "MultiEdit": ("Write", "file_path"),
    "NotebookEdit": ("Write", "notebook_path"),
}
# Versions that have them read whole folders; a rule has to name them.
_TREES: Final = frozenset({"Glob", "Grep", "LS"})
# The same tool under another name.
_PLAIN: Final = {"Agent": "Task", "Task": "Task", "WebSearch": "WebSearch"}
_SHOWN: Final = ("command", "file_path", "notebook_path", "url", "query", "pattern", "description", "uri")
# How a server's id is spelled in the names of its tools.
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_-]")


def read(payload: dict[str, Any], policy: EffectivePolicy) -> Call:
    """The call in a hook message.

    Args:
        payload: the whole message.
        policy: which servers and names it knows.

    Raises:
        WireError: it is not the message of a tool about to be called.
    """
    if payload.get("hook_event_name") != EVENT:
        raise WireError(f"not a {EVENT} message")
    tool, args = payload.get("tool_name"), payload.get("tool_input")
    if not isinstance(tool, str) or not tool or not isinstance(args, dict):
        raise WireError("names no tool, or its input is no object")
    return Call(
        dialect=DIALECT,
        tool=tool,
        what=_what(tool, args),
        args=args,
        actions=_actions(tool, args, policy),
        trees=(str(args.get("path") or "."),) if tool in _TREES else (),
        cwd=_text(payload, "cwd"),
        session=_text(payload, "session_id"),
        call_id=_text(payload, "tool_use_id"),
    )


def allowed(reason: str, *, explicit: bool) -> str:
    """What a hook prints on an allow; nothing is no decision."""
    if not explicit:
        return ""
    said = {"hookEventName": EVENT, "permissionDecision": "allow", "permissionDecisionReason": reason}
    return json.dumps({"hookSpecificOutput": said})


def denied(reason: str) -> str:
    """What a hook prints on stderr before it exits with 2."""
    return reason


def _text(payload: dict[str, Any], key: str) -> str:
    value = payload.get(key)
    return value if isinstance(value, str) else ""


def _what(tool: str, args: dict[str, Any]) -> str:
    shown = next((args[key] for key in _SHOWN if isinstance(args.get(key), str)), "")
    return f"{tool} {shown}".strip()


def _actions(tool: str, args: dict[str, Any], policy: EffectivePolicy) -> tuple[a.Action, ...]:
    if tool.startswith("mcp__"):
        return _mcp(tool, args, policy)
    if tool == "ReadMcpResourceTool":
        server, uri = str(args.get("server", "")), str(args.get("uri", ""))
        return (a.McpCall(server=server, tool=uri, what="resource", args=args),)
    special: Callable[[str, dict[str, Any]], tuple[a.Action, ...]] | None = _SPECIAL.get(tool)
    if special is not None:
        return special(tool, args)
    if tool in INTERNAL and tool not in policy.tools.names:
        return (a.Tool(name="@internal", args=args),)
    return (a.Tool(name=tool, args=args),)


def _file(tool: str, args: dict[str, Any]) -> tuple[a.Action, ...]:
    name, key = _FILES[tool]
    path = args.get(key)
    if not isinstance(path, str):
        raise WireError(f"{tool} without {key}")
    rest = {k: v for k, v in args.items() if k != key}
    return (a.Tool(name=name, args={**rest, "path": path}),)


def _shell(tool: str, args: dict[str, Any]) -> tuple[a.Action, ...]:
    if not isinstance(args.get("command"), str):
        raise WireError(f"{tool} without command")
    return (a.Tool(name="Bash", args=args),)


def _other_shell(tool: str, args: dict[str, Any]) -> tuple[a.Action, ...]:
    """Its grammar is not the one of Bash: an unknown tool, and a line that nobody can read."""
    return (a.Tool(name=tool, args=args), a.Tool(name="Bash", args={**args, "command": "$opaque"}))


def _fetch(tool: str, args: dict[str, Any]) -> tuple[a.Action, ...]:
    if not isinstance(args.get("url"), str):
        raise WireError(f"{tool} without url")
    return (a.Tool(name="WebFetch", args=args),)


def _plain(tool: str, args: dict[str, Any]) -> tuple[a.Action, ...]:
    return (a.Tool(name=_PLAIN[tool], args=args),)


def _tree(tool: str, args: dict[str, Any]) -> tuple[a.Action, ...]:
    path = str(args.get("path") or ".")
    return (a.Tool(name=tool, args=args), a.File(op="read", path=path, surface="tool"))


_SPECIAL: Final[dict[str, Callable[[str, dict[str, Any]], tuple[a.Action, ...]]]] = {
    **dict.fromkeys(_FILES, _file),
    **dict.fromkeys(("Bash", "Monitor"), _shell),
    **dict.fromkeys(_PLAIN, _plain),
    **dict.fromkeys(_TREES, _tree),
    "PowerShell": _other_shell,
    "WebFetch": _fetch,
}


def _mcp(tool: str, args: dict[str, Any], policy: EffectivePolicy) -> tuple[a.Action, ...]:
    """A name may fit several servers, since ids are spelled with fewer characters there: all are judged."""
    found = []
    for server in policy.mcp_servers:
        prefix = f"mcp__{_NOT_IN_NAMES.sub('_', server)}__"
        if tool.startswith(prefix) and tool != prefix:
            found.append(a.McpCall(server=server, tool=tool.removeprefix(prefix), args=args))
    server, _, name = tool.removeprefix("mcp__").partition("__")
    return tuple(found) or (a.McpCall(server=server, tool=name, args=args),)
