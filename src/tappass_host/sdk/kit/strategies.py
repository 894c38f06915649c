"""Generated policies over the kit's small world. Everything here needs hypothesis."""

from typing import Any, Final

from hypothesis import strategies as st

from tappass_host.policy import model as m
from tappass_host.policy.grammar.constraints import Constraint, Range
from tappass_host.sdk.kit.reference import FULL, policy

DEFAULTS: Final[st.SearchStrategy[m.Default]] = st.sampled_from(["deny", "allow"])
ASKING: Final[st.SearchStrategy[m.AskDefault]] = st.sampled_from(["deny", "ask", "allow"])
_STRICTER_OR_EQUAL: Final[dict[m.AskDefault, list[m.AskDefault]]] = {
    "deny": ["deny"],
    "ask": ["ask", "deny"],
    "allow": ["allow", "ask", "deny"],
}

GRANTS: Final = ("/ws", "/ws/a", "/ws/a/b", "/ws/vendor", "/ws/vendor/tmp", "/usr", "/etc", "/home/u", "/tmp")  # noqa: S108
DENIES: Final = ("/ws/secret", "/ws/a", "/ws/a/b", "/ws/**/.env", "**/.env", "/etc/shadow", "/home/u/.ssh")
DOMAINS: Final = ("example.com", "*.example.com", "a.example.com", "api.x.org", "api.x.org:8443", "other.net")
CIDRS: Final = ("192.0.2.0/24", "192.0.2.7/32:443", "198.51.100.0/24:8443")
RULES: Final = (
    "@edit",
    "@read",
    "Bash",
    "Bash(curl *)",
    "Bash(git *)",
    "Bash(git push *)",
    "Bash(ls)",
    "Read",
    "Read(/ws/a)",
    "Task",
    "WebFetch",
    "WebFetch(*.example.com)",
    "WebSearch",
    "Write",
    "Write(/ws/secret)",
    "lookup",
)
MCP_TOOLS: Final = ("erase", "publish", "search")
CONSTRAINTS: Final[tuple[dict[str, dict[str, Constraint]], ...]] = (
    {},
    {"lookup": {"id": Constraint(pattern="c-[0-9]+")}},
    {"lookup": {"n": Constraint(range=Range(max=10))}},
)


def entries(pool: tuple[str, ...], most: int = 3) -> st.SearchStrategy[tuple[str, ...]]:
    """A sorted set of a few entries of a pool."""
    return st.sets(st.sampled_from(pool), max_size=most).map(lambda found: tuple(sorted(found)))


def limits() -> st.SearchStrategy[int | None]:
    """A limit that the universe's amounts lie on both sides of."""
    return st.sampled_from([None, 10, 20])


@st.composite
def networks(draw: st.DrawFn) -> m.Network:
    categories = draw(st.booleans())
    return m.Network(
        default=draw(DEFAULTS),
        allow_domains=draw(entries(DOMAINS)),
        deny_domains=draw(entries(DOMAINS, 2)),
        allow_cidrs=draw(entries(CIDRS, 2)),
        local=draw(DEFAULTS),
        allow_unix=draw(entries(("/run/docker.sock", "/ws/app.sock"), 1)),
        deny_categories=("paste_services",) if categories else (),
        category_domains={"paste_services": ("other.net",)} if categories else {},
    )


@st.composite
def filesystems(draw: st.DrawFn) -> m.Filesystem:
    return m.Filesystem(
        default=draw(st.sampled_from(["deny", "read_only", "allow"])),
        workspace=draw(st.sampled_from(["", "/ws", "/ws/a"])),
        read_only=draw(entries(GRANTS)),
        read_write=draw(entries(GRANTS)),
        deny_paths=draw(entries(DENIES)),
    )


@st.composite
def tools(draw: st.DrawFn) -> m.Tools:
    default = draw(ASKING)
    return m.Tools(
        default=default,
        unknown=draw(st.sampled_from(_STRICTER_OR_EQUAL[default])),
        allow=draw(entries(RULES, 5)),
        ask=draw(entries(RULES, 2)),
        deny=draw(entries(RULES)),
        constraints=draw(st.sampled_from(CONSTRAINTS)),
    )


@st.composite
def mcps(draw: st.DrawFn) -> m.Mcp:
    transport = m.Transport(kind="stdio", argv=("/usr/bin/docs-mcp", "--stdio"))
    rules = m.McpRules(
        default=draw(ASKING),
        allow=draw(entries(MCP_TOOLS, 2)),
        ask=draw(entries(MCP_TOOLS, 1)),
        deny=draw(entries(MCP_TOOLS, 1)),
    )
    server = m.McpServer(id="docs", transport=transport, tools=rules)
    return m.Mcp(default=draw(DEFAULTS), servers=(server,) if draw(st.booleans()) else ())


@st.composite
def interpreters(draw: st.DrawFn) -> m.Interpreter:
    return m.Interpreter(
        default=draw(DEFAULTS),
        host_functions=draw(entries(("lookup", "send"), 2)),
        allow_imports=draw(entries(("json", "math", "os", "os.path"), 3)),
        deny_imports=draw(entries(("json", "os", "subprocess"), 2)),
        memory_mb=draw(limits()),
        cpu_time_ms=draw(limits()),
        network=draw(st.sampled_from(["off", "allowlist"])),
        env=draw(entries(("PATH", "TZ"), 2)),
    )


@st.composite
def llms(draw: st.DrawFn) -> m.Llm:
    models = m.Models(
        allow=draw(entries(("opus-*", "sonnet-*", "sonnet-4"), 2)),
        deny=draw(entries(("opus-4", "sonnet-4-*"), 1)),
    )
    return m.Llm(default=draw(DEFAULTS), models=models, routes=draw(entries(("batches",), 1)))


def _limited(kind: type[Any]) -> st.SearchStrategy[Any]:
    """An aspect of limits that says at least one of them."""
    fields = [name for name in kind.__struct_fields__ if not name.startswith("run_as")]
    some = st.dictionaries(st.sampled_from(fields), st.sampled_from([0, 10, 20]), min_size=1)
    return some.map(lambda chosen: kind(**chosen))


@st.composite
def credentials(draw: st.DrawFn) -> m.Credentials:
    secret = m.Secret(env="GITHUB_TOKEN", ref="vault:github")
    return m.Credentials(
        default=draw(DEFAULTS),
        hide_env=draw(entries(("AWS_KEY", "PATH"), 2)),
        secrets=(secret,) if draw(st.booleans()) else (),
    )


ASPECTS: Final[dict[str, st.SearchStrategy[Any]]] = {
    "network": networks(),
    "filesystem": filesystems(),
    "tools": tools(),
    "mcp": mcps(),
    "interpreter": interpreters(),
    "data": st.just(FULL.data),
    "llm": llms(),
    "budget": _limited(m.Budget),
    "process": _limited(m.Process),
    "credentials": credentials(),
}


@st.composite
def policies(draw: st.DrawFn, aspects: frozenset[str]) -> m.Policy:
    """A policy that manages some of these aspects."""
    chosen = {name: draw(st.none() | ASPECTS[name]) for name in sorted(aspects)}
    return policy(**chosen)


def hostile() -> st.SearchStrategy[str]:
    """Short texts of the characters that some format gives a meaning."""
    return st.text(
        st.sampled_from("\"'`\\()[]{}<>,;:=#&*!|%$-~ \t\n\r\0ax/\u2028\x85é"), min_size=1, max_size=8
    )
