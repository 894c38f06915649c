"""Observe mode: what is still stopped, and where its rules hang from."""

import pytest

from tappass_host.policy import model as m
from tappass_host.policy.actions import Connect, EnvRead, File, Import, McpCall, ModelCall, Tool, Use
from tappass_host.policy.decide import decide
from tappass_host.policy.effect import Effect
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.observed import observed, stopped
from tappass_host.sdk.kit.reference import FULL, policy


@pytest.fixture(scope="module")
def full():
    runtime = {"filesystem.read_only[/ws/vendor]": m.Provenance(level="runtime", source="self-protection")}
    return EffectivePolicy(
        policy(**{a: getattr(FULL, a) for a in m.ASPECTS}, mode="observe", provenance=runtime)
    )


ACTIONS = [
    ("a denied path", File(op="read", path="/ws/secret/key"), "deny"),
    (
        "a path that a relative pattern denies below a writable root",
        File(op="read", path="/ws/a/.env"),
        "deny",
    ),
    ("the same name where the pattern does not hang", File(op="read", path="/opt/.env"), "allow"),
    ("self-protection", File(op="write", path="/ws/vendor/x"), "deny"),
    ("a read-only path that nobody denied by name", File(op="write", path="/usr/x"), "allow"),
    ("a path that nobody lists", File(op="write", path="/opt/x"), "allow"),
    ("a denied host", Connect(host="bad.example.com", port=443), "deny"),
    ("a denied category", Connect(host="other.net", port=443), "deny"),
    ("a host that nobody lists", Connect(host="unlisted.test", port=443), "allow"),
    ("a local address", Connect(host="127.0.0.1", port=80), "allow"),
    ("a denied tool", Tool(name="WebSearch"), "deny"),
    ("a tool that is asked about", Tool(name="Task"), "allow"),
    ("a tool nobody knows", Tool(name="unheard_of"), "allow"),
    ("a denied MCP tool", McpCall(server="docs", tool="erase"), "deny"),
    ("an MCP tool that is asked about", McpCall(server="docs", tool="publish"), "allow"),
    ("a denied import", Import(module="subprocess"), "deny"),
    ("an import that nobody lists", Import(module="random"), "allow"),
    ("a denied model", ModelCall(model="sonnet-4-long"), "deny"),
    ("a model that nobody lists", ModelCall(model="opus-4"), "allow"),
    ("a hidden variable", EnvRead(name="AWS_KEY"), "deny"),
    ("a variable that nobody lists", EnvRead(name="TZ"), "allow"),
    ("more processes than allowed", Use(resource="process.max_processes", amount=1000), "unmanaged"),
]


@pytest.mark.parametrize(("what", "action", "effect"), ACTIONS, ids=[what for what, *_ in ACTIONS])
def test_what_is_stopped(full, what, action, effect):
    assert decide(observed(full), action).effect is Effect(effect)


def test_only_denies_self_protection_and_what_has_no_open_form_stay(full):
    fields = {full.by_id[s].field for s in stopped(full) if full.by_id[s].polarity == "restrict"}
    assert fields == {
        "credentials.hide_env",
        "credentials.secrets.domains",
        "data.default",
        "data.sources.views.columns",
        "data.sources.views.max_rows",
        "data.sources.views.row_filter",
        "filesystem.deny_paths",
        "filesystem.read_only",
        "head.expires_at",
        "interpreter.deny_imports",
        "llm.models.deny",
        "mcp.servers.tools.deny",
        "network.deny_categories",
        "network.deny_domains",
        "tools.deny",
    }
    assert "filesystem.read_only[/usr]" not in stopped(full)


def test_it_names_the_policy_it_came_from(full):
    assert observed(full).digest == full.digest


def test_an_unmanaged_aspect_stays_unmanaged():
    nothing = EffectivePolicy(policy(mode="observe"))
    assert observed(nothing) == nothing
