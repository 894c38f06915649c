"""The whole compiler over tiny real targets: needs and offers, collisions, questions, gaps, the plan."""

import json

import msgspec
import pytest

from tappass_host.compiler.checks import shared_paths
from tappass_host.compiler.compile import compile_runtime, compile_until_settled
from tappass_host.compiler.oneline import parse_oneline
from tappass_host.compiler.plan import plan_document, plan_json
from tappass_host.compiler.recipe import Recipe, Use
from tappass_host.policy import model as m
from tappass_host.policy.actions import Connect, File
from tappass_host.policy.ceiling import Ceiling
from tappass_host.policy.decide import decide
from tappass_host.policy.effect import Effect
from tappass_host.policy.errors import (
    BindError,
    CeilingError,
    MissingTargetError,
    ProviderError,
    RecipeError,
    UnsatisfiableError,
)
from tappass_host.policy.grammar.constraints import Constraint
from tappass_host.sdk.artifacts import Artifact, ArtifactPath
from tappass_host.sdk.contract import Need, TargetCapabilities
from tappass_host.sdk.facts import UNKNOWN

LINE = "harness=agent,kernel=box,interpreter=calc"
FILES = m.Filesystem(default="deny", workspace="/ws")
NETWORK = m.Network(default="deny", allow_domains=("*.example.com",))
TOOLS = m.Tools(default="deny", unknown="deny", allow=("Read",), deny=("WebSearch",))
CREDENTIALS = m.Credentials(default="deny")
FULL = {"filesystem": FILES, "network": NETWORK, "tools": TOOLS, "credentials": CREDENTIALS}


def notable(plan):
    """Warnings, without that nobody here looks at the clock."""
    return [line for line in plan.warnings if not line.startswith("head.")]


@pytest.fixture
def plan(fakes):
    return fakes.compiled(fakes.policy(**FULL), LINE)


def places(plan, statement):
    row = plan.coverage.by_id()[statement]
    return row.verdict, {f"{p.use}/{p.surface}": f"{p.verdict} {p.by}" for p in row.places}


# Rendering.


def test_everything_fits_together(plan):
    assert [use.id for use in plan.uses] == ["proxy", "calc", "agent", "box"]
    assert plan.use("agent").inside == ("box",)
    assert plan.use("agent").wired == ("proxy",)
    assert plan.use("agent").target.inside == ("box",)
    (calc, agent) = plan.use("box").target.inner
    assert (calc.use, agent.use) == ("calc", "agent")
    assert [n.kind for n in agent.needs] == ["read", "write"]
    assert plan.asked == ()


def test_needs_of_what_is_enclosed_are_granted_by_the_encloser_alone(plan, fakes):
    box, agent = plan.use("box").policy, plan.use("agent").policy
    assert "filesystem.read_only[/opt/agent]" in box.by_id
    assert "filesystem.read_only[/opt/agent]" not in agent.by_id
    said = box.doc.provenance["filesystem.read_only[/opt/agent]"]
    assert (said.level, said.source) == ("runtime", "need of agent (agent)")
    assert decide(box, File(op="read", path="/opt/agent/bin")).effect is Effect.ALLOW
    assert decide(agent, File(op="read", path="/opt/agent/bin")).effect is Effect.DENY


def test_the_kernel_carries_what_the_harness_cannot(plan):
    verdict, found = places(plan, "filesystem.default[deny]")
    assert verdict == "enforced"
    assert found["agent/exec"] == "enforced box"
    assert found["agent/tool"] == "enforced box", "compulsory before cooperative"
    assert found["calc/code"] == "enforced box"


def test_the_proxy_carries_names_for_whoever_has_no_other_way_out(plan):
    verdict, found = places(plan, "network.allow_domains[*.example.com]")
    assert verdict == "enforced"
    assert found["agent/exec"] == "enforced proxy"


def test_a_proxy_that_the_box_does_not_bind_serves_nobody(fakes):
    plan = fakes.compiled(fakes.policy(**FULL), LINE, options={"box": {"deaf": True}})
    assert plan.use("agent").wired == ()
    _, found = places(plan, "network.allow_domains[*.example.com]")
    assert found["agent/exec"] == "unenforceable box"


