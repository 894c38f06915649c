"""Attacks on the root: who may replace it, by what, and what an expired one is worth."""

import base64

import pytest

from tappass_host.policy.canonical import canonical_bytes
from tappass_host.policy.errors import (
    EnvelopeError,
    EquivocationError,
    ExpiredError,
    GrammarError,
    KeyRefusedError,
    OrgMismatchError,
    RollbackError,
    RotationError,
    SchemaError,
    SignatureError,
    TrustError,
    WireError,
)
from tappass_host.policy.trust.root import parse_root, pin

DAY = 86_400


def test_control_a_rotation_to_new_keys(sim):
    sim.members["root"] = ["r3", "r4"]
    sim.rotate(sim.root_envelope(2, signers=["r1", "r2", "r3", "r4"]))
    assert sim.root.version == 2
    sim.rotate(sim.root_envelope(3))
    assert sim.root.version == 3
    assert sim.verify(sim.publish())


def test_lineage_outlives_rotation(sim):
    first = sim.root.digest
    sim.rotate(sim.root_envelope(2))
    assert sim.root.lineage == first != sim.root.digest


def test_not_signed_by_the_old_keys(sim):
    sim.members["root"] = ["r3", "r4"]
    with pytest.raises(SignatureError, match="0 of 2"):
        sim.rotate(sim.root_envelope(2))


def test_signed_by_too_few_of_the_old_keys(sim):
    sim.members["root"] = ["r2", "r3"]
    with pytest.raises(SignatureError, match="1 of 2"):
        sim.rotate(sim.root_envelope(2))


def test_not_signed_by_the_new_keys(sim):
    """Old keys alone could hand the org to keys that nobody holds."""
    sim.members["root"] = ["r3", "r4"]
    with pytest.raises(SignatureError, match="1 of 2"):
        sim.rotate(sim.root_envelope(2, signers=["r1", "r2", "r3"]))


def test_new_root_lowers_its_own_threshold_and_is_signed_by_one(sim):
    """The threshold that counts for the old keys is the old one."""
    sim.thresholds["root"] = 1
    with pytest.raises(SignatureError, match="1 of 2"):
        sim.rotate(sim.root_envelope(2, signers=["r1"]))


def test_skipped_version(sim):
    with pytest.raises(RotationError, match="root version 3, 1 is trusted: one was skipped") as caught:
        sim.rotate(sim.root_envelope(3))
    assert "version 2" in caught.value.remedy


def test_older_root(sim):
    first = sim.root_envelope(1)
    sim.rotate(sim.root_envelope(2))
    with pytest.raises(RollbackError):
        sim.rotate(first)


def test_removed_root_key_comes_back_with_an_old_root(sim):
    sim.members["root"] = ["r1", "r2", "r3"]
    second = sim.root_envelope(2)
    sim.rotate(second)
    sim.members["root"] = ["r2", "r3"]
    sim.rotate(sim.root_envelope(3))
    with pytest.raises(RollbackError):
        sim.rotate(second)
    with pytest.raises(SignatureError, match="1 of 2"):
        sim.rotate(sim.root_envelope(4, signers=["r1", "r2"]))


def test_other_root_of_the_same_version(sim):
    with pytest.raises(EquivocationError):
        sim.rotate(sim.root_envelope(1, expires_at=sim.at(400)))


def test_current_root_again_changes_nothing(sim):
    before = sim.root
    sim.rotate(sim.root_envelope(1))
    assert sim.root is before


def test_root_of_another_org_signed_with_our_keys(sim):
    with pytest.raises(OrgMismatchError):
        sim.rotate(sim.root_envelope(2, org_id="globex"))


def test_policy_keys_cannot_rotate(sim):
    with pytest.raises(SignatureError, match="0 of 2"):
        sim.rotate(sim.root_envelope(2, signers=["p1", "p2", "p3"]))


def test_policy_envelope_as_root(sim):
    with pytest.raises(EnvelopeError, match="payload type"):
        sim.rotate(sim.publish(signers=["r1", "r2"]))


def test_removed_policy_key(sim):
    data = sim.publish(signers=["p1", "p2"])
    sim.members["policy"] = ["p2", "p3"]
    sim.rotate(sim.root_envelope(2))
    with pytest.raises(SignatureError, match="1 of 2"):
        sim.verify(data)


def test_expired_root_key_cannot_rotate(sim):
    sim.expiry["r1"] = sim.at(10)
    sim.repin()
    data = sim.root_envelope(2)
    sim.now += 10 * DAY
    with pytest.raises(SignatureError, match="1 of 2"):
        sim.rotate(data)


def test_expired_root_verifies_nothing_but_can_be_rotated(sim):
    data = sim.publish(expires_at=sim.at(500))
    sim.now += 365 * DAY
    with pytest.raises(ExpiredError, match="root version 1"):
        sim.verify(data)
    sim.rotate(sim.root_envelope(2, expires_at=sim.at(700)))
    assert sim.verify(data)


