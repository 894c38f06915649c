"""Reference policies: made by hand, pure, and about the kit's small world.

`REFERENCE` names them. The matrix of providers is computed on `full`.
"""

from functools import cache
from typing import Any, Final

import msgspec

from tappass_host.policy import model as m
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.grammar.constraints import Constraint, Range

HEAD: Final[dict[str, Any]] = {
    "version": 1,
    "issued_at": "2026-01-01T00:00:00Z",
    "not_before": "2026-01-01T00:00:00Z",
    "expires_at": "2027-01-01T00:00:00Z",
    "org_id": "acme",
}


def policy(**fields: Any) -> m.Policy:
    """A policy with the head filled in."""
    return m.Policy(**{**HEAD, **fields})


def _docs(**fields: Any) -> m.McpServer:
    transport = m.Transport(kind="stdio", argv=("/usr/bin/docs-mcp", "--stdio"))
    return m.McpServer(**{"id": "docs", "transport": transport, **fields})


EMPTY: Final = policy()

LOCKDOWN: Final = policy(
    network=m.Network(),
    filesystem=m.Filesystem(),
    tools=m.Tools(),
    mcp=m.Mcp(),
    interpreter=m.Interpreter(),
    data=m.Data(),
    llm=m.Llm(),
    budget=m.Budget(tokens_per_day=0, tokens_per_call=0, dollars_per_month=0, tool_calls_per_minute=0),
    process=m.Process(max_processes=1),
    credentials=m.Credentials(),
)

# The policy of the hard cases: every rule of it beats or is beaten by another.
MEANING: Final = policy(
    tools=m.Tools(
        allow=("Bash(git *)", "Bash(ls)", "Read", "WebFetch", "Write"),
        ask=("Bash(git push *)",),
        deny=("Bash(curl *)",),
    ),
    filesystem=m.Filesystem(
        workspace="/ws",
        read_only=("/usr", "/ws/vendor"),
        read_write=("/ws/vendor/tmp",),
        deny_paths=("/ws/**/.env", "/ws/secret"),
    ),
    network=m.Network(allow_domains=("*.example.com", "api.x.org:8443")),
)

FULL: Final = policy(
    project_id="crm",
    agent_id="helper",
    tier="standard",
    chain=("acme", "crm", "helper"),
    freshness=m.Freshness(max_age_s=3600),
    network=m.Network(
        allow_domains=("*.example.com", "api.x.org:8443"),
        deny_domains=("bad.example.com",),
        allow_cidrs=("192.0.2.0/24:443",),
        allow_unix=("/ws/app.sock",),
        deny_categories=("paste_services",),
        category_domains={"paste_services": ("other.net",)},
    ),
    filesystem=m.Filesystem(
        workspace="/ws",
        read_only=("/usr", "/ws/vendor"),
        read_write=("/tmp",),  # noqa: S108
        deny_paths=("**/.env", "/home/u/.ssh", "/ws/secret"),
    ),
    tools=m.Tools(
        allow=("@read", "Bash(git *)", "Bash(ls)", "WebFetch", "Write", "lookup"),
        ask=("Bash(git push *)", "Task"),
        deny=("Bash(curl *)", "WebSearch"),
        deny_if_tainted={"web": ("Bash",)},
        taint_sources={"web": ("WebFetch",)},
        constraints={"lookup": {"id": Constraint(pattern="c-[0-9]+")}},
    ),
    mcp=m.Mcp(
        servers=(
            _docs(
                auth_ref="vault:docs/token",
                tools=m.McpRules(
                    allow=("search",),
                    ask=("publish",),
                    deny=("erase",),
                    constraints={"search": {"q": Constraint(max_len=64)}},
                ),
                resources=m.McpNames(allow=("guide",)),
                prompts=m.McpNames(allow=("summary",)),
                max_result_kb=64,
                pins={"search": "sha256:" + "0" * 64},
            ),
        )
    ),
    interpreter=m.Interpreter(
        host_functions=("lookup",),
        allow_imports=("json", "math", "os.path"),
        deny_imports=("subprocess",),
        memory_mb=10,
        cpu_time_ms=20,
        env=("TZ",),
    ),
    data=m.Data(
        sources=(
            m.Source(
                id="crm",
                kind="parquet",
                path="/ws/a/x",
                views=(
                    m.View(
                        name="sales",
                        table="sales",
                        columns=("amount", "region"),
                        row_filter="region = 'EU'",
                        max_rows=10,
                    ),
                ),
            ),
        )
    ),
    llm=m.Llm(
        models=m.Models(allow=("sonnet-*",), deny=("sonnet-4-long",)),
        prices={"sonnet-4": m.Price(input=3_000_000, output=15_000_000)},
        upstreams=(
            m.Upstream(id="main", kind="anthropic", base_url="https://api.x.org", auth_ref="vault:llm"),
        ),
        redact=(m.Redact(detector="email"),),
    ),
    budget=m.Budget(tokens_per_day=20, tokens_per_call=10, dollars_per_month=20, tool_calls_per_minute=10),
    process=m.Process(
        run_as_uid=1000,
        run_as_gid=1000,
        memory_mb=20,
        max_processes=10,
        max_open_files=10,
        cpu_percent=20,
    ),
    credentials=m.Credentials(
        hide_env=("AWS_KEY",),
        secrets=(m.Secret(env="GITHUB_TOKEN", ref="vault:github", domains=("*.example.com",)),),
    ),
)

