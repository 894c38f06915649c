import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tappass_host.policy.errors import GrammarError
from tappass_host.policy.grammar.commands import CommandPattern
from tappass_host.policy.grammar.domains import DomainRule
from tappass_host.policy.grammar.paths import PathRule
from tappass_host.policy.grammar.tools import ALIASES, CANONICAL_TOOLS, GROUPS, ToolRule, parse_tool

TEXTS = st.sampled_from(
    [
        "Bash",
        "Bash(git *)",
        "Bash(git push *)",
        "Read",
        "Read(/a)",
        "Read(/a/b)",
        "Write(/a)",
        "WebFetch(*.x.org)",
        "WebFetch(a.x.org)",
        "@net",
        "@read",
        "mcp__s",
        "mcp__s__t",
        "custom",
        "WebSearch",
    ]
)


@pytest.mark.parametrize(
    ("text", "canonical", "spec"),
    [
        ("Bash", "Bash", None),
        ("Bash(git *)", "Bash(git *)", CommandPattern(("git",), prefix=True)),
        ("Bash(echo ')' *)", "Bash(echo ')' *)", CommandPattern(("echo", ")"), prefix=True)),
        ("Read(/ws/**)", "Read(/ws)", PathRule("/", ("ws",))),
        ("Read(**/.env)", "Read(**/.env)", PathRule("", ("**", ".env"))),
        ("Edit(/ws)", "Write(/ws)", PathRule("/", ("ws",))),
        ("NotebookEdit", "Write", None),
        ("WebFetch(*.x.org)", "WebFetch(*.x.org)", DomainRule("x.org", wildcard=True)),
        ("WebFetch(domain:x.org)", "WebFetch(x.org)", DomainRule("x.org")),
        ("WebFetch(domain:443)", "WebFetch(domain:443)", DomainRule("domain", port=443)),
        ("@shell", "@shell", None),
        ("my_tool.v-1", "my_tool.v-1", None),
        ("mcp__s__*", "mcp__s", None),
    ],
)
def test_parsing(text, canonical, spec):
    rule = parse_tool(text)
    assert (str(rule), rule.spec) == (canonical, spec)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("Bash()", "is empty"),
        ("Bash(*)", "names every command"),
        ("Bash(git", "does not end"),
        ("Bash(git)x", "does not end"),
        ("Bash (git)", "is not a tool name"),
        ("bash", "is not spelled like the tool"),
        ("BASH(ls)", "is not spelled like the tool"),
        ("edit", "is not spelled like the tool"),
        ("Task(x)", "takes none"),
        ("WebSearch(x)", "takes none"),
        ("custom(x)", "takes none"),
        ("@net(x.org)", "takes none"),
        ("mcp__s__t(x)", "takes none"),
        ("@nope", "unknown group"),
        ("*", "is not a tool name"),
        ("Ba*", "is not a tool name"),
        ("1tool", "is not a tool name"),
        ("tóol", "is not a tool name"),
        ("mcp__", "names no MCP server"),
        ("mcp____t", "names no MCP server"),
        ("mcp__s__", "names no MCP server"),
        ("Read()", "is empty"),
        ("Read(a)", "is relative"),
        ("WebFetch(*)", "star where none may be"),
        ("WebFetch(domain:10.0.0.1)", "is an IP address"),
    ],
)
def test_refused(text, why):
    with pytest.raises(GrammarError, match=why) as caught:
        parse_tool(text)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("text", "is_mcp", "server", "tool"),
    [
        ("mcp__github__get_issue", True, "github", "get_issue"),
        ("mcp__a__b__c", True, "a", "b__c"),
        ("mcp__my_server__t", True, "my_server", "t"),
        ("mcp__github", True, "github", None),
        ("Bash", False, None, None),
    ],
)
def test_mcp_names(text, is_mcp, server, tool):
    rule = parse_tool(text)
    assert (rule.is_mcp, rule.server, rule.tool) == (is_mcp, server, tool)


@pytest.mark.parametrize(
    ("text", "tool", "expected"),
    [
        ("Write", "Edit", True),
        ("Edit", "NotebookEdit", True),
        ("Write(/ws)", "Write", True),
        ("@net", "WebSearch", True),
        ("@net", "Bash", False),
        ("@internal", "@internal", True),
        ("@internal", "Task", False),
        ("mcp__s", "mcp__s__t", True),
        ("mcp__s", "mcp__sx__t", False),
        ("mcp__s__t", "mcp__s__u", False),
        ("custom", "Custom", False),
    ],
)
def test_which_tools_a_rule_is_about(text, tool, expected):
    assert parse_tool(text).matches(tool) is expected


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ("Bash", "Bash(git *)", True),
        ("Bash(git *)", "Bash", False),
        ("Bash(git *)", "Bash(git push *)", True),
        ("@shell", "Bash(ls)", True),
        ("Bash", "@shell", False),
        ("@net", "WebFetch(x.org)", True),
        ("WebFetch(*.x.org)", "WebFetch(a.x.org)", True),
        ("Read(/a)", "Write(/a)", False),
        ("Read(/a)", "Read(/a/b)", True),
        ("mcp__s", "mcp__s__t", True),
        ("custom", "custom", True),
    ],
)
def test_covers(outer, inner, expected):
    assert parse_tool(outer).covers(parse_tool(inner)) is expected


def test_tables_agree():
    grouped = [tool for tools in GROUPS.values() for tool in tools]
    assert sorted(grouped) == sorted(CANONICAL_TOOLS)
    assert set(ALIASES.values()) <= set(CANONICAL_TOOLS)
    assert not set(ALIASES) & set(CANONICAL_TOOLS)


@settings(deadline=None)
@given(TEXTS, TEXTS, st.sampled_from([*CANONICAL_TOOLS, "mcp__s__t", "custom", "@net"]))
def test_covers_is_sound_about_tools(outer, inner, tool):
    a, b = parse_tool(outer), parse_tool(inner)
    if a.covers(b):
        assert a.matches(tool) >= b.matches(tool)
        assert a.spec is None or b.spec is not None


@settings(deadline=None)
@given(
    st.text(max_size=60)
    | st.builds("{}({})".format, st.sampled_from([*CANONICAL_TOOLS, "x"]), st.text(max_size=20))
)
def test_any_text_parses_or_is_refused(text):
    try:
        rule = parse_tool(text)
    except GrammarError:
        return
    assert parse_tool(str(rule)) == rule
    assert {rule, ToolRule(rule.name, rule.spec)} == {rule}