def test_a_connect_need_goes_to_the_service_that_carries_it(fakes):
    needs = {"agent": {"needs": [["connect", "api.vendor.test:443"]]}}
    plan = fakes.compiled(fakes.policy(**FULL), LINE, options=needs)
    assert "network.allow_domains[api.vendor.test:443]" in plan.use("proxy").policy.by_id
    assert decide(plan.use("agent").policy, Connect(host="api.vendor.test")).effect is Effect.DENY


def test_self_protection_is_in_every_policy_and_covers_rendered_configuration(plan, fakes):
    for use in plan.uses:
        assert "filesystem.read_only[**/.git/hooks]" in use.policy.by_id
    settings = f"{fakes.home}/.agent/settings.json"
    box = plan.use("box").policy
    assert decide(box, File(op="write", path=f"{fakes.home}/.agent/x")).effect is Effect.ALLOW
    assert decide(box, File(op="write", path=settings)).effect is Effect.DENY
    assert decide(box, File(op="read", path=settings)).effect is Effect.ALLOW


def test_launches_are_wrapped_from_the_inside_out(plan):
    launch = plan.launches["agent"]
    assert (launch.program, launch.args) == (
        "box",
        ("--", "agent", "--settings", ArtifactPath("agent/rules")),
    )
    assert launch.fds == {"10": ArtifactPath("box/rules")}
    assert launch.rlimits == {"nofile": 50}
    assert plan.launches["calc"].args == ("--", "calc")
    assert plan.launches["box"].args == ("--",)


TWO = "harness=agent,kernel=box,kernel=box"


def test_two_boxes_nest(fakes):
    plan = fakes.compiled(fakes.policy(**FULL), TWO, options={"box-2": {"fd": "20"}})
    assert plan.use("agent").inside == ("box", "box-2")
    assert plan.launches["agent"].args[:4] == ("--", "box", "--", "agent")
    assert plan.launches["agent"].fds == {
        "10": ArtifactPath("box/rules"),
        "20": ArtifactPath("box-2/rules"),
    }
    (inner,) = plan.use("box-2").target.inner
    assert [n.kind for n in inner.needs] == ["read", "write"], "needs go all the way out"
    assert "filesystem.read_only[/opt/agent]" in plan.use("box-2").policy.by_id


def test_two_launches_that_want_one_descriptor_are_refused(fakes):
    with pytest.raises(UnsatisfiableError, match="both want descriptor 10"):
        fakes.compiled(fakes.policy(**FULL), TWO)


def test_what_a_service_needs_has_to_be_possible_in_the_box_that_leads_to_it(fakes):
    proxy = fakes.providers["proxy"]

    def render(policy, target):
        bridge = Need("exec", "/lib/bridge", "leads to the proxy")
        return msgspec.structs.replace(proxy.render(policy, target), needs=(bridge,))

    providers = {**fakes.providers, "proxy": proxy._replace(render=render)}
    plan = fakes.compiled(fakes.policy(**FULL), LINE, providers=providers)
    assert "filesystem.read_only[/lib/bridge]" in plan.use("box").policy.by_id
    assert "filesystem.read_only[/lib/bridge]" not in plan.use("agent").policy.by_id
    denied = {**FULL, "filesystem": m.Filesystem(workspace="/ws", deny_paths=("/lib",))}
    with pytest.raises(
        UnsatisfiableError, match=r"proxy \(proxy\) needs exec /lib/bridge .*deny_paths\[/lib\]"
    ):
        fakes.compiled(fakes.policy(**denied), LINE, providers=providers)


# Needs that cannot be.

COLLISIONS = [
    ("a denied path", {"deny_paths": ("/opt",)}, ["read", "/opt/agent"], "filesystem.deny_paths[/opt]"),
    ("a program", {"deny_paths": ("/opt",)}, ["exec", "/opt/agent"], "filesystem.deny_paths[/opt]"),
    ("read only", {"read_only": ("/var/x",)}, ["write", "/var/x"], "filesystem.read_only[/var/x]"),
    ("self-protection", {}, ["write", "/ws/.git/hooks"], "filesystem.read_only[**/.git/hooks]"),
    ("a local address", {}, ["connect", "127.0.0.1:99"], "network.local[deny]"),
    ("a denied host", {}, ["connect", "bad.test:443"], "network.deny_domains[bad.test]"),
    ("a hidden variable", {}, ["env", "AWS_KEY=x"], "credentials.hide_env[AWS_KEY]"),
]


