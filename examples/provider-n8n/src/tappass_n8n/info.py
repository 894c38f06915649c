"""What the provider says of itself: constants, each with the page it was read from."""

from typing import Final, Literal

from tappass_host.sdk.claims import Evidence, Reach
from tappass_host.sdk.contract import Options, ProviderInfo

VERSIONS: Final = ("2.41",)
READ: Final = "2026-11-23"
VARIABLES: Final = (
    "https://docs.n8n.io/deploy/host-n8n/configure-n8n/basic-configuration/use-environment-variables"
)
TOOL: Final = ("tool",)
CODE: Final = ("code",)


class N8nOptions(Options, frozen=True, kw_only=True):
    """What a Runtime may set for this target.

    Attributes:
        runners: where code of workflows runs. In `internal` mode it shares n8n's own user.
        runner_token_ref: reference of the secret that external task runners show.
    """

    runners: Literal["external", "internal"] = "external"
    runner_token_ref: str = ""


INFO: Final = ProviderInfo(
    id="n8n",
    position="harness",
    target="n8n",
    version="0.1.0",
    sdk="1.0",
    versions=VERSIONS,
    platforms=("linux", "darwin", "windows"),
    options=N8nOptions,
    preview=True,
    brings=("tool", "exec", "code", "llm", "self"),
    # n8n reads its environment when it starts.
    effects=dict.fromkeys(
        (
            *("env", "include", "exclude", "paths", "patterns"),
            *("blocked-ip-ranges", "allowed-ip-ranges", "blocked-hostnames", "allowed-hostnames"),
        ),
        "process_restart",
    ),
    covers={"tools": TOOL, "mcp": TOOL, "filesystem": TOOL, "network": TOOL, "credentials": CODE},
    cannot={
        "filesystem@exec": "commands of the Execute Command node run as n8n does",
        "filesystem@code": "what code may open is for its task runner to hold",
        "filesystem@self": "n8n reads and writes its own folder and database",
        "network@exec": "commands of the Execute Command node run as n8n does",
        "network@code": "where code may connect is for its task runner to hold",
        "network@self": "n8n itself connects to its database, mail server and more",
        "credentials@exec": "commands of the Execute Command node see n8n's environment",
        "credentials@self": "n8n reads its own environment",
        "llm": "asks models through its nodes; a gateway holds which",
        "head.expires_at": "an environment has no expiry",
    },
)


def _at(name: str, surfaces: tuple[Literal["tool", "code"], ...], page: str) -> Reach:
    return Reach(name, surfaces, "cooperative", Evidence(f"{VARIABLES}/{page}", READ, VERSIONS))


NODES: Final = _at("nodes", TOOL, "nodes")
FILES: Final = _at("files", TOOL, "security")
REQUESTS: Final = _at("requests", TOOL, "ssrf-protection")
ENVIRONMENT: Final = _at("environment", CODE, "security")

HARDENING: Final = (
    ("N8N_BLOCK_FILE_ACCESS_TO_N8N_FILES", "true", "nodes never reach n8n's own files"),
    ("N8N_BLOCK_RUNNER_ENV_ACCESS", "true", "code does not see its runner's environment"),
    ("N8N_DIAGNOSTICS_ENABLED", "false", "n8n calls home for nothing that is needed"),
    ("N8N_ENFORCE_SETTINGS_FILE_PERMISSIONS", "true", "nobody else reads the key of the credentials"),
    ("N8N_GIT_NODE_DISABLE_BARE_REPOS", "true", "a bare repository runs its own hooks"),
    ("N8N_PERSONALIZATION_ENABLED", "false", "n8n asks its users nothing about themselves"),
    ("N8N_TEMPLATES_ENABLED", "false", "n8n calls home for nothing that is needed"),
    ("N8N_VERSION_NOTIFICATIONS_ENABLED", "false", "n8n calls home for nothing that is needed"),
)
