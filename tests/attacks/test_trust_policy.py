"""Attacks with well-signed policies: for others, for another time, or no policy at all."""

import msgspec
import pytest

from tappass_host.policy.canonical import digest
from tappass_host.policy.errors import (
    AudienceError,
    CeilingError,
    ExpiredError,
    GrammarError,
    NotYetValidError,
    OrgMismatchError,
    RuntimeDigestError,
    SchemaError,
    SignatureError,
    WireError,
)
from tappass_host.policy.trust.window import phase, trusted_now

DAY = 86_400
OTHER = digest(b"a Runtime nobody reviewed")

# name: (changes to the head, error, pointer)
REFUSED = {
    "other schema": ({"schema": "tappass.compiled-policy/v2"}, SchemaError, "/schema"),
    "no schema": ({"schema": ...}, SchemaError, "/schema"),
    "version 0": ({"version": 0}, SchemaError, "/version"),
    "negative version": ({"version": -1}, SchemaError, "/version"),
    "version true": ({"version": True}, SchemaError, "/version"),
    "version as text": ({"version": "6"}, SchemaError, "/version"),
    "no version": ({"version": ...}, SchemaError, "/version"),
    "other org": ({"org_id": "globex"}, OrgMismatchError, "/org_id"),
    "org in capitals": ({"org_id": "ACME"}, OrgMismatchError, "/org_id"),
    "no org": ({"org_id": ...}, SchemaError, "/org_id"),
    "empty org": ({"org_id": ""}, SchemaError, "/org_id"),
    "other sandbox": ({"audience": {"sandbox_id": "box-2"}}, AudienceError, "/audience/sandbox_id"),
    "other class": ({"audience": {"host_class": "laptop"}}, AudienceError, "/audience/host_class"),
    "right sandbox of another class": (
        {"audience": {"sandbox_id": "box-1", "host_class": "laptop"}},
        AudienceError,
        "/audience/host_class",
    ),
    "label with another value": (
        {"audience": {"host_class": "ci", "labels": {"env": "dev"}}},
        AudienceError,
        "/audience/labels",
    ),
    "label this host lacks": ({"audience": {"labels": {"gpu": "yes"}}}, AudienceError, "/audience/labels"),
    "audience field that we cannot judge": ({"audience": {"region": "eu"}}, SchemaError, "/audience/region"),
    "label that is no text": ({"audience": {"labels": {"env": 1}}}, SchemaError, "/audience/labels/env"),
    "labels that are a list": ({"audience": {"labels": ["env"]}}, SchemaError, "/audience/labels"),
    "sandbox that is no text": ({"audience": {"sandbox_id": None}}, SchemaError, "/audience/sandbox_id"),
    "no audience": ({"audience": ...}, SchemaError, "/audience"),
    "unlisted Runtime": ({"runtimes": {"default": OTHER}}, RuntimeDigestError, "/runtimes"),
    "no Runtime listed": ({"runtimes": {}}, RuntimeDigestError, "/runtimes"),
    "no runtimes": ({"runtimes": ...}, SchemaError, "/runtimes"),
    "Runtime that is no text": ({"runtimes": {"a/b": 1}}, SchemaError, "/runtimes/a~1b"),
    "no expiry": ({"expires_at": ...}, SchemaError, "/expires_at"),
    "expiry as a number": ({"expires_at": 1_900_000_000}, SchemaError, "/expires_at"),
    "expiry with an offset": ({"expires_at": "2027-01-01T00:00:00+00:00"}, GrammarError, "/expires_at"),
    "no start": ({"not_before": ...}, SchemaError, "/not_before"),
    "retain without an end": ({"on_expiry": "retain"}, SchemaError, "/retain_until"),
    "unknown word on expiry": ({"on_expiry": "ignore"}, SchemaError, "/on_expiry"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(sim, name):
    changes, error, where = REFUSED[name]
    with pytest.raises(error) as caught:
        sim.verify(sim.publish(**changes), source="policy.json")
    assert caught.value.pointer == where
    assert caught.value.source == "policy.json"


ACCEPTED = {
    "the whole org": {"audience": {}},
    "empty fields say nothing": {"audience": {"sandbox_id": "", "host_class": "", "labels": {}}},
    "one sandbox": {"audience": {"sandbox_id": "box-1"}},
    "class and labels": {"audience": {"host_class": "ci", "labels": {"env": "prod"}}},
    "among several Runtimes": {"runtimes": {"a": OTHER, "b": digest(b"the Runtime of this host")}},
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(sim, name):
    assert sim.verify(sim.publish(**ACCEPTED[name])).head.version == 5


@pytest.mark.parametrize("payload", [b"[]", b"7", b'"policy"', b"null"])
def test_signed_json_that_is_no_object(sim, payload):
    with pytest.raises(SchemaError):
        sim.verify(sim.sign(payload, "policy", ["p1", "p2"]))


@pytest.mark.parametrize("payload", [b"", b"\xff", b'{"version": 1.0}', b"{}{}"])
def test_signed_bytes_that_are_no_strict_json(sim, payload):
    with pytest.raises(WireError):
        sim.verify(sim.sign(payload, "policy", ["p1", "p2"]))


def test_a_host_without_a_sandbox_is_no_wild_card(sim):
    host = msgspec.structs.replace(sim.host, sandbox_id="", host_class="", labels={})
    for audience in ({"sandbox_id": "box-1"}, {"host_class": "ci"}, {"labels": {"env": "prod"}}):
        with pytest.raises(AudienceError):
            sim.verify(sim.publish(audience=audience), host=host)


def test_key_of_one_org_on_the_policy_of_another(sim, other_org):
    """Globex signs a policy that claims to be Acme's, and Acme's host must not believe it; nor the reverse."""
    forged = other_org.publish(org_id="acme")
    with pytest.raises(SignatureError):
        sim.verify(forged)
    with pytest.raises(OrgMismatchError):
        other_org.verify(forged)


def test_a_host_of_one_org_under_the_root_of_another(sim, other_org):
    with pytest.raises(OrgMismatchError):
        other_org.verify(other_org.publish(), host=sim.host)
    with pytest.raises(OrgMismatchError):
        other_org.verify(other_org.publish(org_id="acme"), host=sim.host)


# Time. The window is [not_before, expires_at), judged at the now that the caller trusts.

WINDOW = {
    "a second early": (-DAY - 1, NotYetValidError),
    "the first second": (-DAY, None),
    "the last second": (90 * DAY - 1, None),
    "a second late": (90 * DAY, ExpiredError),
    "years late": (5000 * DAY, ExpiredError),
}


@pytest.mark.parametrize("name", WINDOW)
def test_window(sim, name):
    offset, error = WINDOW[name]
    sim.root = msgspec.structs.replace(sim.root, expires_at=sim.now + 10_000 * DAY)
    sim.now += offset
    if error is None:
        assert sim.verify(sim.publish())
    else:
        with pytest.raises(error):
            sim.verify(sim.publish())


def test_issued_at_opens_no_window(sim):
    with pytest.raises(ExpiredError):
        sim.verify(sim.publish(issued_at=sim.at(0), not_before=sim.at(-20), expires_at=sim.at(-10)))


def test_a_window_that_ends_before_it_starts(sim):
    with pytest.raises(NotYetValidError):
        sim.verify(sim.publish(not_before=sim.at(1), expires_at=sim.at(-1)))


RETAIN = {"on_expiry": "retain", "retain_until": "2026-07-01T00:00:00Z"}


def test_retention_keeps_what_is_in_force_and_adopts_nothing(sim):
    data = sim.publish(**RETAIN)
    sim.now += 100 * DAY
    with pytest.raises(ExpiredError):
        sim.verify(data)
    verified = sim.verify(data, active=True)
    assert phase(verified.head, sim.now) == "retained"
    sim.now = verified.head.retain_until
    with pytest.raises(ExpiredError):
        sim.verify(data, active=True)


def test_without_retention_an_active_policy_ends_too(sim):
    sim.now += 90 * DAY
    with pytest.raises(ExpiredError):
        sim.verify(sim.publish(), active=True)
    with pytest.raises(ExpiredError):
        sim.verify(sim.publish(retain_until="2027-01-01T00:00:00Z"), active=True)


def test_a_clock_set_back_revives_nothing(sim):
    data = sim.publish()
    seen = sim.now + 90 * DAY
    with pytest.raises(ExpiredError):
        sim.verify(data, now=trusted_now(sim.now, not_before=seen))
    assert trusted_now(seen + 1, not_before=seen) == seen + 1


# The root's ceiling: what a stolen policy key cannot say.

CEILINGS = {
    "other project": ({"projects": ["api"]}, {}, "/project_id"),
    "whole org where projects are named": ({"projects": ["web"]}, {"project_id": ...}, "/project_id"),
    "no project at all": ({"projects": []}, {}, "/project_id"),
    "other class": ({"host_classes": ["laptop"]}, {}, "/audience/host_class"),
    "whole org where classes are named": ({"host_classes": ["ci"]}, {"audience": {}}, "/audience/host_class"),
    "too long a life": ({"max_validity_s": 90 * DAY}, {}, "/expires_at"),
    "too long a retention": ({"max_validity_s": 92 * DAY}, RETAIN, "/expires_at"),
}


@pytest.mark.parametrize("name", CEILINGS)
def test_beyond_the_ceiling(sim, name):
    sim.ceiling, changes, where = CEILINGS[name]
    sim.repin()
    with pytest.raises(CeilingError) as caught:
        sim.verify(sim.publish(**changes))
    assert caught.value.pointer == where


def test_below_the_ceiling(sim):
    sim.ceiling = {"projects": ["web"], "host_classes": ["ci"], "max_validity_s": 91 * DAY}
    sim.repin()
    assert sim.verify(sim.publish())