@pytest.mark.parametrize(("name", "files", "need", "statement"), COLLISIONS, ids=[c[0] for c in COLLISIONS])
def test_a_need_that_collides_names_both(fakes, name, files, need, statement):
    policy = fakes.policy(
        **{
            **FULL,
            "filesystem": m.Filesystem(default="deny", workspace="/ws", **files),
            "network": m.Network(default="deny", deny_domains=("bad.test",)),
            "credentials": m.Credentials(default="deny", hide_env=("AWS_KEY",)),
        }
    )
    with pytest.raises(UnsatisfiableError) as caught:
        fakes.compiled(policy, LINE, options={"agent": {"needs": [need]}})
    assert f"agent (agent) needs {need[0]} {need[1]} (it runs on that)" in str(caught.value)
    assert statement in str(caught.value)


MET = [
    ("granted already", ["read", "/ws/x"]),
    ("an unlisted variable", ["env", "TERM=xterm"]),
    ("a socket", ["socket", "/run/own.sock"]),
    ("the service itself", ["socket", "/run/proxy.sock"]),
]


@pytest.mark.parametrize(("name", "need"), MET, ids=[c[0] for c in MET])
def test_needs_that_can_be_met(fakes, name, need):
    plan = fakes.compiled(fakes.policy(**FULL), LINE, options={"agent": {"needs": [need]}})
    assert [n.kind for n in plan.use("agent").config.needs] == [need[0]]


def test_an_address_is_granted_but_nobody_here_carries_it(fakes):
    with pytest.raises(
        UnsatisfiableError, match=r"2600::1\]:443 .* which box \(box\) rules deny at rules#/net"
    ):
        fakes.compiled(
            fakes.policy(**FULL), LINE, options={"agent": {"needs": [["connect", "[2600::1]:443"]]}}
        )


def test_a_need_that_the_encloser_rules_out_by_itself_is_refused(fakes):
    stubborn = fakes.providers["box"]._replace(reader=fakes.Reads(Stubborn, doc=False))
    with pytest.raises(
        UnsatisfiableError, match=r"needs read /opt/agent .* which box \(box\) rules deny by default"
    ):
        fakes.compiled(fakes.policy(**FULL), LINE, providers={**fakes.providers, "box": stubborn})


class Stubborn:
    def permits(self, action):
        from tappass_host.sdk.reader import Ruling

        return Ruling(Effect.DENY)


def test_an_encloser_without_a_reader_cannot_be_checked(fakes):
    blind = fakes.providers["box"]._replace(reader=None)
    with pytest.raises(ProviderError, match="box has no reader"):
        fakes.compiled(fakes.policy(**FULL), LINE, providers={**fakes.providers, "box": blind})


def test_a_need_above_the_device_ceiling_is_refused(fakes):
    with pytest.raises(CeilingError, match=r"/home/u/\.agent"):
        fakes.compiled(fakes.policy(**FULL), LINE, ceiling=Ceiling(writable_roots=("/ws",)))
    fakes.compiled(fakes.policy(**FULL), LINE, ceiling=Ceiling(writable_roots=("/ws", "/home/u/.agent")))


# Bad input.


def test_what_is_missing_or_wrong_is_said(fakes):
    recipe = parse_oneline("kernel=box,host=proxy", fakes.providers)
    here = TargetCapabilities(version="1.0")
    policy = fakes.policy(filesystem=FILES)
    with pytest.raises(MissingTargetError, match="nothing is known of Proxy"):
        compile_runtime(policy, recipe, fakes.providers, {"box": here})
    with pytest.raises(BindError, match="home of the sandbox user"):
        compile_runtime(policy, recipe, fakes.providers, {"box": here, "proxy": here})
    mac = TargetCapabilities(version="1.0", platform="macos")
    with pytest.raises(MissingTargetError, match="box is on macos"):
        compile_runtime(policy, recipe, fakes.providers, {"box": mac, "proxy": here})


def test_options_are_those_of_the_provider(fakes):
    with pytest.raises(RecipeError, match=r"options of agent.*hedless") as caught:
        fakes.compiled(fakes.policy(**FULL), LINE, options={"agent": {"hedless": True}})
    assert caught.value.pointer.startswith("/uses/0/options")


# Questions.


def test_questions_are_answered_until_none_is_left(fakes):
    seen = []

    def answer(query):
        seen.append(query.key)
        return "dir"

    plan = fakes.compiled(
        fakes.policy(**FULL),
        LINE,
        options={"box": {"asks": True}},
        compiler=compile_until_settled,
        before=(answer,),
    )
    assert seen == ["path_kind:/opt/agent"]
    assert plan.asked == ()
    assert plan.final
    assert notable(plan) == []


