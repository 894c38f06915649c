"""Actions as people write them on the command line: one option for each kind.

--tool Bash --arg command='git push'      --read /etc/passwd      --connect paste.rs:443
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import click

from tappass_host.policy import actions as a
from tappass_host.policy.errors import GrammarError

Args = Mapping[str, object]
_LAST_PORT: Final = 65535


class Kind(NamedTuple):
    """One way to name an action: option, what its value is called, help, and how it is read."""

    option: str
    metavar: str
    help: str
    make: Callable[[str, Args], a.Action]


def _connect(text: str, _: Args) -> a.Action:
    host, _colon, port = text.rpartition(":")
    if not _colon:
        return a.Connect(host=text)
    if not port.isascii() or not port.isdigit() or not 0 < int(port) <= _LAST_PORT:
        raise GrammarError(f"{text!a} is no host:port", source="--connect", remedy="write paste.rs:443")
    return a.Connect(host=host.removeprefix("[").removesuffix("]"), port=int(port))


def _mcp(text: str, args: Args) -> a.Action:
    server, slash, tool = text.partition("/")
    if not slash:
        raise GrammarError(f"{text!a} is no server/tool", source="--mcp", remedy="write github/create_issue")
    return a.McpCall(server=server, tool=tool, args=dict(args))


def _move(text: str, _: Args) -> a.Action:
    source, arrow, to = text.partition(":")
    if not arrow:
        raise GrammarError(f"{text!a} is no from:to", source="--move", remedy="write /ws/a:/ws/b")
    return a.File(op="move", path=source, to=to)


KINDS: Final = (
    Kind("tool", "NAME", "Call this tool, with --arg.", lambda v, args: a.Tool(name=v, args=dict(args))),
    Kind(
        "run",
        "COMMAND",
        "Run this line with the tool Bash.",
        lambda v, _: a.Tool(name="Bash", args={"command": v}),
    ),
    Kind("read", "PATH", "Read this file.", lambda v, _: a.File(op="read", path=v)),
    Kind("write", "PATH", "Write this file.", lambda v, _: a.File(op="write", path=v)),
    Kind("move", "FROM:TO", "Move this file.", _move),
    Kind("connect", "HOST:PORT", "Connect there; the port is 443 if left out.", _connect),
    Kind("socket", "PATH", "Connect to this unix socket.", lambda v, _: a.UnixConnect(path=v)),
    Kind("mcp", "SERVER/TOOL", "Call this tool of an MCP server, with --arg.", _mcp),
    Kind(
        "call",
        "NAME",
        "Call this host function, with --arg.",
        lambda v, args: a.HostCall(name=v, args=dict(args)),
    ),
    Kind("import", "MODULE", "Import this module in an interpreter.", lambda v, _: a.Import(module=v)),
    Kind("env", "NAME", "Read this environment variable.", lambda v, _: a.EnvRead(name=v)),
    Kind("model", "NAME", "Ask this model.", lambda v, _: a.ModelCall(model=v)),
    Kind("action", "JSON", "Any action, as JSON, e.g. from policy diff --json.", lambda v, _: from_json(v)),
)


def from_json(text: str) -> a.Action:
    """Read an action of any kind.

    Raises:
        WireError, SchemaError: it is none.
    """
    from tappass_host.policy.decode import convert
    from tappass_host.policy.wire import strict_json

    document = strict_json(text.encode(), source="--action")
    # A union is no class, which is all that the type of `convert` says.
    action: a.Action = convert(document, a.Action, source="--action")  # type: ignore[arg-type]
    return action


def chosen(values: Mapping[str, str | None], args: Args) -> a.Action:
    """The one action that was named.

    Raises:
        click.UsageError: none or several were.
    """
    named = [kind for kind in KINDS if values.get(kind.option) is not None]
    options = ", ".join(f"--{kind.option}" for kind in KINDS)
    if len(named) != 1:
        how = "several actions" if named else "no action"
        raise click.UsageError(f"{how} given: name one with {options}", click.get_current_context())
    return named[0].make(str(values[named[0].option]), args)


def phrase(action: a.Action) -> str:
    """An action in a few words: `connect paste.rs:443`."""
    return _PHRASES[type(action)](action)


def _command(action: a.Tool) -> str:
    first = next(iter(action.args.values()), None)
    return action.name if first is None else f"{action.name} {first}"


_PHRASES: Final[dict[type, Callable[..., str]]] = {
    a.Tool: _command,
    a.McpCall: lambda x: f"{x.what} {x.server}/{x.tool}",
    a.McpStart: lambda x: f"start MCP server {' '.join(x.argv) or x.url or x.server}",
    a.File: lambda x: f"{x.op} {x.path}" + (f" -> {x.to}" if x.to else ""),
    a.Connect: lambda x: f"connect {x.host}:{x.port}" + ("" if x.protocol == "tcp" else f" {x.protocol}"),
    a.UnixConnect: lambda x: f"connect {x.path}",
    a.HostCall: lambda x: f"call {x.name}",
    a.Import: lambda x: f"import {x.module}",
    a.EnvRead: lambda x: f"read ${x.name}",
    a.Use: lambda x: f"use {x.amount} of {x.resource}",
    a.RunAs: lambda x: f"run as uid {x.uid}",
    a.ModelCall: lambda x: f"ask model {x.model} by {x.route}",
    a.Query: lambda x: f"query {x.source}/{x.view}",
}
