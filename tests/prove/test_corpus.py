"""The corpus: derived from the policy, complete over its surfaces, judged by `decide` alone."""

from pathlib import Path

import pytest

from tappass_host.policy import actions as a
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.grammar.constraints import Constraint, Range
from tappass_host.prove.cases import Case
from tappass_host.prove.corpus import code_cases, exec_cases, tool_cases
from tappass_host.prove.outcome import Outcome, Row
from tappass_host.prove.samples import accepted, calls_for
from tappass_host.prove.world import World, build_world, canary_of, example, mark_of
from tappass_host.sdk.kit.reference import policy as small


@pytest.fixture
def bound(tmp_path):
    import tappass_host.policy.model as m

    root = tmp_path.resolve()
    doc = small(
        filesystem=m.Filesystem(
            workspace=f"{root}/workspace",
            read_only=("/usr", f"{root}/workspace/vendor"),
            deny_paths=(f"{root}/home/.ssh", f"{root}/workspace/**/.env", f"{root}/workspace/deploy/keys"),
        ),
        network=m.Network(
            allow_domains=("*.example.com", "api.example.org:8443"), deny_domains=("bad.example.com",)
        ),
        tools=m.Tools(
            allow=("Bash(cat *)", "Bash(git *)", "Read", "Write"),
            ask=("Bash(git push *)",),
            deny=("Bash(curl *)",),
        ),
        interpreter=m.Interpreter(
            host_functions=("lookup",),
            allow_imports=("json",),
            deny_imports=("os",),
            memory_mb=64,
            cpu_time_ms=500,
        ),
        credentials=m.Credentials(hide_env=("AWS_SECRET_ACCESS_KEY",)),
        process=m.Process(max_open_files=64),
    )
    policy = EffectivePolicy(doc)
    return policy, build_world(root, policy)


@pytest.mark.parametrize("surface", ["exec", "code", "tool"])
def test_each_surface_tries_what_is_allowed_and_what_is_denied(bound, surface):
    policy, world = bound
    cases = {"exec": exec_cases, "code": code_cases, "tool": tool_cases}[surface](policy, world)
    verdicts = {str(case.expected(policy).effect) for case in cases}
    assert {"allow", "deny"} <= verdicts
    assert {case.surface for case in cases} == {surface}
    assert len({case.id for case in cases}) == len(cases)


def test_nothing_outside_the_world_is_ever_written_or_moved(bound):
    policy, world = bound
    for case in (*exec_cases(policy, world), *tool_cases(policy, world)):
        for action in case.actions:
            if isinstance(action, a.File) and action.op != "read":
                assert world.inside(action.path), case.id
            if isinstance(action, a.Tool) and action.name == "Write":
                assert world.inside(str(action.args["path"])), case.id


def test_a_shell_line_that_reads_a_denied_file_is_judged_by_the_file_too(bound):
    policy, world = bound
    case = next(
        c for c in tool_cases(policy, world) if c.attempt[2].startswith("cat ") and "keys" in c.attempt[2]
    )
    assert case.expected(policy).effect == "deny"
    assert case.expected(policy).statement.startswith("filesystem.deny_paths")


def test_canaries_name_their_own_place(bound):
    policy, _world = bound
    for rule in policy.fs.denies:
        path = example(rule)
        assert mark_of(path) in Path(canary_of(path)).read_text(encoding="utf-8")


def test_a_world_never_reaches_beyond_its_root(tmp_path):
    world = World(tmp_path / "w")
    assert world.inside(str(tmp_path / "w" / "x"))
    assert not world.inside(str(tmp_path / "wx"))


CONSTRAINTS = {
    "const": Constraint(const="A"),
    "one_of": Constraint(one_of=("a", "b")),
    "range": Constraint(range=Range(min=5, max=9)),
    "pattern": Constraint(pattern="C-[0-9]{6}"),
    "branch": Constraint(pattern="(red|green)x?"),
    "subpath": Constraint(subpath="/srv/data"),
    "max_len": Constraint(max_len=3),
}


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_samples_satisfy_and_violate(name):
    constraint = CONSTRAINTS[name]
    assert constraint.check(accepted(constraint)) is None
    good, *bad = calls_for({"x": constraint})
    assert constraint.check(good["x"]) is None
    assert bad
    assert all(constraint.check(call["x"]) is not None for call in bad)


CASE = Case("exec/x", "x", "exec", (a.File(op="read", path="/x"),), ("read", "/x"))
AGREEMENT = {
    ("allow", "ran"): True,
    ("allow", "blocked"): False,
    ("allow", "failed"): False,
    ("deny", "blocked"): True,
    ("deny", "ran"): False,
    ("deny", "failed"): False,
    ("deny", "timeout"): False,
    ("deny", "asked"): False,
    ("ask", "asked"): True,
    ("ask", "blocked"): True,
    ("ask", "ran"): False,
    ("ask", "timeout"): False,
}


@pytest.mark.parametrize(("effect", "status"), AGREEMENT)
def test_a_crash_a_timeout_or_a_prompt_is_not_a_denial(effect, status):
    from tappass_host.policy.decide import Decision
    from tappass_host.policy.effect import Effect

    row = Row("t", CASE, Decision(Effect(effect), "s", ""), Outcome(status), Outcome("ran"))
    assert row.agrees is AGREEMENT[effect, status]


def test_a_case_whose_control_does_not_succeed_proves_nothing():
    from tappass_host.policy.decide import Decision
    from tappass_host.policy.effect import Effect

    row = Row("t", CASE, Decision(Effect.DENY, "s", ""), Outcome("blocked"), Outcome("blocked"))
    assert row.agrees
    assert not row.controlled
