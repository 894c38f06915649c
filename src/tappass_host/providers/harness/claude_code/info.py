"""What the claude-code provider says of itself: options, what it cannot do, and where entries bite.

The rules of the harness are judged by the harness itself, so all of it is cooperative but its Bash sandbox,
which is the kernel's.
"""

from typing import Final, Literal

from tappass_host.providers.harness.claude_code.binary import VERSIONS
from tappass_host.sdk.claims import Evidence, Fact, Reach
from tappass_host.sdk.contract import Options, ProviderInfo
from tappass_host.sdk.lowering import FsFeatures, McpFeatures, NetFeatures

DOCS: Final = "https://code.claude.com/docs/en"
READ: Final = "2026-11-23"


class ClaudeCodeOptions(Options, frozen=True, kw_only=True):
    """Where the settings go and how closed they are.

    Attributes:
        config_tier: `managed` files of root, or the `user` file that whoever runs it can edit: a downgrade.
        drop_in: write a drop-in of the managed folder instead of the whole settings file.
        sandbox: its own Bash sandbox: `auto` is on unless a kernel ring encloses it.
        min_version: older ones refuse to start.
        max_version: newer ones refuse to start, so every tool has been looked at; `any` for no bound.
    """

    config_tier: Literal["managed", "user"] = "managed"
    drop_in: bool = False
    sandbox: Literal["auto", "on", "off"] = "auto"
    min_version: str = VERSIONS[0]
    max_version: str = VERSIONS[-1]


INFO: Final = ProviderInfo(
    id="claude-code",
    position="harness",
    target="Claude Code",
    version="1.0.0",
    sdk="1.0",
    versions=VERSIONS,
    options=ClaudeCodeOptions,
    brings=("tool", "exec", "mcp", "llm", "self"),
    effects={
        "settings": "live",
        # What is read when it starts: versions, servers, models, the environment, its sandbox.
        "settings#/allowManagedMcpServersOnly": "next_session",
        "settings#/allowedMcpServers": "next_session",
        "settings#/allowedProviders": "next_session",
        "settings#/availableModels": "next_session",
        "settings#/deniedModels": "next_session",
        "settings#/disableSideloadFlags": "next_session",
        "settings#/enforceAvailableModels": "next_session",
        "settings#/env": "next_session",
        "settings#/permissions/defaultMode": "next_session",
        "settings#/requiredMaximumVersion": "next_session",
        "settings#/requiredMinimumVersion": "next_session",
        "settings#/sandbox": "next_session",
        "mcp": "next_session",
        "launch": "next_session",
    },
    covers={
        "tools": ("tool",),
        "mcp": ("tool",),
        "filesystem": ("tool", "exec"),
        "network": ("tool", "exec"),
        "llm": ("llm",),
    },
    cannot={
        "filesystem@mcp": "its sandbox holds the Bash tool only, not MCP servers",
        "filesystem@self": "nothing here binds its own process, plugins or hooks",
        "network@mcp": "its sandbox holds the Bash tool only, not MCP servers",
        "network@self": "nothing here binds its own process, plugins or hooks",
        "network.allow_unix": "has no setting for one socket that holds on Linux",
        "llm.routes": "asks one route of its own choice; a gateway holds routes",
        "llm.upstreams": "talks to one base URL; a gateway chooses upstreams",
        "llm.redact": "sends what it has; a gateway redacts",
        "budget.tokens_per_day": "counts no tokens over a day; a gateway does",
        "budget.tokens_per_call": "counts no tokens per call; a gateway does",
        "budget.dollars_per_month": "counts no money; a gateway does",
        "budget.tool_calls_per_minute": "counts no calls; the decision service does",
        "process": "starts processes with its own identity and limits",
        "credentials": "hands its environment on; the kernel ring holds the environment",
        "head": "settings have no expiry; the supervisor holds it",
    },
)


def _reach(name: str, *surfaces: str, page: str = "permissions", strength: str = "cooperative") -> Reach:
    evidence = Evidence(f"{DOCS}/{page}", READ, VERSIONS, f"claude-code/{name}")
    return Reach(name, surfaces, strength, evidence)  # type: ignore[arg-type]