@pytest.mark.parametrize("path", ["/home/u/.agent", "/home/u/.agent/settings.json"])
def test_what_the_plan_writes_itself_is_not_missing(fakes, path):
    plan = fakes.compiled(
        fakes.policy(**FULL),
        LINE,
        options={"box": {"asks": True, "asks_about": path}},
        compiler=compile_until_settled,
        before=(lambda query: "missing",),
    )
    assert plan.use("box").target.facts == {f"path_kind:{path}": "file" if "json" in path else "dir"}
    with pytest.raises(UnsatisfiableError, match="needs read /opt/agent"):
        fakes.compiled(
            fakes.policy(**FULL),
            LINE,
            options={"box": {"asks": True}},
            compiler=compile_until_settled,
            before=(lambda query: "missing",),
        )


def test_unanswered_questions_are_in_the_plan_and_unmet_needs_are_warnings_until_then(fakes):
    plan = fakes.compiled(fakes.policy(**FULL), LINE, options={"box": {"asks": True}})
    assert [(a.use, a.query.key) for a in plan.asked] == [("box", "path_kind:/opt/agent")]
    assert any("needs read /opt/agent" in line for line in plan.warnings)
    assert not plan.final


def test_a_question_that_stays_open_does_not_open_a_gap(fakes):
    with pytest.raises(UnsatisfiableError, match="needs read /opt/agent"):
        fakes.compiled(
            fakes.policy(**FULL),
            LINE,
            options={"box": {"asks": True}},
            compiler=compile_until_settled,
            before=(lambda query: UNKNOWN,),
        )


def test_the_order_of_gaps_and_questions(fakes):
    """What `on_gap` refuses is refused in the end, not while facts are still missing."""
    asked = []
    with pytest.raises(UnsatisfiableError, match="does not hold"):
        fakes.compiled(
            fakes.policy(**{**FULL, "tools": m.Tools(constraints={"Bash": {"x": CONSTRAINT}})}),
            LINE,
            options={"box": {"asks": True}},
            compiler=compile_until_settled,
            before=(lambda query: asked.append(query) or "dir",),
        )
    assert asked


# Gaps.

CONSTRAINT = Constraint(max_len=5)
ASKING = m.Tools(default="deny", unknown="deny", allow=("Read",), ask=("Bash(git push *)",))


def recipe_with(fakes, line=LINE, **changes):
    return msgspec.structs.replace(parse_oneline(line, fakes.providers), **changes)


def test_a_gap_in_the_boundary_is_refused_and_listed(fakes):
    with pytest.raises(UnsatisfiableError) as caught:
        fakes.compiled(fakes.policy(filesystem=FILES, tools=TOOLS), "harness=agent")
    text = str(caught.value)
    assert "  filesystem.default[deny], " in text
    assert " more: gap on agent/tool, agent/exec, agent/mcp, agent/self (holds" in text
    assert "holds only while agent cooperates" in text
    assert "tools." not in text


def test_a_gap_may_be_accepted(fakes):
    recipe = recipe_with(fakes, "harness=agent", on_gap={"filesystem": "warn"})
    plan = fakes.compiled(fakes.policy(filesystem=FILES, tools=TOOLS), recipe)
    assert any(line.startswith("filesystem.default[deny], ") for line in plan.warnings)
    assert plan.coverage.statements[0].verdict == "gap"


def test_accepting_cooperation_closes_only_where_somebody_cooperates(fakes):
    recipe = recipe_with(
        fakes, "harness=agent", on_gap={"filesystem": "warn"}, accept_cooperative=("filesystem",)
    )
    plan = fakes.compiled(fakes.policy(filesystem=FILES), recipe)
    _, found = places(plan, "filesystem.default[deny]")
    assert (found["agent/tool"], found["agent/exec"]) == ("enforced agent", "gap ")


def test_an_ask_that_nobody_can_ask_is_denied(fakes):
    policy = fakes.policy(
        **{**FULL, "tools": ASKING}, compliance_tags={"T": ("tools.ask[Bash(git push *)]",)}
    )
    plan = fakes.compiled(policy, LINE, options={"agent": {"headless": True}})
    (rewrite,) = plan.rewrites
    assert rewrite == ("tools.ask[Bash(git push *)]", ("tools.deny[Bash(git push *)]",))
    agent = plan.use("agent").policy.doc
    assert agent.tools.ask == ()
    assert agent.tools.deny == ("Bash(git push *)",)
    assert agent.compliance_tags == {"T": ("tools.deny[Bash(git push *)]",)}
    assert agent.provenance["tools.deny[Bash(git push *)]"].level == "runtime"
    assert places(plan, "tools.deny[Bash(git push *)]")[0] == "enforced"


