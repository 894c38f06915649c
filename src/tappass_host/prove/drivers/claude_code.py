"""Drives the real Claude Code offline: managed files in, one verdict for each scripted tool call out.

The program runs headless (`-p --output-format stream-json`) against the scripted model, in a
private network with loopback only, and sees the managed files at /etc/claude-code.
"""

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tappass_host.prove.drivers.verdict import Kind, Verdict
from tappass_host.prove.llm import Request, ScriptedLLM, ToolCall
from tappass_host.prove.sandbox import Completed, run_mapped

MANAGED = "/etc/claude-code"
PORT = 8101
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# The stamp on a refused call's result, seen in the stream of 2.1.330 (2026-11-23). The reason type
# beside it is no judge: `subcommandResults` comes with rules and with unanswered prompts alike.
_REFUSED: dict[str, Kind] = {"permission-rule": "denied", "user-rejected": "unapproved"}
# Some tools look at the rules themselves, and a rule without arguments takes the tool away: such
# refusals come as errors of the tool, without a stamp (2.1.330, 2026-11-23).
_DENIALS = {
    r"File is in a directory that is denied by your permission settings\.": "rule",
    r"File is covered by a Read deny rule in your permission settings and cannot be \w+\.": "rule",
    r"Agent type '[^']+' has been denied by permission rule '[^']+'.*": "rule",
    r"Error: No such tool available: (\S+)\. \1 is disabled for this session,.*": "removed",
}
# A denied MCP tool is simply not there: with its server connected that is a refusal, else an error.
_UNKNOWN_MCP = re.compile(r"Error: No such tool available: mcp__(\w+?)__\w+")
_TOOL_ERROR, _TOOL_ERROR_END = "<tool_use_error>", "</tool_use_error>"


class Via(NamedTuple):
    """How the program reaches the scripted model where `prefix_argv` gives it a network of its own.

    The model listens on `unix_socket`; the prefix makes `base_url` lead there.
    """

    base_url: str
    unix_socket: Path


class Session(NamedTuple):
    """One run of the program."""

    verdicts: list[Verdict]
    done: Completed
    init: dict[str, Any]
    result: dict[str, Any]
    requests: list[Request]
    offered: list[str]

    @property
    def loaded(self) -> bool:
        """Whether the program started and had nothing to say against its configuration."""
        return bool(self.init) and not self.done.stderr.strip()


def drive(
    binary: Path,
    managed: Mapping[str, bytes],
    script: Sequence[ToolCall],
    *,
    home: Path,
    workspace: Path,
    extra_argv: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    prefix_argv: Sequence[str] = (),
    via: Via | None = None,
    skip_permissions: bool = False,
    timeout: float = 60,
) -> Session:
    """Run `script` under the `managed` files (path below /etc/claude-code -> bytes).

    Args:
        binary: the program.
        managed: all managed files; none for the negative control.
        script: the tool calls, one a turn.
        home: $HOME, kept apart from the user's.
        workspace: the working folder.
        extra_argv: more options of the program.
        env: more environment; wins over ours.
        prefix_argv: what starts the program, such as bwrap with its options.
        via: the way to the model where the prefix has a network of its own.
        skip_permissions: ask for no approvals, so that only rules can refuse.
        timeout: seconds for the whole script.

    Raises:
        MissingTargetError: this machine cannot run it.
    """
    with tempfile.TemporaryDirectory(prefix="tappass-claude-") as scratch:
        folder, socket, temporary = (Path(scratch) / name for name in ("managed", "llm.sock", "tmp"))
        _write(folder, managed)
        temporary.mkdir()
        # Its sockets and logs would stay behind in /tmp; a prefix has a /tmp of its own.
        place = {} if prefix_argv else {"TMPDIR": str(temporary)}
        with ScriptedLLM(script, unix_socket=via.unix_socket if via else socket) as llm:
            done = run_mapped(
                [*prefix_argv, str(binary), *_argv(extra_argv, skip_permissions=skip_permissions)],
                binds={MANAGED: folder},
                env=_env(home, via.base_url if via else f"http://127.0.0.1:{PORT}") | place | dict(env or {}),
                cwd=workspace,
                timeout=timeout,
                network=False,
                forwards={} if via else {PORT: socket},
            )
            return read_session(script, done, llm)


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(mode=0o755)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _argv(extra: Sequence[str], *, skip_permissions: bool) -> list[str]:
    argv = ["-p", "go", "--output-format", "stream-json", "--verbose"]
    return [*argv, *(["--dangerously-skip-permissions"] if skip_permissions else []), *extra]


