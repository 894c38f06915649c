"""The join, rule by rule, on systems put together by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tappass_host.compiler.coverage import SEVERITY, by_control
from tappass_host.compiler.join import join
from tappass_host.compiler.requirements import Requirements
from tappass_host.compiler.system import Member, System
from tappass_host.policy import model as m
from tappass_host.policy.actions import Connect, File, ModelCall
from tappass_host.policy.effect import Effect
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.sdk.claims import Claim, Component, Denied, Evidence, Fact, Reach
from tappass_host.sdk.facts import Query
from tappass_host.sdk.reader import Ruling

PAGE = Evidence("https://target.test", "2026-11-22", ("1",), "probe/x")
HARNESS = ("tool", "exec", "mcp", "llm", "self")
POLICY = EffectivePolicy(
    m.Policy(
        version=1,
        issued_at="2026-01-01T00:00:00Z",
        not_before="2026-01-01T00:00:00Z",
        expires_at="2027-01-01T00:00:00Z",
        org_id="acme",
        tools=m.Tools(default="deny", unknown="deny", allow=("Read",), ask=("Bash",)),
        network=m.Network(default="deny"),
        llm=m.Llm(default="deny"),
        interpreter=m.Interpreter(default="deny"),
        compliance_tags={"SOC2:CC6.1": ("network.default[deny]",)},
    )
)
NET = "network.default[deny]"
TOOLS = "tools.default[deny]"
LLM = "llm.default[deny]"
CODE = "interpreter.default[deny]"


def reach(*surfaces, strength="compulsory", requires=(), escape="", name="r"):
    return Reach(name, surfaces, strength, PAGE, requires, escape)


def claim(statement, at, verdict="enforced", **more):
    return Claim(statement, at, verdict, **more)


def member(name, *claims, brings=(), inside=(), permits=None, facts=None, names=None, policy=POLICY):
    return Member(
        id=name,
        names=frozenset(names or {name}),
        brings=brings,
        claims=claims,
        policy=policy,
        facts=facts or {},
        enclosers=inside,
        permits=permits or (lambda action: None),
    )


def verdicts(members, statement, *, wired=(), accept=()):
    coverage = join(System(members, frozenset(wired)), accept_cooperative=accept)
    row = coverage.by_id()[statement]
    return row.verdict, {f"{p.use}/{p.surface}": (p.verdict, p.by) for p in row.places}


def deny_all(locator=""):
    return lambda action: Ruling(Effect.DENY, locator)


def says(effect, kind):
    return lambda action: Ruling(effect) if isinstance(action, kind) else None


EVERY = reach("tool", "exec", "mcp", "code", "self")


def agent(*claims, **more):
    return member("agent", *claims, brings=HARNESS, **{"inside": ("box",), **more})


def test_a_kernel_carries_what_it_encloses():
    verdict, places = verdicts([agent(), member("box", claim(NET, EVERY))], NET)
    assert verdict == "enforced"
    assert places == {f"agent/{s}": ("enforced", "box") for s in ("tool", "exec", "mcp", "self")}


def test_a_kernel_beside_carries_nothing():
    verdict, places = verdicts([agent(inside=()), member("box", claim(NET, EVERY))], NET)
    assert verdict == "gap"
    assert set(places.values()) == {("gap", "")}


def test_what_is_inside_carries_nothing_of_what_is_around():
    inner = member("calc", claim(NET, reach("code", "exec")), brings=("code",), inside=("agent",))
    assert verdicts([agent(inside=()), inner], NET)[1]["agent/exec"] == ("gap", "")


def test_a_far_encloser_counts_too():
    box = member("box", inside=("vm",))
    assert verdicts([agent(inside=("box", "vm")), box, member("vm", claim(NET, EVERY))], NET)[0] == "enforced"


def test_a_service_counts_only_for_what_is_wired_to_it():
    calc = member("calc", brings=("code",))
    members = [member("proxy", claim(NET, EVERY)), agent(), calc]
    _, places = verdicts(members, NET, wired=[("proxy", "agent")])
    assert places["agent/exec"] == ("enforced", "proxy")
    assert places["calc/code"] == ("gap", "")


def test_a_claim_counts_on_its_own_surfaces_only():
    _, places = verdicts([agent(claim(NET, reach("tool", "code")), inside=())], NET, accept=["network"])
    assert places["agent/tool"] == ("enforced", "agent")
    assert places["agent/exec"] == ("gap", "")
    assert "agent/code" not in places, "no use brings it"


def test_the_worst_place_decides_and_the_best_claim_on_each():
    at = reach("tool", "exec", "mcp", "self", name="whole")
    part = reach("exec", name="part")
    box = member("box", claim(NET, at, "partial", reason="a hole"), claim(NET, part))
    verdict, places = verdicts([agent(), box], NET)
    assert verdict == "partial"
    assert places["agent/exec"] == ("enforced", "box")
    assert places["agent/tool"] == ("partial", "box")


def test_a_place_says_who_where_why_and_on_what_evidence():
    box = member("box", claim(NET, EVERY, "partial", reason="a hole", locators=("args#[x]",)))
    (place, *_) = join(System([agent(), box], frozenset())).by_id()[NET].places
    assert (place.by, place.reach, place.reason, place.locators) == ("box", "r", "a hole", ("args#[x]",))
    assert (place.strength, place.url, place.date, place.probe) == (
        "compulsory",
        PAGE.url,
        PAGE.date,
        "probe/x",
    )


def test_a_statement_without_a_place_is_vacuous():
    verdict, places = verdicts([agent()], CODE)
    assert (verdict, places) == ("vacuous", {})


def test_unenforceable_is_said_with_its_reason_and_is_open():
    box = member("box", claim(NET, EVERY, "unenforceable", reason="knows no network"))
    row = join(System([agent(), box], frozenset())).by_id()[NET]
    assert (row.verdict, row.places[0].reason, row.is_open) == ("unenforceable", "knows no network", True)


def test_a_grant_that_nobody_renders_is_not_open():
    row = join(System([agent(inside=())], frozenset())).by_id()["tools.allow[Read]"]
    assert (row.verdict, row.is_open) == ("gap", False)


COOPERATIVE = [
    ("network", NET, (), "gap"),
    ("network, accepted", NET, ("network",), "enforced"),
    ("network, another accepted", NET, ("filesystem",), "gap"),
    ("tools", TOOLS, (), "enforced"),
]


@pytest.mark.parametrize(
    ("name", "statement", "accept", "verdict"), COOPERATIVE, ids=[c[0] for c in COOPERATIVE]
)
def test_a_cooperative_claim_is_no_boundary(name, statement, accept, verdict):
    at = reach(*HARNESS, strength="cooperative")
    found, places = verdicts([agent(claim(statement, at), inside=())], statement, accept=accept)
    assert found == verdict
    assert places["agent/tool"][1] == "agent", "it is named either way"


def test_compulsory_is_preferred_to_cooperative():
    mine = claim(TOOLS, reach("tool", strength="cooperative"))
    members = [agent(mine), member("box", claim(TOOLS, EVERY))]
    assert verdicts(members, TOOLS)[1] == {"agent/tool": ("enforced", "box")}


# Requirements.

OUT = Denied(Connect(host="api.test"))
GATE = reach("llm", requires=(OUT,))


def with_gate(*others, requires=(OUT,), wired=(("gate", "agent"),), facts=None, around=("box",)):
    gate = member("gate", claim(LLM, reach("llm", requires=requires)), facts=facts)
    return verdicts([gate, agent(inside=around), *others], LLM, wired=wired)[1]["agent/llm"][0]


def box(permits, verdict="enforced", strength="compulsory", surfaces=EVERY.surfaces, locator="net"):
    at = reach(*surfaces, strength=strength)
    return member("box", claim(NET, at, verdict, locators=(locator,)), permits=permits)


ALLOWING = member("proxy", permits=says(Effect.ALLOW, Connect))
DENYING = member("proxy", permits=says(Effect.DENY, Connect))
BOTH = (("gate", "agent"), ("proxy", "agent"))
DENIED = [
    ("a box that denies", {}, [box(deny_all("net"))], "enforced"),
    ("by default of the box", {}, [box(deny_all())], "enforced"),
    ("nobody denies", {}, [box(lambda action: None)], "partial"),
    ("the box allows", {}, [box(says(Effect.ALLOW, Connect))], "partial"),
    ("a box beside", {"around": ()}, [box(deny_all("net"))], "partial"),
    ("a box that only cooperates", {}, [box(deny_all("net"), strength="cooperative")], "partial"),
    ("a box with a hole", {}, [box(deny_all("net"), verdict="partial")], "partial"),
    ("not on every surface", {}, [box(deny_all("net"), surfaces=("tool", "exec", "mcp"))], "partial"),
    ("a proxy lets it through", {"wired": BOTH}, [ALLOWING, box(deny_all("net"))], "partial"),
    ("a proxy denies it too", {"wired": BOTH}, [DENYING, box(deny_all("net"))], "enforced"),
    ("a proxy alone does not deny", {"wired": BOTH}, [DENYING], "partial"),
    ("component here", {"requires": (Component("gate"),)}, [], "enforced"),
    ("component missing", {"requires": (Component("clerk"),)}, [], "unenforceable"),
    (
        "component by alias",
        {"requires": (Component("nick"),)},
        [member("x", names={"x", "nick"})],
        "enforced",
    ),
    ("fact", {"requires": (Fact("feature", "a", "true"),), "facts": {"feature:a": True}}, [], "enforced"),
    (
        "fact that differs",
        {"requires": (Fact("feature", "a", "true"),), "facts": {"feature:a": False}},
        [],
        "partial",
    ),
    ("fact not known", {"requires": (Fact("feature", "a", "true"),)}, [], "partial"),
    (
        "a list as fact",
        {"requires": (Fact("glob", "a", "x,y"),), "facts": {"glob:a": ("x", "y")}},
        [],
        "enforced",
    ),
    ("the worst of several", {"requires": (OUT, Component("clerk"))}, [box(deny_all())], "unenforceable"),
]


@pytest.mark.parametrize(("name", "more", "others", "verdict"), DENIED, ids=[c[0] for c in DENIED])
def test_requirements(name, more, others, verdict):
    around = tuple(u for u in more.get("around", ("box",)) if any(o.id == "box" for o in others))
    assert with_gate(*others, **{**more, "around": around}) == verdict


def test_an_unmet_requirement_is_the_way_round():
    gate = member("gate", claim(LLM, GATE))
    row = join(System([gate, agent(inside=())], frozenset({("gate", "agent")}))).by_id()[LLM]
    assert (
        row.places[0].reason
        == "connect api.test:443 is not denied: nobody holds it on tool, exec, mcp, self of agent"
    )


def test_an_unknown_fact_is_asked_of_the_claimant():
    gate = member("gate", claim(LLM, reach("llm", requires=(Fact("feature", "a", "true"),))))
    system = System([gate, agent(inside=())], frozenset({("gate", "agent")}))
    requirements = Requirements(system)
    join(system, requirements=requirements)
    assert list(requirements.asked.values()) == [("gate", Query("feature", "a"))]


def test_a_denial_that_itself_hangs_on_a_missing_component_does_not_count():
    at = reach("tool", "exec", "mcp", "self", requires=(Component("clerk"),))
    shaky = member("box", claim(NET, at, locators=("net",)), permits=deny_all("net"))
    assert with_gate(shaky) == "partial"


def test_two_denials_that_hang_on_each_other_hold_nothing():
    at = reach("tool", "exec", "mcp", "self", requires=(Denied(File(op="read", path="/x")),), name="net")
    files = reach("tool", "exec", "mcp", "self", requires=(OUT,), name="files")
    circular = member(
        "box",
        claim(NET, at, locators=("net",)),
        claim("network.local[deny]", files, locators=("net",)),
        permits=deny_all("net"),
    )
    assert with_gate(circular) == "partial"


def test_an_action_of_another_aspect_is_judged_on_its_surfaces():
    at = reach("llm", requires=(Denied(ModelCall(model="x")),))
    held = member("wall", claim(LLM, reach("llm", name="wall")), permits=says(Effect.DENY, ModelCall))
    gate = member("gate", claim(LLM, at))
    members = [gate, agent(inside=("wall",)), held]
    assert verdicts(members, LLM, wired=[("gate", "agent")])[1]["agent/llm"][0] == "enforced"


# Statements that only some uses have.


def test_a_support_grant_has_places_only_where_somebody_has_it():
    wider = EffectivePolicy(
        m.Policy(
            **{
                **{f: getattr(POLICY.doc, f) for f in POLICY.doc.__struct_fields__},
                "filesystem": m.Filesystem(read_only=("/opt",)),
            }
        )
    )
    box_ = member("box", claim("filesystem.read_only[/opt]", reach("exec", "self")), policy=wider)
    verdict, places = verdicts([agent(), box_], "filesystem.read_only[/opt]")
    assert verdict == "enforced"
    assert set(places) == {"agent/exec", "agent/self"}


def test_order_counts_unmanaged_and_controls():
    coverage = join(
        System(
            [agent(claim(TOOLS, reach("tool"), "partial")), member("box", claim(NET, EVERY))], frozenset()
        ),
        unmanaged=["process", "budget"],
    )
    kinds = [s.verdict for s in coverage.statements]
    assert kinds == sorted(kinds, key=["gap", "unenforceable", "partial", "enforced", "vacuous"].index)
    assert coverage.unmanaged == ("budget", "process")
    counts = coverage.counts()
    assert sum(counts.values()) == len(POLICY.statements)
    assert counts["partial"] == 1
    assert {
        t: [r.id for r in rows] for t, rows in by_control(coverage, POLICY.doc.compliance_tags).items()
    } == {"SOC2:CC6.1": [NET]}


# Properties.

VERDICTS = st.sampled_from(["enforced", "partial", "unenforceable"])
REACHES = st.builds(
    lambda surfaces, strength, requires, i: Reach(f"r{i}", tuple(sorted(surfaces)), strength, PAGE, requires),
    st.sets(st.sampled_from([*HARNESS, "code"]), min_size=1),
    st.sampled_from(["compulsory", "cooperative"]),
    st.sampled_from([(), (Component("box"),), (Component("clerk"),), (OUT,)]),
    st.integers(0, 10_000),
)
CLAIMS = st.lists(
    st.builds(Claim, st.sampled_from([NET, TOOLS, LLM, CODE]), REACHES, VERDICTS),
    max_size=4,
    unique_by=lambda c: c.reach.id,
)


@given(mine=CLAIMS, outer=CLAIMS, added=CLAIMS, how=st.sampled_from(["around", "service", "beside"]))
def test_adding_a_use_never_worsens_a_place(mine, outer, added, how):
    inside = ("box", "new") if how == "around" else ("box",)
    before = [agent(*mine), member("box", *outer, permits=deny_all())]
    after = [agent(*mine, inside=inside), before[1], member("new", *added)]
    wired = {("new", "agent")} if how == "service" else set()
    old, new = join(System(before, frozenset())), join(System(after, frozenset(wired)))
    for row in old.statements:
        now = {(p.use, p.surface): p for p in new.by_id()[row.id].places}
        for place in row.places:
            assert SEVERITY[now[place.use, place.surface].verdict] <= SEVERITY[place.verdict]
        assert SEVERITY[new.by_id()[row.id].verdict] <= SEVERITY[row.verdict] or row.verdict == "vacuous"


@given(claims=CLAIMS, outer=CLAIMS)
def test_the_order_of_claims_means_nothing(claims, outer):
    def found(flip):
        turn = reversed if flip else iter
        return join(System([agent(*turn(claims)), member("box", *turn(outer))], frozenset()))

    assert found(flip=False) == found(flip=True)
