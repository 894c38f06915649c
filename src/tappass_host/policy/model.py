"""The Compiled Policy, schema `tappass.compiled-policy/v1`, as frozen values.

One Struct per aspect. A present aspect is managed and always says its `default`; an absent one (`None`)
is unmanaged: nothing is promised about it and every report shows it. Strings that follow a grammar stay
strings here and are parsed once, in `policy.index`.
"""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from tappass_host.policy.grammar.constraints import Constraint

SCHEMA: Final = "tappass.compiled-policy/v1"

Text = Annotated[str, Meta(max_length=4096)]
Name = Annotated[str, Meta(min_length=1, max_length=128)]
# 2**53 - 1: the largest integer that every JSON reader keeps exact.
Count = Annotated[int, Meta(ge=0, le=9007199254740991)]
Texts = tuple[Text, ...]
Default = Literal["deny", "allow"]
AskDefault = Literal["deny", "ask", "allow"]
Constraints = dict[Name, dict[Name, Constraint]]


class Node(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every part of the document: immutable, keyword-only, unknown fields refused."""


class Freshness(Node, frozen=True, kw_only=True):
    """How old the newest signed freshness statement may be, in seconds."""

    max_age_s: Count
    grace_s: Count = 0
    on_stale: Literal["lockdown", "warn"] = "lockdown"


class Audience(Node, frozen=True, kw_only=True):
    """Whom the policy is for: one sandbox, or a class of hosts with labels."""

    sandbox_id: Text = ""
    host_class: Text = ""
    labels: dict[Name, Text] = {}


class Param(Node, frozen=True, kw_only=True):
    """A typed parameter bound on the host. `under` lists the folders a path value must lie in."""

    type: Literal["path", "string", "uid"]
    under: Texts = ()
    default: Text | None = None


class Network(Node, frozen=True, kw_only=True):
    """Where connections may go. TCP only: everything else is the statement `network.other`."""

    default: Default = "deny"
    allow_domains: Texts = ()
    deny_domains: Texts = ()
    allow_cidrs: Texts = ()
    local: Default = "deny"
    allow_unix: Texts = ()
    deny_categories: Texts = ()
    category_domains: dict[Name, Texts] = {}


class Filesystem(Node, frozen=True, kw_only=True):
    """Which paths may be read and written, in the agent's own view."""

    default: Literal["deny", "read_only", "allow"] = "deny"
    workspace: Text = ""
    read_only: Texts = ()
    read_write: Texts = ()
    deny_paths: Texts = ()


class Tools(Node, frozen=True, kw_only=True):
    """Which tools the harness may dispatch, and with which arguments."""

    default: AskDefault = "deny"
    unknown: AskDefault = "deny"
    allow: Texts = ()
    ask: Texts = ()
    deny: Texts = ()
    deny_if_tainted: dict[Name, Texts] = {}
    taint_sources: dict[Name, Texts] = {}
    constraints: Constraints = {}


class Transport(Node, frozen=True, kw_only=True):
    """How an MCP server is reached. `argv` is exact; `url` has no wildcard."""

    kind: Literal["stdio", "http", "sse"]
    argv: Texts = ()
    url: Text = ""


class McpRules(Node, frozen=True, kw_only=True):
    """Rules about the tools of one MCP server, by their own names."""

    default: AskDefault = "deny"
    allow: Texts = ()
    ask: Texts = ()
    deny: Texts = ()
    constraints: Constraints = {}


class McpNames(Node, frozen=True, kw_only=True):
    """Which resources or prompts of one MCP server may be used."""

    default: Default = "deny"
    allow: Texts = ()
    deny: Texts = ()


class McpServer(Node, frozen=True, kw_only=True):
    """One MCP server: who it is, how it is reached, and what of it may be used."""

    id: Name
    transport: Transport
    auth_ref: Text = ""
    tools: McpRules = McpRules()
    resources: McpNames = McpNames()
    prompts: McpNames = McpNames()
    features: tuple[Literal["sampling", "elicitation", "completion"], ...] = ()
    max_result_kb: Count | None = None
    pins: dict[Name, Text] = {}


class Mcp(Node, frozen=True, kw_only=True):
    """Which MCP servers exist for the agent."""

    default: Default = "deny"
    servers: tuple[McpServer, ...] = ()


class Interpreter(Node, frozen=True, kw_only=True):
    """What code run inside an interpreter may call, import and use up."""

    default: Default = "deny"
    host_functions: Texts = ()
    allow_imports: Texts = ()
    deny_imports: Texts = ()
    memory_mb: Count | None = None
    cpu_time_ms: Count | None = None
    network: Literal["off", "allowlist"] = "off"
    env: Texts = ()


class View(Node, frozen=True, kw_only=True):
    """One view of a data source: columns, rows and how many of them."""

    name: Name
    table: Text
    columns: Texts = ()
    row_filter: Text = ""
    max_rows: Count | None = None


class Source(Node, frozen=True, kw_only=True):
    """One data source. `path` may hold parameters."""

    id: Name
    kind: Text
    path: Text
    views: tuple[View, ...] = ()


class Data(Node, frozen=True, kw_only=True):
    """Which data may be queried."""

    default: Default = "deny"
    sources: tuple[Source, ...] = ()


class Models(Node, frozen=True, kw_only=True):
    """Model names; a trailing `*` matches any rest."""

    allow: Texts = ()
    deny: Texts = ()


class Price(Node, frozen=True, kw_only=True):
    """Micro-dollars per million tokens."""

    input: Count
    output: Count
    cache_read: Count = 0
    cache_write: Count = 0


class Upstream(Node, frozen=True, kw_only=True):
    """Where a gateway sends allowed requests, and which secret it adds."""

    id: Name
    kind: Text
    base_url: Text
    auth_ref: Text = ""


class Redact(Node, frozen=True, kw_only=True):
    """One detector; entries apply in order."""

    detector: Text
    action: Literal["mask", "block"] = "mask"
    direction: Literal["request", "response", "both"] = "both"


class Llm(Node, frozen=True, kw_only=True):
    """Which models may be asked, through which gateway."""

    default: Default = "deny"
    gateway_url: Text = ""
    models: Models = Models()
    routes: Texts = ()
    prices: dict[Name, Price] = {}
    upstreams: tuple[Upstream, ...] = ()
    redact: tuple[Redact, ...] = ()


class Budget(Node, frozen=True, kw_only=True):
    """Counted per agent, in UTC days and months. Dollars are micro-dollars."""

    tokens_per_day: Count | None = None
    tokens_per_call: Count | None = None
    dollars_per_month: Count | None = None
    tool_calls_per_minute: Count | None = None


class Process(Node, frozen=True, kw_only=True):
    """Identity and resources of what the agent starts."""

    run_as_uid: Count | None = None
    run_as_gid: Count | None = None
    memory_mb: Count | None = None
    max_processes: Count | None = None
    max_open_files: Count | None = None
    cpu_percent: Count | None = None


class Secret(Node, frozen=True, kw_only=True):
    """A reference, never a value, and the domains it may be sent to."""

    env: Name
    ref: Text
    domains: Texts = ()


class Credentials(Node, frozen=True, kw_only=True):
    """Which environment variables and secrets the agent may see."""

    default: Default = "deny"
    hide_env: Texts = ()
    secrets: tuple[Secret, ...] = ()


class Provenance(Node, frozen=True, kw_only=True):
    """Which level said it, and where: `file:line:col`."""

    level: Text
    source: Text = ""


class Annotation(Node, frozen=True, kw_only=True):
    """Shown to whoever is denied."""

    reason: Text = ""
    owner: Text = ""
    url: Text = ""


class Policy(Node, frozen=True, kw_only=True):
    """The whole Compiled Policy."""

    schema: Literal["tappass.compiled-policy/v1"] = SCHEMA
    version: Annotated[int, Meta(ge=1, le=9007199254740991)]
    issued_at: Text
    not_before: Text
    expires_at: Text
    apply_by: Text | None = None
    on_expiry: Literal["lockdown", "retain"] = "lockdown"
    retain_until: Text | None = None
    freshness: Freshness | None = None
    mode: Literal["enforce", "observe"] = "enforce"

    org_id: Name
    project_id: Text = ""
    agent_id: Text = ""
    tier: Text = ""
    chain: Texts = ()
    audience: Audience = Audience()
    runtimes: dict[Name, Text] = {}
    params: dict[Name, Param] = {}

    network: Network | None = None
    filesystem: Filesystem | None = None
    tools: Tools | None = None
    mcp: Mcp | None = None
    interpreter: Interpreter | None = None
    data: Data | None = None
    llm: Llm | None = None
    budget: Budget | None = None
    process: Process | None = None
    credentials: Credentials | None = None

    compliance_tags: dict[Name, Texts] = {}
    provenance: dict[Text, Provenance] = {}
    annotations: dict[Text, Annotation] = {}
    extensions: dict[Name, dict[Name, str | int | bool | Texts | None]] = {}


ASPECTS = (
    "network",
    "filesystem",
    "tools",
    "mcp",
    "interpreter",
    "data",
    "llm",
    "budget",
    "process",
    "credentials",
)