def _env(home: Path, base_url: str) -> dict[str, str]:
    return {
        "PATH": DEFAULT_PATH,
        "HOME": str(home),
        # Lets root skip the prompts: the private namespaces are the sandbox it speaks of.
        "IS_SANDBOX": "1",
        "ANTHROPIC_BASE_URL": base_url,
        "ANTHROPIC_API_KEY": "scripted",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        # A refused connection is retried for minutes otherwise.
        "CLAUDE_CODE_MAX_RETRIES": "1",
    }


def read_session(script: Sequence[ToolCall], done: Completed, llm: ScriptedLLM) -> Session:
    """What a finished run shows: one verdict for each call of the script."""
    events = read_stream(done.stdout)
    init = next((e for e in events if (e.get("type"), e.get("subtype")) == ("system", "init")), {})
    results = {r["tool_use_id"]: (r, meta) for r, meta in _tool_results(events)}
    connected = {s["name"] for s in init.get("mcp_servers", []) if s.get("status") == "connected"}
    verdicts = [_verdict(results.get(llm.turn(n).call_id), done, connected) for n in range(len(script))]
    final = next((e for e in events if e.get("type") == "result"), {})
    return Session(verdicts, done, init, final, llm.requests, llm.offered())


def read_stream(text: str) -> list[dict[str, Any]]:
    """The events of a stream-json output. A line that is cut short by a kill is left out."""
    events = []
    for line in text.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        events += [event] if isinstance(event, dict) else []
    return events


def _tool_results(events: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    found = []
    for event in events:
        # A subagent's calls are not the script's.
        if event.get("type") != "user" or event.get("parent_tool_use_id"):
            continue
        meta = {m["id"]: m for m in event.get("tool_result_meta", [])}
        content = event["message"]["content"]
        blocks = content if isinstance(content, list) else []
        found += [(b, meta.get(b["tool_use_id"], {})) for b in blocks if b.get("type") == "tool_result"]
    return found


def _verdict(
    found: tuple[dict[str, Any], dict[str, Any]] | None, done: Completed, connected: set[str]
) -> Verdict:
    if found is None:
        if done.timed_out:
            return Verdict("timeout", "driver", f"no result after {done.seconds:.1f} s")
        return Verdict("error", "target", f"exit {done.rc}: {(done.stderr or done.stdout)[-2000:]}")
    block, meta = found
    text, failed = _text(block.get("content")), bool(block.get("is_error"))
    refused = meta.get("non_execution_kind")
    if refused is not None:
        decision = meta.get("permission_decision", {})
        by = decision.get("reason_type") or decision.get("source") or refused
        return Verdict(_REFUSED.get(refused, "error"), by, text, failed=True)
    return _unstamped(text, connected) if failed else Verdict("ran", "", text)


def _unstamped(text: str, connected: set[str]) -> Verdict:
    """A failed call without a stamp: refused by the tool itself, or an error, or a program's failure."""
    words = text.removeprefix(_TOOL_ERROR).removesuffix(_TOOL_ERROR_END)
    by = next((by for pattern, by in _DENIALS.items() if re.fullmatch(pattern, words, re.DOTALL)), None)
    server = _UNKNOWN_MCP.fullmatch(words)
    if by or (server and server[1] in connected):
        return Verdict("denied", by or "removed", text, failed=True)
    if words != text:
        return Verdict("error", "tool", text, failed=True)
    return Verdict("ran", "", text, failed=True)


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(str(block.get("text", "")) for block in content)
    return str(content or "")
