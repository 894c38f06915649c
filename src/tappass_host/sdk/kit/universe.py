"""The actions that every provider is asked about: a small shared world of paths, hosts, tools and names.

They are chosen to meet in it: paths above, at, beside and below those that reference policies speak of, hosts
at the apex and below, commands plain and wrapped. `actions(surfaces)` is the whole of it.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final

import msgspec

from tappass_host.policy import actions as a
from tappass_host.policy.surfaces import Surface
from tappass_host.sdk.kit.world import FILES

ON_THE_MACHINE: Final[tuple[Surface, ...]] = ("tool", "exec", "mcp", "code", "self")
PROCESSES: Final[tuple[Surface, ...]] = ("exec", "mcp", "code", "self")

# A socket is connected to, it cannot be opened.
_OPENED: Final = tuple(path for path in FILES if not path.endswith(".sock"))
PATHS: Final = (*_OPENED, "/ws/new", "/ws/secret", "/ws/a/b", "/opt/new")
MOVES: Final = (
    ("/ws/a/x", "/ws/new"),
    ("/ws/a", "/ws/c"),
    ("/ws/a", "/tmp/a"),  # noqa: S108
    ("/ws/secret", "/ws/public"),
    ("/ws/new", "/ws/a/.env"),
    ("/ws/x", "/etc/x"),
    ("/ws/x", "/ws/vendor/tmp/y"),
    ("/ws/vendor/x", "/ws/y"),
)
HOSTS: Final = (
    ("example.com", 443),
    ("a.example.com", 443),
    ("b.a.example.com", 443),
    ("a.example.com", 80),
    ("a.example.com", 22),
    ("bad.example.com", 8443),
    ("api.x.org", 8443),
    ("api.x.org", 443),
    ("other.net", 443),
    ("localhost", 443),
    ("127.0.0.1", 443),
    ("169.254.169.254", 80),
    ("10.0.0.7", 443),
    ("192.0.2.7", 443),
    ("198.51.100.7", 443),
    ("2130706433", 80),
)
SOCKETS: Final = ("/run/docker.sock", "/ws/app.sock")
COMMANDS: Final = (
    "git",
    "git status",
    "git push origin",
    "/tmp/git status",  # noqa: S108
    "git status; curl x",
    "git status && ls",
    "git log > /ws/o",
    "git log 2>&1",
    "git -c a=b x",
    "ls",
    "ls -l",
    "curl x",
    "/usr/bin/curl x",
    "env curl x",
    "env git status",
    "A=b git fetch",
    "bash -c 'curl x'",
    "sh -c 'git status'",
    "(curl x)",
    "echo $(curl x)",
    "$c",
    "git 'unbalanced",
    'python -c "import os"',
    "",
)
TOOLS: Final = ("WebSearch", "Task", "lookup", "unheard_of")
ENV_NAMES: Final = ("AWS_KEY", "GITHUB_TOKEN", "PATH", "TZ")
MODULES: Final = ("json", "os", "os.path", "math", "subprocess")
AMOUNTS: Final = (0, 1, 10, 11, 20, 21, 1_000_000)
USES: Final[tuple[tuple[str, Surface], ...]] = (
    ("process.memory_mb", "exec"),
    ("process.max_processes", "exec"),
    ("process.max_open_files", "exec"),
    ("process.cpu_percent", "exec"),
    ("interpreter.memory_mb", "code"),
    ("interpreter.cpu_time_ms", "code"),
    ("budget.tokens_per_call", "llm"),
    ("budget.tokens_per_day", "llm"),
    ("budget.dollars_per_month", "llm"),
    ("budget.tool_calls_per_minute", "tool"),
)


@cache
def universe() -> tuple[a.Action, ...]:
    """Every action."""
    return tuple(act for part in _PARTS for act in part())


def actions(surfaces: Iterable[Surface]) -> tuple[a.Action, ...]:
    """The actions on some surfaces."""
    wanted = frozenset(surfaces)
    return tuple(act for act in universe() if act.surface in wanted)


def distinct(acts: Iterable[a.Action]) -> tuple[a.Action, ...]:
    """The same actions, each on one surface only: for the many policies of generated tests."""
    once: dict[str, a.Action] = {}
    for act in acts:
        once.setdefault(repr(msgspec.structs.replace(act, surface="exec")), act)
    return tuple(once.values())


def direct(action: a.Action) -> a.Action | None:
    """What a tool call does on the machine, for a target that sees no tools; None if nothing it could see."""
    if not isinstance(action, a.Tool):
        return None
    if action.name in ("Read", "Write"):
        op = "read" if action.name == "Read" else "write"
        return a.File(op=op, path=str(action.args["path"]), surface="tool")  # type: ignore[arg-type]
    if action.name == "WebFetch":
        host, _, port = str(action.args["url"]).removeprefix("https://").rstrip("/").rpartition(":")
        return a.Connect(host=host, port=int(port), surface="tool")
    return None


def _files() -> Iterator[a.Action]:
    for surface in ON_THE_MACHINE:
        for path in PATHS:
            yield a.File(op="read", path=path, surface=surface)
            yield a.File(op="write", path=path, surface=surface)
        for source, to in MOVES:
            yield a.File(op="move", path=source, to=to, surface=surface)


def _connections() -> Iterator[a.Action]:
    for surface in ON_THE_MACHINE:
        for host, port in HOSTS:
            yield a.Connect(host=host, port=port, surface=surface)
        yield a.Connect(host="a.example.com", port=443, protocol="udp", surface=surface)
        yield from (a.UnixConnect(path=path, surface=surface) for path in SOCKETS)


def _tools() -> Iterator[a.Action]:
    yield from (a.Tool(name="Bash", args={"command": line}) for line in COMMANDS)
    for path in PATHS:
        yield a.Tool(name="Read", args={"path": path})
        yield a.Tool(name="Write", args={"path": path})
    # The port is always written, so that `direct` needs no rule about schemes.
    yield from (a.Tool(name="WebFetch", args={"url": f"https://{host}:{port}/"}) for host, port in HOSTS)
    yield from (a.Tool(name=name) for name in TOOLS)
    yield from (a.Tool(name="lookup", args={"id": value}) for value in ("c-1", "x"))


def _mcp() -> Iterator[a.Action]:
    for server in ("docs", "rogue"):
        for tool in ("search", "publish", "erase", "other"):
            yield a.McpCall(server=server, tool=tool)
        yield a.McpCall(server=server, tool="search", args={"q": "x"})
        yield a.McpCall(server=server, tool="search", args={"q": "x" * 65})
        for what, listed in (("resource", "guide"), ("prompt", "summary")):
            yield a.McpCall(server=server, tool=listed, what=what)  # type: ignore[arg-type]
            yield a.McpCall(server=server, tool="other", what=what)  # type: ignore[arg-type]
        yield a.McpCall(server=server, tool="sampling", what="feature")
        yield a.McpStart(server=server, argv=("/usr/bin/docs-mcp", "--stdio"))
        yield a.McpStart(server=server, argv=("/usr/bin/docs-mcp", "--stdio", "--evil"))
        yield a.McpStart(server=server, url="https://mcp.example.com/")


def _code() -> Iterator[a.Action]:
    yield from (a.Import(module=name) for name in MODULES)
    for name in ("lookup", "send", "unheard_of"):
        yield a.HostCall(name=name)
    yield from (a.HostCall(name="lookup", args={"id": value}) for value in ("c-1", "x"))
    for view in ("sales", "people"):
        yield a.Query(source="crm", view=view, columns=("region",))
        yield a.Query(source="crm", view=view, columns=("region", "salary"))
        yield a.Query(source="crm", view=view, columns=("region",), rows=11)


def _processes() -> Iterator[a.Action]:
    for surface in PROCESSES:
        yield from (a.EnvRead(name=name, surface=surface) for name in ENV_NAMES)
        yield from (a.RunAs(uid=uid, surface=surface) for uid in (0, 1000, 1001))
    for resource, where in USES:
        yield from (a.Use(resource=resource, amount=n, surface=where) for n in AMOUNTS)  # type: ignore[arg-type]


def _models() -> Iterator[a.Action]:
    for model in ("sonnet-4", "sonnet-4-long", "opus-4", "other"):
        yield a.ModelCall(model=model)
        yield a.ModelCall(model=model, route="batches")


_PARTS: Final = (_files, _connections, _tools, _mcp, _code, _processes, _models)