def test_rotating_to_an_expired_root_gains_nothing(sim):
    """It may be a step towards a later one; until then nothing verifies."""
    sim.rotate(sim.root_envelope(2, expires_at=sim.at(-1)))
    with pytest.raises(ExpiredError, match="root version 2"):
        sim.verify(sim.publish())


def test_a_refused_root_changes_nothing(sim):
    before = sim.root
    for data in (sim.root_envelope(3), sim.root_envelope(2, signers=["p1"]), b"", b"{}"):
        with pytest.raises(TrustError):
            sim.rotate(data)
    assert sim.root is before
    assert sim.verify(sim.publish())


def test_first_root_must_be_signed_by_its_own_keys(sim, other_org):
    with pytest.raises(SignatureError):
        pin(sim.root_envelope(1, signers=["p1", "p2"]), now=sim.now)
    with pytest.raises(SignatureError):
        pin(sim.root_envelope(1, signers=["r1"]), now=sim.now)
    with pytest.raises(SignatureError):
        pin(other_org.sign(canonical_bytes(sim.root_document(1)), "root", ["r1", "r2"]), now=sim.now)


def test_first_root_that_has_expired(sim):
    with pytest.raises(ExpiredError):
        pin(sim.root_envelope(1, expires_at=sim.at(0)), now=sim.now)


def bend(document, where, value):
    *path, last = where
    for step in path:
        document = document[step]
    if value is ...:
        del document[last]
    else:
        document[last] = value


# name: (place, value or ... to leave it out, error, pointer)
BENT = {
    "other schema": (["schema"], "tappass.root/v2", SchemaError, "/schema"),
    "no schema": (["schema"], ..., SchemaError, "/schema"),
    "unknown field": (["note"], "x", SchemaError, "/note"),
    "version 0": (["version"], 0, SchemaError, "/version"),
    "version true": (["version"], True, SchemaError, "/version"),
    "empty org": (["org_id"], "", SchemaError, "/org_id"),
    "expiry with an offset": (["expires_at"], "2027-01-01T00:00:00+01:00", GrammarError, "/expires_at"),
    "no root role": (["roles", "root"], ..., SchemaError, "/roles/root"),
    "no policy role": (["roles", "policy"], ..., SchemaError, "/roles/policy"),
    "unknown role": (["roles", "admin"], {}, SchemaError, "/roles/admin"),
    "freshness null": (["roles", "freshness"], None, SchemaError, "/roles/freshness"),
    "no keys": (["roles", "policy", "keys"], [], SchemaError, "/roles/policy/keys"),
    "threshold 0": (["roles", "policy", "threshold"], 0, SchemaError, "/roles/policy/threshold"),
    "threshold nobody reaches": (["roles", "policy", "threshold"], 4, SchemaError, "/roles/policy/threshold"),
    "key without its name": (
        ["roles", "policy", "keys", 1, "public"],
        ...,
        SchemaError,
        "/roles/policy/keys/1/public",
    ),
    "key of another form": (
        ["roles", "root", "keys", 0, "public"],
        "ed25519:00",
        KeyRefusedError,
        "/roles/root/keys/0/public",
    ),
    "key expiry that is no instant": (
        ["roles", "root", "keys", 0, "expires_at"],
        "never",
        GrammarError,
        "/roles/root/keys/0/expires_at",
    ),
    "key expiry null": (
        ["roles", "root", "keys", 0, "expires_at"],
        None,
        SchemaError,
        "/roles/root/keys/0/expires_at",
    ),
    "unknown ceiling": (["ceiling", "tiers"], [], SchemaError, "/ceiling/tiers"),
    "ceiling null": (["ceiling", "projects"], None, SchemaError, "/ceiling/projects"),
    "lifetime 0": (["ceiling", "max_validity_s"], 0, SchemaError, "/ceiling/max_validity_s"),
}


@pytest.mark.parametrize("name", BENT)
def test_bent_root(sim, name):
    where, value, error, pointer = BENT[name]
    document = sim.root_document(2)
    bend(document, where, value)
    with pytest.raises(error) as caught:
        parse_root(canonical_bytes(document), source="root.json")
    assert caught.value.pointer == pointer
    assert caught.value.source == "root.json"


def test_duplicate_key_in_a_signed_root(sim):
    payload = canonical_bytes(sim.root_document(2)).replace(b'"version":2', b'"version":3,"version":2')
    with pytest.raises(WireError, match="duplicate key"):
        sim.rotate(sim.sign(payload, "root", ["r1", "r2"]))


def test_root_payload_changed_on_the_way(sim):
    def change(envelope):
        payload = base64.b64decode(envelope["payload"]).replace(b'"threshold":2', b'"threshold":1')
        envelope["payload"] = base64.b64encode(payload).decode()

    with pytest.raises(SignatureError):
        sim.rotate(sim.edit(sim.root_envelope(2), change))
