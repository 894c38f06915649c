"""The kit's own material: policies that are valid, actions that meet them."""

import msgspec
import pytest
from hypothesis import given, settings

from tappass_host.policy.actions import HostCall
from tappass_host.policy.decide import decide
from tappass_host.policy.decode import policy_of
from tappass_host.policy.effect import Effect
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.model import ASPECTS
from tappass_host.policy.surfaces import ASPECT_SURFACES, SURFACES
from tappass_host.policy.validate import canonicalise
from tappass_host.sdk.facts import Query
from tappass_host.sdk.kit.injection import GROUPS, HOSTILE
from tappass_host.sdk.kit.reference import FULL, REFERENCE, reference
from tappass_host.sdk.kit.strategies import policies
from tappass_host.sdk.kit.universe import direct, universe
from tappass_host.sdk.kit.world import answer


@pytest.mark.parametrize("name", REFERENCE)
def test_reference_policies_are_valid_and_canonical(name):
    policy = REFERENCE[name]
    assert policy_of(msgspec.to_builtins(policy)) == policy
    assert canonicalise(policy) == policy


def test_full_and_lockdown_manage_everything():
    for name in ("full", "lockdown"):
        assert all(getattr(REFERENCE[name], aspect) is not None for aspect in ASPECTS)
    blamed = {decide(reference("lockdown"), act).effect for act in universe()}
    assert Effect.ASK not in blamed


def test_actions_are_distinct_and_on_every_surface():
    assert len({repr(act) for act in universe()}) == len(universe())
    assert {act.surface for act in universe()} == set(SURFACES)


def test_an_action_is_on_a_surface_its_aspect_is_about():
    for act in universe():
        decision = decide(reference("full"), act)
        aspect = decision.statement.partition(".")[0]
        if isinstance(act, HostCall):
            continue  # constraints of tools hold for host functions too
        assert not aspect or aspect == "budget" or act.surface in ASPECT_SURFACES[aspect], (act, decision)


# Statements that no action can show: numbers of a kind that `decide` does not judge, and mere labels.
INVISIBLE = (
    "head.",
    "credentials.secrets[GITHUB_TOKEN].domains",
    "data.sources[crm]",
    "filesystem.workspace",
    "interpreter.network",
    "interpreter.env",
    "llm.redact",
    "llm.upstreams",
    "mcp.servers[docs].auth_ref",
    "process.run_as_gid",
    "mcp.servers[docs].max_result_kb",
    "mcp.servers[docs].pins",
    "tools.deny_if_tainted",
    "tools.taint_sources",
)


def test_the_universe_meets_nearly_every_statement_of_the_full_policy():
    blamed = {decide(reference("full"), act).statement for act in universe()}
    missed = [
        s.id for s in reference("full").statements if s.id not in blamed and not s.id.startswith(INVISIBLE)
    ]
    assert missed == []


def test_direct_effects_of_tools():
    for act in universe():
        effect = direct(act)
        if effect is not None:
            assert effect.surface == "tool"
            assert effect in universe()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query("path_kind", "/ws"), "dir"),
        (Query("path_kind", "/ws/x"), "file"),
        (Query("path_kind", "/nowhere"), "missing"),
        (Query("glob", "/ws/**/.env"), ("/ws/.env", "/ws/a/.env", "/ws/vendor/.env")),
        (Query("program", "git"), "/usr/bin/git"),
        (Query("no-such-question", "x"), None),
    ],
)
def test_the_world_answers(query, expected):
    assert answer(query) == expected


def test_full_is_what_the_matrix_is_computed_on():
    assert FULL is REFERENCE["full"]


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(policies(frozenset(ASPECTS)))
def test_generated_policies_are_valid(policy):
    assert policy_of(msgspec.to_builtins(policy)) == policy


@pytest.mark.parametrize("group", GROUPS)
def test_positions_take_hostile_text_that_the_grammars_take(group):
    """A position whose policies are all refused would test nothing."""
    for position in GROUPS[group]:
        texts = [text for text in HOSTILE if position.fits(text)]
        assert len(texts) >= 15, position.name
        for text in texts:
            EffectivePolicy(position.put(FULL, text)).statements  # noqa: B018 - parses every entry
