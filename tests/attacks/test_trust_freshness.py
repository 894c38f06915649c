"""Freeze attacks: an old policy that still verifies, held in place by silence or by replay."""

import pytest

from tappass_host.policy.errors import (
    AudienceError,
    EnvelopeError,
    EquivocationError,
    ExpiredError,
    GrammarError,
    NotYetValidError,
    OrgMismatchError,
    RollbackError,
    SchemaError,
    SignatureError,
    StaleError,
)

DAY = 86_400


@pytest.fixture
def policy(sim):
    return sim.accept(sim.publish())


# name: (age of the statement in seconds, state or error); 3600 s may it be old, 600 s more in grace.
AGES = {
    "new": (0, "fresh"),
    "as old as allowed": (3600, "fresh"),
    "in grace": (3601, "grace"),
    "the last second of grace": (4200, "grace"),
    "frozen": (4201, StaleError),
    "frozen for a year": (365 * DAY, StaleError),
    "signer's clock a little ahead": (-300, "fresh"),
    "signed for the future": (-301, NotYetValidError),
}


@pytest.mark.parametrize("name", AGES)
def test_age(sim, policy, name):
    age, expected = AGES[name]
    data = sim.statement(policy, age=age)
    if isinstance(expected, str):
        fresh = sim.freshness(data, policy)
        assert fresh.state == expected
        assert fresh.stale_at == sim.now - age + 4200
    else:
        with pytest.raises(expected) as caught:
            sim.freshness(data, policy)
        assert caught.value.pointer == "/issued_at"


def test_replayed_statement_grows_old(sim, policy):
    data = sim.statement(policy)
    assert sim.freshness(data, policy)
    sim.now += 4201
    with pytest.raises(StaleError):
        sim.freshness(data, policy)


def test_newer_policy_held_back(sim, policy):
    with pytest.raises(StaleError, match="version 6 is in force, here is 5"):
        sim.freshness(sim.statement(policy, version=6), policy)


def test_statement_about_an_older_policy(sim, policy):
    old = sim.statement(policy)
    newer = sim.accept(sim.publish(version=6))
    with pytest.raises(RollbackError):
        sim.freshness(old, newer)


def test_statement_about_other_bytes(sim, policy):
    with pytest.raises(EquivocationError) as caught:
        sim.freshness(sim.statement(policy, digest="sha256:" + "0" * 64), policy)
    assert caught.value.pointer == "/digest"


def test_statement_about_another_audience(sim, policy):
    other = sim.verify(sim.publish(audience={"sandbox_id": "box-1"}))
    with pytest.raises(AudienceError):
        sim.freshness(sim.statement(other), policy)


def test_statement_of_another_org(sim, policy, other_org):
    with pytest.raises(SignatureError):
        sim.freshness(other_org.statement(other_org.accept(other_org.publish())), policy)
    with pytest.raises(OrgMismatchError):
        sim.freshness(sim.statement(policy, org_id="globex"), policy)


def test_policy_and_root_keys_cannot_say_fresh(sim, policy):
    for signers in (["p1", "p2"], ["r1", "r2"]):
        with pytest.raises(SignatureError):
            sim.freshness(sim.statement(policy, signers=signers), policy)


def test_policy_as_statement_and_statement_as_policy(sim, policy):
    with pytest.raises(EnvelopeError, match="payload type"):
        sim.freshness(sim.publish(signers=["f1"]), policy)
    with pytest.raises(EnvelopeError, match="payload type"):
        sim.verify(sim.statement(policy, signers=["p1", "p2"]))


def test_freshness_key_that_has_expired(sim):
    sim.expiry["f1"] = sim.at(1)
    sim.repin()
    policy = sim.accept(sim.publish())
    sim.now += DAY
    with pytest.raises(SignatureError, match="expired keys"):
        sim.freshness(sim.statement(policy), policy)


def test_root_that_has_expired(sim, policy):
    sim.now += 365 * DAY
    with pytest.raises(ExpiredError):
        sim.freshness(sim.statement(policy), policy)


def test_root_that_trusts_nobody_with_freshness(sim):
    del sim.members["freshness"]
    sim.repin()
    policy = sim.accept(sim.publish())
    with pytest.raises(SignatureError, match="trusts nobody with the role freshness"):
        sim.freshness(sim.statement(policy), policy)


BENT = {
    "other schema": ({"schema": "tappass.freshness/v2"}, SchemaError, "/schema"),
    "unknown field": ({"until": "x"}, SchemaError, "/until"),
    "version as text": ({"version": "5"}, SchemaError, "/version"),
    "issued_at that is no instant": ({"issued_at": "now"}, GrammarError, "/issued_at"),
}


@pytest.mark.parametrize("name", BENT)
def test_bent_statement(sim, policy, name):
    changes, error, where = BENT[name]
    with pytest.raises(error) as caught:
        sim.freshness(sim.statement(policy, **changes), policy, source="fresh.json")
    assert (caught.value.pointer, caught.value.source) == (where, "fresh.json")


def test_a_statement_restores_a_lost_floor(sim, policy):
    """Signed by another role, it is cleared when *that* role's key is removed."""
    sim.floors = {policy.floor_key: sim.freshness(sim.statement(policy), policy).floor}
    with pytest.raises(RollbackError):
        sim.verify(sim.publish(version=4))
    sim.members["policy"] = ["p1", "p2"]
    sim.rotate(sim.root_envelope(2))
    assert policy.floor_key in sim.floors
    sim.members["freshness"] = ["f2"]
    sim.rotate(sim.root_envelope(3))
    assert sim.floors == {}
