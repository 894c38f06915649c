"""Every rewrite forbids at least what the statement forbade, and is marked as ours."""

import pytest

from tappass_host.compiler.gaps import gap_key
from tappass_host.compiler.stricter import stricter
from tappass_host.policy import model as m
from tappass_host.policy.actions import File, McpCall, Tool
from tappass_host.policy.decide import decide
from tappass_host.policy.effect import Effect
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.grammar.constraints import Constraint
from tappass_host.policy.statements import Statement
from tappass_host.policy.validate import check_meaning

SHORT = Constraint(max_len=3)
PIN = "sha256:" + "a" * 64
SERVER = m.McpServer(
    id="crm",
    transport=m.Transport(kind="http", url="https://crm.test"),
    tools=m.McpRules(
        default="ask", allow=("read", "write"), ask=("drop", "move"), constraints={"write": {"x": SHORT}}
    ),
    pins={"read": PIN},
)
TOOLS = m.Tools(
    default="ask",
    unknown="ask",
    allow=("Read", "Bash(ls)", "Write"),
    ask=("Bash(git *)", "WebSearch"),
    constraints={"Write": {"content": SHORT}},
    deny_if_tainted={"web": ("Bash",)},
)


@pytest.fixture
def policy(fakes):
    ids = ("tools.ask[WebSearch]", "tools.default[ask]")
    return fakes.policy(
        tools=TOOLS,
        mcp=m.Mcp(servers=(SERVER,)),
        filesystem=m.Filesystem(default="read_only", workspace="/ws", read_only=("/ws/vendor",)),
        provenance={i: m.Provenance(level="org", source="a.yaml:1:1") for i in ids},
        annotations={ids[0]: m.Annotation(reason="slow")},
        compliance_tags={"T": ids},
    )


SEARCH = Tool(name="WebSearch")
MCP = "mcp.servers[crm].tools"
WRITE = Tool(name="Write", args={"path": "/ws/x", "content": "abcdef"})
SHORTER = Tool(name="Write", args={"path": "/ws/x", "content": "a"})
CASES = [
    ("ask of a tool", "tools.ask[WebSearch]", ["tools.deny[WebSearch]"], SEARCH, True),
    (
        "ask by default",
        "tools.default[ask]",
        ["tools.default[deny]", "tools.unknown[deny]"],
        Tool(name="Task"),
        True,
    ),
    ("ask of unknown tools", "tools.unknown[ask]", ["tools.unknown[deny]"], Tool(name="Zap"), True),
    ("constraint", 'tools.constraints.Write.content[{"max_len":3}]', ["tools.deny[Write]"], SHORTER, False),
    (
        "taint",
        "tools.deny_if_tainted.web[Bash]",
        ["tools.deny[Bash]"],
        Tool(name="Bash", args={"command": "ls"}),
        False,
    ),
    (
        "ask of an MCP tool",
        f"{MCP}.ask[drop]",
        [f"{MCP}.deny[drop]"],
        McpCall(server="crm", tool="drop"),
        True,
    ),
    ("MCP default", f"{MCP}.default[ask]", [f"{MCP}.default[deny]"], McpCall(server="crm", tool="new"), True),
    (
        "MCP constraint",
        f'{MCP}.constraints.write.x[{{"max_len":3}}]',
        [f"{MCP}.deny[write]"],
        McpCall(server="crm", tool="write", args={"x": "a"}),
        False,
    ),
    (
        "MCP pin",
        f"mcp.servers[crm].pins[read={PIN}]",
        [f"{MCP}.deny[read]"],
        McpCall(server="crm", tool="read"),
        False,
    ),
    (
        "read only inside a writable folder",
        "filesystem.read_only[/ws/vendor]",
        ["filesystem.deny_paths[/ws/vendor]"],
        File(op="read", path="/ws/vendor/x"),
        True,
    ),
    (
        "reads by default",
        "filesystem.default[read_only]",
        ["filesystem.default[deny]"],
        File(op="read", path="/usr/x"),
        True,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[c[0] for c in CASES])
def test_rewrites(policy, case):
    _, statement, by, action, replaced = case
    before = EffectivePolicy(policy)
    changed, ids = stricter(policy, before.by_id[statement])
    after = EffectivePolicy(changed)
    assert list(ids) == by
    assert decide(before, action).effect is not Effect.DENY
    assert decide(after, action).effect is Effect.DENY
    assert (statement not in after.by_id) is replaced
    for new in ids:
        assert after.by_id[new].polarity == "restrict"
        assert changed.provenance[new].level == "runtime"
        assert changed.provenance[new].source == f"on_gap: stricter, for {statement}"
    check_meaning(changed)


def test_what_is_known_about_a_statement_moves_along(policy):
    statement = EffectivePolicy(policy).by_id["tools.ask[WebSearch]"]
    changed, _ = stricter(policy, statement)
    assert changed.annotations["tools.deny[WebSearch]"].reason == "slow"
    assert changed.compliance_tags == {"T": ("tools.default[ask]", "tools.deny[WebSearch]")}


def test_a_strict_default_has_no_stricter_form(fakes):
    policy = fakes.policy(tools=m.Tools(), filesystem=m.Filesystem(), network=m.Network())
    by_id = EffectivePolicy(policy).by_id
    for statement in ("tools.default[deny]", "filesystem.default[deny]", "network.local[deny]"):
        assert stricter(policy, by_id[statement]) is None


KEYS = [
    ("tools.ask", "Bash", "ask"),
    ("tools.default", "ask", "ask"),
    ("tools.default", "deny", "tools"),
    ("tools.deny", "Bash", "tools"),
    ("tools.constraints", "{}", "constraints"),
    ("tools.taint_sources", "Read", "constraints"),
    ("mcp.servers.tools.ask", "x", "ask"),
    ("mcp.servers.pins", "x", "constraints"),
    ("mcp.servers.tools.deny", "x", "mcp"),
    ("filesystem.deny_paths", "/x", "filesystem"),
    ("head.expires_at", "", "head"),
    ("budget.tokens_per_day", "5", "budget"),
]


@pytest.mark.parametrize(("field", "entry", "key"), KEYS)
def test_gap_keys(field, entry, key):
    assert gap_key(Statement(f"{field}[{entry}]", field, entry, "restrict")) == key
