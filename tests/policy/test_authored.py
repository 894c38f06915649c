"""Authored levels: what is read, and every mistake with its place and remedy."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tappass_host.policy.authored import load_level
from tappass_host.policy.errors import GrammarError, PolicyError, SchemaError
from tappass_host.policy.tree import Section

FULL = """level: org
id: acme
extends: worker
llm: unmanaged
params: {workspace: {type: path, under: [/home]}}
tools:
  default: deny
  allow: [Read, "Bash(git  status)", Edit]
  ask:
    - rule: Bash(git push *)
      controls: [SOC2:CC8.1, SOC2:CC6.1]
      reason: a person looks first
      owner: me
      url: https://x.test
  constraints:
    Edit: {path: {subpath: "${workspace}"}}
mcp:
  servers:
    - id: gh
      transport: {kind: stdio, argv: [/usr/bin/gh-mcp, --x]}
      controls: [SOC2:CC6.1]
budget: {tokens_per_day: {rule: 5, owner: me}}
"""


@pytest.fixture
def level():
    return load_level(FULL.encode(), source="org.yaml")


def test_what_a_level_is(level):
    assert (level.level, level.id, level.file, level.extends) == ("org", "acme", "org.yaml", "worker")
    assert level.extends_at == "org.yaml:3:10"
    assert level.unmanaged == {"llm": "org.yaml:4:6"}


def test_entries_are_canonical_and_know_their_place(level):
    tools = level.root.section("tools")
    assert [(e.value, e.source) for e in tools.entries("allow")] == [
        ("Read", "org.yaml:8:11"),
        ("Bash(git status)", "org.yaml:8:17"),
        ("Write", "org.yaml:8:38"),
    ]


def test_a_value_may_say_more_about_itself(level):
    asked = level.root.section("tools").entries("ask")[0]
    assert asked.value == "Bash(git push *)"
    assert asked.controls == ("SOC2:CC6.1", "SOC2:CC8.1")
    assert (asked.reason, asked.owner, asked.url) == ("a person looks first", "me", "https://x.test")
    budget = level.root.section("budget").entry("tokens_per_day")
    assert (budget.value, budget.owner) == (5, "me")
    assert level.root.section("mcp").section("servers").section("gh").said.controls == ("SOC2:CC6.1",)


def test_keys_of_constraints_are_canonical(level):
    assert list(level.root.section("tools").section("constraints").members) == ["Write"]


def test_mcp_rules_are_moved():
    text = (
        "level: agent\nid: a\ntools:\n  allow: [Read, mcp__s__x]\n  ask: [mcp__s__y]\n  deny: [mcp__t__z]\n"
    )
    root = load_level(text.encode(), source="a.yaml").root
    servers = root.section("mcp").section("servers")
    assert [e.value for e in root.section("tools").entries("allow")] == ["Read"]
    assert [(e.value, e.source) for e in servers.section("s").section("tools").entries("allow")] == [
        ("x", "a.yaml:4:17")
    ]
    assert [e.value for e in servers.section("s").section("tools").entries("ask")] == ["y"]
    assert [e.value for e in servers.section("t").section("tools").entries("deny")] == ["z"]
    assert servers.partial
    assert root.section("mcp").partial


def test_moved_rules_join_what_the_level_says_of_the_server():
    text = """level: org
