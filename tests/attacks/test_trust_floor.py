"""Attacks with the past: rollback, equivocation, and a floor raised out of reach."""

import msgspec
import pytest

from tappass_host.policy.errors import EquivocationError, RollbackError, TrustError
from tappass_host.policy.trust.floor import Floor, check_floor, strictest

MAX_VERSION = 2**53 - 1


def test_rollback(sim):
    older = sim.publish(version=4)
    sim.accept(older)
    sim.accept(sim.publish(version=5))
    with pytest.raises(RollbackError, match="version 4 is below 5") as caught:
        sim.verify(older)
    assert caught.value.pointer == "/version"


def test_equivocation(sim):
    sim.accept(sim.publish())
    with pytest.raises(EquivocationError, match="version 5 was accepted as sha256:"):
        sim.verify(sim.publish(project_id="api"))


def test_replay_of_the_accepted_policy_changes_nothing(sim):
    data = sim.publish()
    sim.accept(data)
    before = dict(sim.floors)
    sim.accept(data)
    assert sim.floors == before


def test_same_policy_signed_by_others_is_the_same_policy(sim):
    sim.accept(sim.publish())
    assert sim.accept(sim.publish(signers=["p2", "p3"]))


def test_a_refused_policy_leaves_no_floor(sim):
    for data in (sim.publish(version=9, org_id="globex"), sim.publish(version=9, expires_at=sim.at(-1))):
        with pytest.raises(TrustError, match=r"globex|expired"):
            sim.accept(data)
    assert sim.floors == {}
    assert sim.accept(sim.publish(version=1))


def test_each_audience_has_its_own_floor(sim):
    sim.accept(sim.publish(version=9))
    assert sim.accept(sim.publish(version=3, audience={"sandbox_id": "box-1"}))
    assert len(sim.floors) == 2


def test_an_audience_spelled_otherwise_is_the_same(sim):
    """Empty fields or another key order must not open a second, lower floor."""
    sim.accept(sim.publish(version=9, audience={"host_class": "ci", "labels": {"env": "prod"}}))
    for audience in (
        {"labels": {"env": "prod"}, "host_class": "ci"},
        {"sandbox_id": "", "host_class": "ci", "labels": {"env": "prod"}},
    ):
        with pytest.raises(RollbackError):
            sim.verify(sim.publish(version=8, audience=audience))


def test_the_key_of_a_floor_names_only_what_the_audience_names(sim):
    assert sim.accept(sim.publish()).floor_key.audience == '{"host_class":"ci"}'
    assert sim.accept(sim.publish(audience={})).floor_key.audience == "{}"


def test_each_org_and_root_has_its_own_floor(sim, other_org):
    other_org.accept(other_org.publish(version=9))
    sim.floors = dict(other_org.floors)
    assert sim.accept(sim.publish(version=3))
    assert {key.org_id for key in sim.floors} == {"acme", "globex"}
    assert len({key.root for key in sim.floors}) == 2


def test_the_floor_outlives_a_rotation(sim):
    sim.accept(sim.publish(version=9))
    sim.rotate(sim.root_envelope(2))
    with pytest.raises(RollbackError):
        sim.verify(sim.publish(version=8))


def test_removing_a_key_clears_the_floor_that_it_set(sim):
    """A thief of p1 and p2 jumps to the last version there is; the org must be able to come back."""
    sim.accept(sim.publish(version=9, signers=["p1", "p2"]))
    sim.accept(sim.publish(version=MAX_VERSION, signers=["p1", "p2"]))
    sim.members["policy"] = ["p3", "p4"]
    sim.rotate(sim.root_envelope(2))
    assert sim.floors == {}
    assert sim.accept(sim.publish(version=10, signers=["p3", "p4"]))


def test_removing_one_of_two_stolen_keys_clears_it_too(sim):
    sim.accept(sim.publish(version=MAX_VERSION, signers=["p1", "p2"]))
    sim.members["policy"] = ["p2", "p3"]
    sim.rotate(sim.root_envelope(2))
    assert sim.accept(sim.publish(version=10, signers=["p2", "p3"]))


def test_removing_a_key_keeps_the_floors_of_the_others(sim):
    sim.accept(sim.publish(version=9, signers=["p1", "p2"]))
    sim.members["policy"] = ["p1", "p2"]
    sim.rotate(sim.root_envelope(2))
    with pytest.raises(RollbackError):
        sim.verify(sim.publish(version=8))


def test_a_floor_that_enough_remaining_keys_also_set_stands(sim):
    """Otherwise removing any co-signer would let every older policy back in."""
    sim.accept(sim.publish(version=9, signers=["p1", "p2", "p3"]))
    sim.members["policy"] = ["p2", "p3"]
    sim.rotate(sim.root_envelope(2))
    with pytest.raises(RollbackError):
        sim.verify(sim.publish(version=8, signers=["p2", "p3"]))


def test_a_rotation_does_not_touch_the_floors_of_another_org(sim, other_org):
    sim.accept(sim.publish())
    other_org.accept(other_org.publish())
    sim.floors |= other_org.floors
    sim.members["policy"] = ["p4", "p5"]
    sim.rotate(sim.root_envelope(2))
    assert sim.floors == other_org.floors


def test_losing_some_stores_lowers_nothing():
    high, low = Floor(9, "sha256:b", ("k",)), Floor(8, "sha256:a", ("k",))
    assert strictest([None, low, high]) == strictest([high, None, low]) == high
    assert strictest([high, high]) == high
    assert strictest([None, None]) is None
    assert strictest([]) is None


def test_stores_that_disagree_about_one_version():
    one, two = Floor(9, "sha256:b", ("k",)), Floor(9, "sha256:c", ("k",))
    with pytest.raises(EquivocationError):
        strictest([one, None, two])


@pytest.mark.parametrize("version", [6, 7, MAX_VERSION])
def test_a_higher_version_may_skip(version):
    check_floor(version, "sha256:x", Floor(5, "sha256:y", ("k",)))


def test_a_floor_can_be_written_down_and_read_back(sim):
    verified = sim.accept(sim.publish())
    for value in (verified.floor, verified.floor_key):
        assert msgspec.json.decode(msgspec.json.encode(value), type=type(value)) == value
