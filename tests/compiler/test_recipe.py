"""Recipes: what is read, what is refused and where, and what one line stands for."""

import pytest

from tappass_host.compiler.oneline import parse_oneline
from tappass_host.compiler.recipe import ON_GAP, Recipe, Use, normal, parse_recipe, runtime_digest
from tappass_host.compiler.topology import Topology
from tappass_host.policy.errors import RecipeError

GOOD = b"""\
schema: tappass.runtime/v1
name: laptop
uses:
  - {id: inner, provider: box}
  - id: agent
    provider: agent
    inside: inner
    options: {headless: true}
on_gap: {budget: refuse, ask: warn}
accept_cooperative: [network]
delivery: mdm
"""


def test_a_recipe_is_read():
    recipe = parse_recipe(GOOD)
    assert recipe.name == "laptop"
    assert [use.id for use in recipe.uses] == ["agent", "inner"]
    assert recipe.uses[0] == Use(id="agent", provider="agent", inside="inner", options={"headless": True})
    assert recipe.delivery == "mdm"
    assert [recipe.gap_action(key) for key in ("budget", "ask", "network", "llm")] == [
        "refuse",
        "warn",
        "refuse",
        "warn",
    ]
    assert recipe.accept_cooperative == ("network",)


def test_the_digest_is_of_what_it_says_not_of_how_it_is_written():
    other = (
        b"name: laptop\ndelivery: mdm\nschema: tappass.runtime/v1\naccept_cooperative: ['network', network]\n"
        b"on_gap:\n  ask: warn\n  budget: refuse\nuses:\n"
        b"- {provider: agent, id: agent, options: {headless: true}, inside: inner}\n- {provider: box, id: inner}\n"
    )
    assert runtime_digest(parse_recipe(GOOD)) == runtime_digest(parse_recipe(other))
    assert runtime_digest(parse_recipe(GOOD.replace(b"ask: warn", b"ask: refuse"))) != runtime_digest(
        parse_recipe(GOOD)
    )
    assert runtime_digest(parse_recipe(GOOD)).startswith("sha256:")


HEAD = "schema: tappass.runtime/v1\nname: x\n"
BAD = [
    ("not yaml", "uses: [", "r.yaml:"),
    ("unknown field", HEAD + "uses:\n- {id: a, provider: box}\nusers: []\n", "r.yaml:1:1"),
    ("another schema", "schema: tappass.runtime/v2\nname: x\nuses: []\n", "r.yaml:1:9"),
    ("no uses", HEAD + "uses: []\n", "r.yaml:3:7"),
    ("unknown field of a use", HEAD + "uses:\n- {id: a, provider: box, into: b}\n", "r.yaml:4:3"),
    ("doubled id", HEAD + "uses:\n- {id: a, provider: box}\n- {id: a, provider: box}\n", "r.yaml:5:8"),
    ("bad id", HEAD + "uses:\n- {id: A_b, provider: box}\n", "r.yaml:4:8"),
    ("inside nothing", HEAD + "uses:\n- {id: a, provider: box, inside: c}\n", "r.yaml:4:34"),
    ("inside itself", HEAD + "uses:\n- {id: a, provider: box, inside: a}\n", "r.yaml:4:34"),
    (
        "a circle",
        HEAD + "uses:\n- {id: a, provider: box, inside: b}\n- {id: b, provider: box, inside: a}\n",
        "r.yaml:4:34",
    ),
    ("unknown gap key", HEAD + "uses:\n- {id: a, provider: box}\non_gap: {files: warn}\n", "r.yaml:5"),
    ("unknown gap action", HEAD + "uses:\n- {id: a, provider: box}\non_gap: {ask: allow}\n", "r.yaml:5"),
    (
        "unknown aspect",
        HEAD + "uses:\n- {id: a, provider: box}\naccept_cooperative: [net]\n",
        "r.yaml:5:22",
    ),
    ("delivery", HEAD + "uses:\n- {id: a, provider: box}\ndelivery: mail\n", "r.yaml:5:11"),
]


@pytest.mark.parametrize(("name", "text", "place"), BAD, ids=[c[0] for c in BAD])
def test_what_is_no_recipe_is_refused_at_its_place(name, text, place):
    with pytest.raises(RecipeError) as caught:
        parse_recipe(text.encode(), source="r.yaml")
    assert caught.value.source.startswith(place)


def made(*uses, **more):
    return normal(Recipe(name="x", uses=tuple(Use(**u) for u in uses), **more))


MISFITS = [
    ("unknown provider", [{"id": "a", "provider": "nope"}], {}, "no provider nope"),
    (
        "inside a harness",
        [{"id": "a", "provider": "agent"}, {"id": "c", "provider": "calc", "inside": "a"}],
        {},
        "which is a harness",
    ),
    (
        "one service twice",
        [{"id": "a", "provider": "proxy"}, {"id": "b", "provider": "proxy"}],
        {},
        "used twice",
    ),
    ("another platform", [{"id": "a", "provider": "box"}], {"platform": "macos"}, "not exist on macos"),
]


@pytest.mark.parametrize(("name", "uses", "more", "says"), MISFITS, ids=[c[0] for c in MISFITS])
def test_what_does_not_fit_the_providers_is_refused(fakes, name, uses, more, says):
    with pytest.raises(RecipeError, match=says):
        Topology(made(*uses, **more), fakes.providers)


def test_order_and_nesting(fakes):
    topology = Topology(
        made(
            {"id": "vm", "provider": "box"},
            {"id": "jail", "provider": "crate", "inside": "vm"},
            {"id": "agent", "provider": "agent", "inside": "jail"},
            {"id": "calc", "provider": "calc", "inside": "vm"},
            {"id": "gate", "provider": "gate"},
            {"id": "proxy", "provider": "proxy"},
        ),
        fakes.providers,
    )
    assert topology.order == ("proxy", "gate", "calc", "agent", "jail", "vm")
    assert topology.enclosers("agent") == ("jail", "vm")
    assert topology.inner("vm") == ("calc", "jail")
    assert topology.enclosed("vm") == ("calc", "agent", "jail")


def test_one_line(fakes):
    recipe = parse_oneline("harness=agent,kernel=crate,interpreter=calc,kernel=box", fakes.providers)
    assert {use.id: use.inside for use in recipe.uses} == {
        "agent": "box",
        "box": "box-2",
        "box-2": "",
        "calc": "box",
        "proxy": "",
    }
    assert recipe.on_gap == {}
    assert ON_GAP["ask"] == "stricter"


def test_one_line_without_a_kernel_and_with_a_service_given(fakes):
    recipe = parse_oneline("harness=agent, host=proxy", fakes.providers, name="n")
    assert recipe == Recipe(
        name="n", uses=(Use(id="agent", provider="agent"), Use(id="proxy", provider="proxy"))
    )


LINES = [
    ("", "no position=provider"),
    ("harness", "no position=provider"),
    ("ring=agent", "no position=provider"),
    ("harness=", "no position=provider"),
    ("harness=nope", "no provider nope"),
    ("kernel=agent", "agent is no kernel, it is a harness"),
]


@pytest.mark.parametrize(("line", "says"), LINES)
def test_lines_that_are_none(fakes, line, says):
    with pytest.raises(RecipeError, match=says):
        parse_oneline(line, fakes.providers)


def test_a_wanted_service_that_is_not_there_is_an_error(fakes):
    some = {k: v for k, v in fakes.providers.items() if k != "proxy"}
    with pytest.raises(RecipeError, match="no provider proxy"):
        parse_oneline("kernel=box", some)
