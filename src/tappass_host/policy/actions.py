"""What an agent may try to do: the one vocabulary of `decide`, of readers, corpora and probes.

Every action is a frozen value with a `surface`. Paths are absolute and already resolved in the agent's view
(symlinks, `~`, `..`); hosts are as the agent spelled them.
"""

from typing import Literal

from msgspec import Struct

from tappass_host.policy.surfaces import Surface


class Act(Struct, frozen=True, kw_only=True, tag_field="kind"):
    """Base of all actions."""

    surface: Surface = "exec"


class Tool(Act, frozen=True, kw_only=True, tag="tool"):
    """A call the harness dispatches: `Bash` (`command`), `Read`, `Write` (`path`), `WebFetch` (`url`)."""

    name: str
    args: dict[str, object] = {}
    surface: Surface = "tool"


class McpCall(Act, frozen=True, kw_only=True, tag="mcp_call"):
    """A call of one tool (or use of a resource, prompt or feature) of an MCP server."""

    server: str
    tool: str
    args: dict[str, object] = {}
    what: Literal["tool", "resource", "prompt", "feature"] = "tool"
    surface: Surface = "tool"


class McpStart(Act, frozen=True, kw_only=True, tag="mcp_start"):
    """Starting, or connecting to, an MCP server, known by its exact argv or URL, not by its name."""

    server: str
    argv: tuple[str, ...] = ()
    url: str = ""
    surface: Surface = "tool"


class File(Act, frozen=True, kw_only=True, tag="file"):
    """A file operation. `to` is the destination of a move."""

    op: Literal["read", "write", "move"]
    path: str
    to: str = ""


class Connect(Act, frozen=True, kw_only=True, tag="connect"):
    """A connection attempt. `protocol` other than tcp is `network.other`."""

    host: str
    port: int = 443
    protocol: Literal["tcp", "udp", "icmp", "raw"] = "tcp"


class UnixConnect(Act, frozen=True, kw_only=True, tag="unix_connect"):
    """A connection to a unix socket by path."""

    path: str


class HostCall(Act, frozen=True, kw_only=True, tag="host_call"):
    """Interpreter code calls a function of the host."""

    name: str
    args: dict[str, object] = {}
    surface: Surface = "code"


class Import(Act, frozen=True, kw_only=True, tag="import"):
    """Interpreter code imports a module."""

    module: str
    surface: Surface = "code"


class EnvRead(Act, frozen=True, kw_only=True, tag="env"):
    """A process reads an environment variable that its launcher had."""

    name: str


class Use(Act, frozen=True, kw_only=True, tag="use"):
    """Using an amount of a limited resource, in the unit of the policy field it is named by."""

    resource: Literal[
        "process.memory_mb",
        "process.max_processes",
        "process.max_open_files",
        "process.cpu_percent",
        "interpreter.memory_mb",
        "interpreter.cpu_time_ms",
        "budget.tokens_per_call",
        "budget.tokens_per_day",
        "budget.dollars_per_month",
        "budget.tool_calls_per_minute",
    ]
    amount: int


class RunAs(Act, frozen=True, kw_only=True, tag="run_as"):
    """A process running under a user id."""

    uid: int


class ModelCall(Act, frozen=True, kw_only=True, tag="model"):
    """A request to a model on a gateway route, e.g. `messages`, `batches`."""

    model: str
    route: str = "messages"
    surface: Surface = "llm"


class Query(Act, frozen=True, kw_only=True, tag="query"):
    """Reading columns of a view of a data source."""

    source: str
    view: str
    columns: tuple[str, ...] = ()
    rows: int = 1
    surface: Surface = "code"


Action = (
    Tool
    | McpCall
    | McpStart
    | File
    | Connect
    | UnixConnect
    | HostCall
    | Import
    | EnvRead
    | Use
    | RunAs
    | ModelCall
    | Query
)