def test_an_ask_that_can_be_asked_stays(fakes):
    plan = fakes.compiled(fakes.policy(**{**FULL, "tools": ASKING}), LINE)
    assert plan.rewrites == ()
    assert places(plan, "tools.ask[Bash(git push *)]")[0] == "enforced"


def test_constraints_are_refused_warned_or_made_stricter(fakes):
    tools = m.Tools(allow=("Bash",), constraints={"Bash": {"command": CONSTRAINT}})
    policy = fakes.policy(**{**FULL, "tools": tools})
    with pytest.raises(UnsatisfiableError, match="sees no arguments"):
        fakes.compiled(policy, LINE)
    warned = fakes.compiled(policy, recipe_with(fakes, on_gap={"constraints": "warn"}))
    assert len(notable(warned)) == 1
    strict = fakes.compiled(policy, recipe_with(fakes, on_gap={"constraints": "stricter"}))
    assert [r.by for r in strict.rewrites] == [("tools.deny[Bash]",)]
    assert strict.use("agent").policy.doc.tools.deny == ("Bash",)
    assert strict.use("agent").policy.doc.tools.constraints, "it still speaks of host functions"


def test_stricter_without_a_stricter_form_is_refused(fakes):
    recipe = recipe_with(fakes, "harness=agent", on_gap={"network": "stricter"})
    with pytest.raises(UnsatisfiableError, match=r"network\.local\[deny\], network\.other: gap"):
        fakes.compiled(fakes.policy(network=NETWORK), recipe)


def test_self_protection_that_nobody_holds_is_a_warning_where_files_are_unmanaged(fakes):
    plan = fakes.compiled(fakes.policy(tools=TOOLS), "harness=agent")
    (line,) = [line for line in notable(plan) if "filesystem" in line]
    assert " more: gap on agent/tool, agent/exec, agent/mcp, agent/self" in line


def test_in_observe_mode_gaps_are_warnings(fakes):
    plan = fakes.compiled(fakes.policy(filesystem=FILES, tools=TOOLS, mode="observe"), "harness=agent")
    assert any("filesystem.default[deny]" in line for line in plan.warnings)


def test_gaps_can_be_looked_at(fakes):
    plan = fakes.compiled(fakes.policy(filesystem=FILES), "harness=agent", refuse_gaps=False)
    assert plan.coverage.open()
    assert not plan.final


# Services.


def test_a_gateway_holds_models_only_without_a_way_around_it(fakes):
    policy = fakes.policy(**FULL, llm=m.Llm(default="deny"))
    line, facts = LINE + ",llm-gateway=gate", {"feature:clock": True}
    held = fakes.compiled(policy, line, facts=facts)
    assert places(held, "llm.default[deny]") == ("enforced", {"agent/llm": "enforced gate"})
    around = msgspec.structs.replace(policy, network=m.Network(allow_domains=("api.vendor.test",)))
    open_ = fakes.compiled(around, line, facts=facts)
    assert places(open_, "llm.default[deny]")[0] == "partial"
    assert "proxy lets it through" in open_.coverage.by_id()["llm.default[deny]"].places[0].reason


def test_a_required_fact_is_asked(fakes):
    plan = fakes.compiled(fakes.policy(**FULL, llm=m.Llm(default="deny")), LINE + ",llm-gateway=gate")
    assert [(a.use, a.query.key) for a in plan.asked] == [("gate", "feature:clock")]


# Aspects, files, the plan.


def test_unmanaged_aspects_are_listed_even_where_self_protection_speaks(fakes):
    plan = fakes.compiled(fakes.policy(tools=TOOLS), "harness=agent,kernel=box")
    assert "filesystem" in plan.coverage.unmanaged
    assert "tools" not in plan.coverage.unmanaged
    assert places(plan, "filesystem.read_only[**/.git/hooks]")[0] == "enforced"


def test_a_statement_without_a_place_is_vacuous(fakes):
    plan = fakes.compiled(fakes.policy(**FULL, data=m.Data()), "harness=agent,kernel=box")
    assert plan.coverage.by_id()["data.default[deny]"].verdict == "vacuous"