id: a
tools: {deny: [mcp__s__x]}
mcp: {servers: [{id: s, transport: {kind: http, url: "https://s.test/"}, tools: {deny: [y]}}]}
"""
    server = load_level(text.encode(), source="a.yaml").root.section("mcp").section("servers").section("s")
    assert [e.value for e in server.section("tools").entries("deny")] == ["y", "x"]
    assert not server.partial


def test_taint_rules_about_mcp_tools_stay():
    text = "level: org\nid: a\ntools: {taint_sources: {web: [mcp__s__x]}}"
    root = load_level(text.encode(), source="a.yaml").root
    assert "mcp" not in root.members
    assert isinstance(root.section("tools").section("taint_sources"), Section)


# name: (lines after level and id, error, what, line:column, part of the remedy)
MISTAKES = {
    "misspelt aspect": ("netwrk: {}", SchemaError, "unknown field 'netwrk'", "3:1", "did you mean network?"),
    "misspelt field": (
        "network:\n  allow_domain:\n    - a.com",
        SchemaError,
        "unknown field 'allow_domain'",
        "4:3",
        "did you mean allow_domains?",
    ),
    "misspelt note": (
        "tools: {allow: [{rule: Read, contols: []}]}",
        SchemaError,
        "unknown field 'contols'",
        "3:30",
        "did you mean controls?",
    ),
    "field that is nothing like one": (
        "budget: {zzz: 1}",
        SchemaError,
        "unknown field 'zzz'",
        "3:10",
        "known here",
    ),
    "field of the compilation": ("version: 3", SchemaError, "unknown field 'version'", "3:1", ""),
    "merge key": ("budget: {<<: {tokens_per_day: 1}}", SchemaError, "unknown field '<<'", "3:10", ""),
    "text for a number": ("budget: {tokens_per_day: many}", SchemaError, "Expected `int`", "3:26", ""),
    "negative number": ("budget: {tokens_per_day: -1}", SchemaError, "`int` >= 0", "3:26", ""),
    "boolean for a word": ("network: {default: true}", SchemaError, "Expected `str`", "3:20", ""),
    "unknown word": ("network: {default: maybe}", SchemaError, "Invalid enum value 'maybe'", "3:20", ""),
    "null": ("network: {default: null}", SchemaError, "got `null`", "3:20", ""),
    "text for a list": ("tools: {allow: Read}", SchemaError, "expected a list", "3:16", "begin each entry"),
    "list for a mapping": ("network: []", SchemaError, "expected a mapping", "3:10", ""),
    "misspelt word": ("network: unmanged", SchemaError, "expected a mapping", "3:10", "unmanaged"),
    "the word for a part": ("mcp: {servers: unmanaged}", SchemaError, "expected a list", "3:16", ""),
    "URL for a domain": (
        "network: {allow_domains: ['https://a.com']}",
        GrammarError,
        "is a URL",
        "3:27",
        "write the host only",
    ),
    "bare star": ("network: {allow_domains: ['*']}", GrammarError, "has a star", "3:27", ""),
    "relative path": ("filesystem: {read_only: [usr]}", GrammarError, "is relative", "3:26", "begin with /"),
    "glob for a workspace": ("filesystem: {workspace: '/ws/*'}", GrammarError, "holds a star", "3:25", ""),
    "tool in lower case": (
        "tools: {allow: [bash]}",
        GrammarError,
        "is not spelled like the tool",
        "3:17",
        "write Bash",
    ),
    "whole server": ("tools: {deny: [mcp__s]}", GrammarError, "names a whole server", "3:16", "mcp.servers"),
    "constraint of a command": (
        "tools: {constraints: {'Bash(git *)': {x: {const: 1}}}}",
        GrammarError,
        "is no single tool",
        "3:38",
        "",
    ),
    "unknown facet": (
        "tools: {constraints: {a: {b: {foo: 1}}}}",
        SchemaError,
        "unknown field `foo`",
        "3:30",
        "",
    ),
    "pattern that is not RE2": (
        "tools: {constraints: {a: {b: {pattern: '(?=x)'}}}}",
        SchemaError,
        "pattern is not RE2",
        "3:30",
        "",
    ),
    "server without id": ("mcp: {servers: [{tools: {}}]}", SchemaError, "id is missing", "3:17", "add id:"),
    "server twice": (
        "mcp: {servers: [{id: s}, {id: s}]}",
        SchemaError,
        "s is listed twice",
        "3:26",
        "keep one",
    ),
    "secret that is a value": (
        "credentials: {secrets: [{env: A, ref: hunter2}]}",
        GrammarError,
        "secret reference 'hunter2' is not well formed",
        "3:39",
        "vault:team/key",
    ),
    "variable with a star": (
        "credentials: {hide_env: ['AWS_*']}",
        GrammarError,
        "not well formed",
        "3:26",
        "",
    ),
    "instant": ("retain_until: tomorrow", GrammarError, "not an instant", "3:15", "2026-01-31T09:00:00Z"),
    "control that is a number": (
        "tools: {allow: [{rule: Read, controls: [1]}]}",
        SchemaError,
        "expected a text",
        "3:41",
        "",
    ),
    "unknown preset": (
        "extends: worke",
        SchemaError,
        "extends is 'worke'",
        "3:10",
        "observer, worker, standard, full",
    ),
    "duplicate": ("tools: {}\ntools: {}", PolicyError, "duplicate key 'tools'", "4:1", ""),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(name):
    text, kind, what, place, remedy = MISTAKES[name]
    with pytest.raises(kind) as caught:
        load_level(f"level: org\nid: acme\n{text}".encode(), source="org.yaml")
    assert what in caught.value.message
    assert caught.value.source == f"org.yaml:{place}"
    assert remedy in caught.value.remedy


HEADS = {
    "no level": ("id: a", "level is missing"),
    "unknown level": ("level: team\nid: a", "level is 'team'"),
    "level that is a list": ("level: [org]\nid: a", "level is ['org']"),
    "no id": ("level: org", "id is missing"),
    "id with a slash": ("level: org\nid: a/b", "is not well formed"),
    "a list": ("- level: org", "a policy is a mapping"),
    "a word": ("org", "a policy is a mapping"),
}


@pytest.mark.parametrize("name", HEADS)
def test_head_mistake(name):
    text, what = HEADS[name]
    with pytest.raises(PolicyError) as caught:
        load_level(text.encode(), source="org.yaml")
    assert what in caught.value.message
    assert caught.value.source.startswith("org.yaml:")


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, len(FULL)),
    st.integers(0, 12),
    st.text(alphabet="{}[]:,-*&!%@#'\"\n \t~ax0.é\x00", max_size=6),
)
def test_any_damage_is_a_typed_error_with_a_place(at, cut, inserted):
    damaged = FULL[:at] + inserted + FULL[at + cut :]
    try:
        load_level(damaged.encode(), source="org.yaml")
    except PolicyError as error:
        assert error.source.startswith("org.yaml")  # noqa: PT017  # most damage is harmless
