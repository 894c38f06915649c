"""Statement to native lines and back."""

import pytest

from tappass_host.compiler.explain import explain_native, explain_statement
from tappass_host.policy import model as m

LINE = "harness=agent,kernel=box"
DENY = "tools.deny[WebSearch]"


@pytest.fixture
def plan(fakes):
    policy = fakes.policy(
        filesystem=m.Filesystem(workspace="/ws", deny_paths=("/ws/secret",)),
        tools=m.Tools(deny=("WebSearch",), ask=("Bash",)),
        network=m.Network(),
        provenance={DENY: m.Provenance(level="org", source="org.yaml:3:5")},
        annotations={DENY: m.Annotation(reason="costs money", owner="it")},
    )
    return fakes.compiled(policy, LINE, options={"agent": {"headless": True}})


def test_a_statement_has_its_lines_its_author_and_its_reason(plan):
    found = explain_statement(plan, DENY)
    assert (found.verdict, found.provenance.level, found.annotation.owner) == ("enforced", "org", "it")
    (line,) = found.lines
    assert (line.use, line.artifact, line.text) == ("agent", "state:agent.json", DENY)
    assert line.locator == f"rules#/tools[{DENY}]"


def test_every_use_that_speaks_of_it_is_there(plan):
    found = explain_statement(plan, "filesystem.deny_paths[/ws/secret]")
    assert {(line.use, line.reach) for line in found.lines} == {("agent", "settings"), ("box", "mounts")}


def test_what_is_refused_has_no_text_but_a_reason(plan):
    found = explain_statement(plan, "network.default[deny]")
    by_use = {line.use: line for line in found.lines}
    assert by_use["box"].text
    assert explain_statement(plan, "network.nothing") is None


def test_what_we_added_says_so(plan):
    found = explain_statement(plan, "filesystem.read_only[/opt/agent]")
    assert (found.provenance.level, found.provenance.source) == ("runtime", "need of agent (agent)")
    found = explain_statement(plan, "filesystem.read_only[**/.envrc]")
    assert (found.provenance.level, found.provenance.source) == ("runtime", "self-protection")


def test_a_rewrite_is_told_from_both_ends(plan):
    old = explain_statement(plan, "tools.ask[Bash]")
    assert (old.verdict, old.rewritten_to, old.lines) == ("rewritten", ("tools.deny[Bash]",), ())
    assert explain_statement(plan, "tools.deny[Bash]").rewritten_from == ("tools.ask[Bash]",)


BACK = [
    ("by locator", f"rules#/tools[{DENY}]", [("agent", (DENY,), "")]),
    ("by text", DENY, [("agent", (DENY,), "")]),
    ("by a part of the text", "WebSea", [("agent", (DENY,), "")]),
    ("hardening", "rules#/unix", [("box", (), "what the reader reads")]),
    ("nothing", "no such thing", []),
    ("empty", "", []),
]


@pytest.mark.parametrize(("name", "text", "expected"), BACK, ids=[c[0] for c in BACK])
def test_native_lines_lead_back(plan, name, text, expected):
    found = [(o.use, o.statements, o.hardening) for o in explain_native(plan, text)]
    assert found == expected