def two_agents(fakes, options):
    uses = (
        Use(id="a", provider="agent", inside="box"),
        Use(id="b", provider="agent", inside="box", options=options),
        Use(id="box", provider="box"),
        Use(id="proxy", provider="proxy"),
    )
    return Recipe(name="two", uses=uses)


def test_two_uses_may_say_the_same_to_one_file(fakes):
    fakes.compiled(fakes.policy(**FULL), two_agents(fakes, {}))


def test_two_uses_that_differ_on_one_file_are_refused(fakes):
    other = fakes.providers["agent"]

    def render(policy, target):
        config = other.render(policy, target)
        artifacts = [
            msgspec.structs.replace(a, doc={"managed": target.options.headless}) if a.id == "user" else a
            for a in config.artifacts
        ]
        return msgspec.structs.replace(config, artifacts=tuple(artifacts))

    providers = {**fakes.providers, "agent": other._replace(render=render)}
    recipe = two_agents(fakes, {"headless": True})
    with pytest.raises(
        UnsatisfiableError, match=r"a and b write different things to home:.agent/settings.json"
    ):
        fakes.compiled(fakes.policy(**FULL), recipe, providers=providers)


def test_runtimes_that_disagree_on_a_host_file_are_found(plan):
    def uses(doc, owned=()):
        artifact = Artifact(id="m", root="etc", path="x.json", scope="host", doc=doc, owned=owned)
        return [msgspec.structs.replace(plan.use("agent").config, artifacts=(artifact,))]

    assert shared_paths(uses({"a": 1}), uses({"a": 2})) == ("etc:x.json",)
    assert shared_paths(uses({"a": 1}), uses({"a": 1})) == ()
    assert shared_paths(uses({"a": 1}, ("a",)), uses({"b": 2}, ("b",))) == ()
    assert shared_paths(uses({"a": 1}, ("a",)), uses({"a": 2}, ("a",))) == ("etc:x.json",)


def test_the_plan_is_deterministic_named_by_its_digest_and_plain_json(fakes, plan):
    again = fakes.compiled(fakes.policy(**FULL), LINE)
    assert plan_json(plan) == plan_json(again)
    document = json.loads(plan_json(plan))
    assert document["digest"] == plan.digest
    assert document["runtime"] == {"name": "agent-box-calc-proxy", "digest": plan.runtime_digest}
    assert {a["use"] for a in document["artifacts"]} == {"agent", "box", "calc", "proxy"}
    assert document["coverage"]["unmanaged"] == list(plan.coverage.unmanaged)
    assert document == plan_document(plan)


def test_the_digest_is_of_everything(fakes, plan):
    narrower = {**FULL, "tools": m.Tools(default="deny", unknown="deny")}
    other = fakes.compiled(fakes.policy(**narrower), LINE)
    assert other.digest != plan.digest
    assert fakes.compiled(fakes.policy(**FULL), LINE, policy_digest="sha256:x").digest != plan.digest


def test_uses_that_nothing_changes_for_are_rendered_once(fakes):
    counted = []

    def counting(name):
        provider = fakes.providers[name]

        def render(policy, target):
            counted.append(name)
            return provider.render(policy, target)

        return provider._replace(render=render)

    providers = {name: counting(name) for name in fakes.providers}
    fakes.compiled(fakes.policy(**FULL), LINE, providers=providers)
    # The settings file of the agent lies in a folder that the box grants, so the box alone is told twice.
    assert sorted(counted) == ["agent", "box", "box", "calc", "proxy"]


def test_unproven_versions_and_previews_are_said(fakes):
    box = fakes.providers["box"]
    tried = msgspec.structs.replace(box.info, versions=("0.9",), preview=True)
    plan = fakes.compiled(
        fakes.policy(**FULL), LINE, providers={**fakes.providers, "box": box._replace(info=tried)}
    )
    assert notable(plan) == [
        "box: provider box is a preview",
        "box: Box 1.0 is unproven here, tried were 0.9",
    ]


def test_every_use_names_the_policy_that_was_signed(fakes, plan):
    signed = fakes.compiled(fakes.policy(**FULL), LINE, policy_digest="sha256:signed")
    assert {use.policy.digest for use in signed.uses} == {"sha256:signed"} == {signed.policy_digest}
    assert {use.policy.digest for use in plan.uses} == {plan.policy_digest}
