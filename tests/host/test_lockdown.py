"""The lock-down of a policy denies everything it manages, and every target can render it."""

from importlib import import_module

import pytest

from tappass_host.policy.effect import Effect
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.lockdown import lockdown_policy
from tappass_host.policy.model import ASPECTS
from tappass_host.policy.narrower import widenings
from tappass_host.policy.statements import statements
from tappass_host.policy.validate import canonicalise, check_grammar, check_meaning
from tappass_host.registry import api
from tappass_host.registry.builtin import package_of
from tappass_host.sdk.kit.reference import LOCKDOWN, REFERENCE
from tappass_host.sdk.kit.subject import settle
from tappass_host.sdk.kit.targets import default_target
from tappass_host.sdk.kit.universe import universe

FINISHED = [entry.id for entry in api.all() if entry.status == "ok"]


@pytest.mark.parametrize("name", REFERENCE)
def test_it_is_a_valid_policy_that_is_narrower_and_its_own_lockdown(name):
    policy = REFERENCE[name]
    locked = lockdown_policy(policy)
    check_grammar(locked)
    check_meaning(locked)
    assert canonicalise(locked) == locked
    assert widenings(policy, locked) == []
    assert lockdown_policy(locked) == locked


@pytest.mark.parametrize("name", REFERENCE)
def test_it_grants_nothing_and_manages_the_same_aspects(name):
    policy = REFERENCE[name]
    locked = lockdown_policy(policy)
    assert [
        s.id for s in statements(locked) if s.polarity == "grant" and s.field.split(".")[0] in ASPECTS
    ] == []
    for aspect in ASPECTS:
        managed = getattr(locked, aspect)
        assert (managed is None) == (getattr(policy, aspect) is None)
        assert managed is None or getattr(managed, "default", "deny") == "deny"
        assert managed is None or any(s.field.startswith(f"{aspect}.") for s in statements(locked))


@pytest.mark.parametrize("name", REFERENCE)
def test_head_and_identity_stay_and_it_always_enforces(name):
    policy = REFERENCE[name]
    locked = lockdown_policy(policy)
    for field in (
        "version",
        "issued_at",
        "not_before",
        "expires_at",
        "org_id",
        "audience",
        "runtimes",
        "chain",
    ):
        assert getattr(locked, field) == getattr(policy, field)
    assert locked.mode == "enforce"


def test_what_was_denied_by_name_stays_denied_by_name():
    locked = lockdown_policy(REFERENCE["full"])
    assert locked.filesystem.deny_paths == REFERENCE["full"].filesystem.deny_paths
    assert locked.network.deny_domains == ("bad.example.com",)
    assert locked.tools.deny == ("Bash(curl *)", "WebSearch")


def test_there_are_finished_providers():
    assert len(FINISHED) >= 4


@pytest.mark.parametrize("provider_id", FINISHED)
@pytest.mark.parametrize("name", ["full", "lockdown", "observe", "open"])
def test_every_finished_provider_renders_it_and_reads_it_back(provider_id, name):
    provider = api.get(provider_id)
    policy = EffectivePolicy(lockdown_policy(REFERENCE[name]))
    _, config = settle(provider.render, policy, default_target(provider.info))
    assert config.claims
    import_module(f"{package_of(provider_id)}.reader").read(config.artifacts)


@pytest.mark.parametrize("provider_id", FINISHED)
def test_that_of_a_rich_policy_is_as_shut_as_one_written_by_hand(provider_id):
    """What the reference lock-down refuses on a target, the one that was derived refuses there too."""
    provider = api.get(provider_id)
    reader = import_module(f"{package_of(provider_id)}.reader")
    target = default_target(provider.info)

    def ruled(policy):
        native = reader.read(settle(provider.render, EffectivePolicy(policy), target)[1].artifacts)
        rulings = {repr(action): native.permits(action) for action in universe()}
        return {action: ruling.effect for action, ruling in rulings.items() if ruling is not None}

    by_hand, derived = ruled(LOCKDOWN), ruled(lockdown_policy(REFERENCE["full"]))
    looser = {a for a, e in by_hand.items() if derived.get(a, Effect.ALLOW).strictness < e.strictness}
    assert by_hand
    assert looser == set()