# Everything open but what is denied: the policy on which an entry left out shows at once.
OPEN: Final = policy(
    network=m.Network(default="allow", deny_domains=("bad.example.com",)),
    filesystem=m.Filesystem(
        default="allow", read_only=("/usr",), deny_paths=("/etc/shadow", "/ws/a", "/ws/a/b")
    ),
    tools=m.Tools(default="allow", unknown="allow", ask=("Task",), deny=("Bash(curl *)", "WebSearch")),
    mcp=m.Mcp(default="allow", servers=(_docs(tools=m.McpRules(default="allow", deny=("erase",))),)),
    interpreter=m.Interpreter(default="allow", deny_imports=("os", "subprocess"), network="allowlist"),
    llm=m.Llm(default="allow", models=m.Models(deny=("opus-*",))),
    credentials=m.Credentials(default="allow", hide_env=("AWS_KEY", "GITHUB_TOKEN")),
)

# Reading everywhere, asking before what no rule names, closed to what nobody knows.
CAREFUL: Final = policy(
    network=m.Network(allow_domains=("api.x.org",), local="allow"),
    filesystem=m.Filesystem(
        default="read_only", workspace="/ws/a", deny_paths=("/home/u/.ssh", "/ws/secret")
    ),
    tools=m.Tools(
        default="ask",
        allow=("Read(/ws)", "WebFetch(api.x.org)"),
        deny=("Bash", "Write(/ws/a/b)"),
        constraints={"lookup": {"n": Constraint(range=Range(max=10))}},
    ),
    mcp=m.Mcp(servers=(_docs(tools=m.McpRules(default="ask", allow=("search",))),)),
)

# Paths within paths: what pins, masks and narrowings go wrong on.
NESTED: Final = policy(
    filesystem=m.Filesystem(
        workspace="/ws",
        read_only=("/ws/a", "/ws/vendor"),
        read_write=("/ws/a/b", "/ws/vendor"),
        deny_paths=("/ws/a/b/x", "/ws/secret", "/ws/secret/key", "/ws/vendor/tmp"),
    ),
)

REFERENCE: Final[dict[str, m.Policy]] = {
    "careful": CAREFUL,
    "empty": EMPTY,
    "full": FULL,
    "lockdown": LOCKDOWN,
    "meaning": MEANING,
    "nested": NESTED,
    "open": OPEN,
    # The records only, and one aspect alone: a rendering must not lean on its neighbours.
    "observe": msgspec.structs.replace(MEANING, mode="observe"),
    **{f"only-{aspect}": policy(**{aspect: getattr(FULL, aspect)}) for aspect in m.ASPECTS},
}

# Compared like the others, but nothing is counted on them.
PROBING: Final[dict[str, m.Policy]] = {
    # Folders that can be renamed, and with them what is shut or read-only far below.
    "deep": policy(
        filesystem=m.Filesystem(workspace="/ws", read_only=("/ws/vendor/tmp",), deny_paths=("/ws/a/b/x",))
    ),
    # Hosts that are denied in the midst of what is granted; and code that may reach hosts.
    "overlap": policy(
        network=m.Network(
            allow_domains=("*.example.com:8443", "api.x.org:8443", "other.net"),
            deny_domains=("bad.example.com",),
            deny_categories=("paste_services",),
            category_domains={"paste_services": ("other.net",)},
        ),
        interpreter=m.Interpreter(host_functions=("http_get",), network="allowlist"),
    ),
}


@cache
def reference(name: str) -> EffectivePolicy:
    """A reference policy, parsed once."""
    return EffectivePolicy({**REFERENCE, **PROBING}[name])
