"""What to add so that more is held."""

from tappass_host.compiler.compile import compile_runtime
from tappass_host.compiler.oneline import parse_oneline
from tappass_host.compiler.suggest import default_capabilities, suggest, with_provider
from tappass_host.policy import model as m

POLICY = {
    "filesystem": m.Filesystem(workspace="/ws"),
    "network": m.Network(allow_domains=("a.test",), deny_domains=("b.a.test",)),
    "tools": m.Tools(deny=("WebSearch",)),
}


def suggested(fakes, line, **aspects):
    recipe = parse_oneline(line, fakes.providers)
    known = default_capabilities(recipe, fakes.providers, {"home": fakes.home})
    return suggest(fakes.policy(**POLICY, **aspects), recipe, fakes.providers, known)


def test_the_addition_that_closes_most_comes_first(fakes):
    best = suggested(fakes, "harness=agent")[0]
    assert best.add == ("box", "proxy")
    assert "filesystem.default[deny]" in best.closes
    assert "network.deny_domains[b.a.test]" in best.closes


def test_additions_that_only_help_together_are_tried_together(fakes):
    llm = m.Llm(default="deny")
    found = suggested(fakes, "harness=agent", llm=llm)
    assert found[0].add == ("box", "gate", "proxy")
    assert set(found[0].closes) >= {"llm.default[deny]", "filesystem.default[deny]"}
    assert ("gate",) in [s.add for s in found[1:]]


def test_nothing_open_nothing_suggested(fakes):
    closed = suggested(fakes, "harness=agent,kernel=box")
    assert closed == ()


def test_what_collides_is_no_suggestion(fakes):
    policy = fakes.policy(filesystem=m.Filesystem(deny_paths=("/opt",)))
    recipe = parse_oneline("harness=agent", fakes.providers)
    known = default_capabilities(recipe, fakes.providers, {"home": fakes.home})
    assert suggest(policy, recipe, fakes.providers, known) == ()


def test_a_position_that_is_taken_is_not_free(fakes):
    recipe = parse_oneline("harness=agent,interpreter=calc", fakes.providers)
    known = default_capabilities(recipe, fakes.providers, {"home": fakes.home})
    policy = fakes.policy(**POLICY, interpreter=m.Interpreter(default="deny"))
    added = {name for s in suggest(policy, recipe, fakes.providers, known) for name in s.add}
    assert added <= {"box", "proxy", "gate"}


def test_a_suggestion_can_be_followed(fakes):
    recipe = parse_oneline("harness=agent", fakes.providers)
    grown = with_provider(recipe, fakes.providers["box"].info, fakes.providers)
    assert {u.id: u.inside for u in grown.uses} == {"agent": "box", "box": "", "proxy": ""}
    assert with_provider(grown, fakes.providers["box"].info, fakes.providers) == grown
    more = with_provider(grown, fakes.providers["calc"].info, fakes.providers)
    assert {u.id: u.inside for u in more.uses}["calc"] == "box"
    known = default_capabilities(more, fakes.providers, {"home": fakes.home})
    plan = compile_runtime(fakes.policy(**POLICY), more, fakes.providers, known)
    assert not [row for row in plan.coverage.open() if row.aspect != "head"]