PERMISSIONS: Final = _reach("permissions", "tool")
SERVERS: Final = _reach("mcp", "tool", page="mcp")
MODELS: Final = _reach("models", "llm", page="settings")
SANDBOX_FILES: Final = _reach("sandbox-files", "exec", page="sandboxing", strength="compulsory")._replace(
    escape="the user's own settings can open folders to it; where it is started, and its temporary folder, "
    "may be written; paths created later are closed from the next command on"
)
SANDBOX_NETWORK: Final = _reach("sandbox-network", "exec", page="sandboxing", strength="compulsory")
OFF: Final = _reach("sandbox", "exec", page="sandboxing", strength="compulsory")

USER_TIER: Final = "whoever runs it can edit the user's settings, and a project's settings add to them"
DROP_IN: Final = "other managed files of this machine add rules to it, and later ones override it"


def alone(etc: str) -> Fact:
    """Drop-ins of others add rules to the managed file and override its mode, so there must be none."""
    return Fact("glob", f"{etc}/claude-code/managed-settings.d/*.json", "")


# What the target can hold.
IN_PROMPTS: Final = FsFeatures(nesting="deny_first", floor="prompt", glob=True, grants=False)
CLOSED: Final = IN_PROMPTS._replace(floor="nothing")
BASH_FILES: Final = FsFeatures(nesting="deny_first", floor="nothing", glob=True)
FETCHES: Final = NetFeatures(domains="native", floor="nothing", ports=False, cidrs=False, local="entry")
BASH_NET: Final = NetFeatures(domains="native", floor="nothing", cidrs=False, local="shut")
MCP: Final = McpFeatures(servers="identity", tools=True, ask=False)

# Ways round, and why something is not held. Each is short: reports print them.
ADDED_FOLDERS: Final = "folders that the user adds (--add-dir, additionalDirectories) may be read"
ANY_CASE: Final = "names that differ in case only are one name to it"
PORT_BLIND: Final = "every port of a host that may be fetched from is open"
OTHER_MODE: Final = "started with --permission-mode acceptEdits it writes below the folder it is started in"
OTHER_FOLDER: Final = "everything below the folder it is started in may be read"
EXPANDED: Final = (
    "an allowed command may hold $HOME, * and harmless variables, and write its output where Write may"
)
COMPUTED: Final = "a word that the shell computes ($'...', or a pattern like pu*) is not seen through"
RUNS_OTHERS: Final = "what {} runs is not looked at"
NEVER_ALLOWED: Final = "{} runs other programs: no rule of a policy allows that by name"
LATER_TOOLS: Final = "tools that a later version brings may run without a rule"
NO_SUCH_TOOL: Final = "has no tool of that name"
ASKS_WRITES: Final = "asks before it writes there instead of denying"
WRITE_PATTERN: Final = "a pattern that may be written opens what it matches here too"
ASKS_HOSTS: Final = "asks about hosts that nobody lists"
ASKS_TOOLS: Final = "asks about tools of a server that nobody lists"
CANNOT_TELL_LOCAL: Final = "cannot tell local addresses where every host is open"
INSIDE_RING: Final = (
    "its own sandbox needs user namespaces, which the kernel ring around it forbids: that ring holds it"
)
NO_SANDBOX: Final = "its own sandbox is switched off"
ONLY_LISTED: Final = "starts only servers that are listed"
SERVER_NAME: Final = (
    "it rewrites server names: only letters, digits, - and single _ stay, and no two may come out alike"
)
TOOL_NAME: Final = "it rewrites tool names: another tool that differs only in . or blanks is meant too"
ALL_RESOURCES: Final = "reads all resources of all servers or none"
PEOPLE_PROMPT: Final = "no tool fetches a prompt, but a person can, by typing its name"
ELICITS: Final = "lets a server ask the person in front of it for input"
NO_AUTH: Final = "would hand the secret to every command it runs"
NO_MODELS: Final = "an empty list of models restricts nothing"
MODEL_NAMES: Final = (
    "a listed name admits longer ones, and where its own default is not listed it may ask that all the same"
)
ONE_ROUTE: Final = "asks on no route but that for messages"
MODEL_PATTERN: Final = "knows whole model names, and those they begin up to a hyphen"
