"""An organisation, its keys and one host, all in memory: each attack is a few lines.

In the manner of python-tuf's repository simulator. `sim` starts in a state where
`sim.verify(sim.publish())` succeeds; an attack changes one thing.
"""

import base64
import hashlib
import json

import msgspec
import pytest

from tappass_host.policy.canonical import canonical_bytes, digest
from tappass_host.policy.times import format_instant, parse_instant
from tappass_host.policy.trust.audience import Host
from tappass_host.policy.trust.dsse import PAYLOAD_TYPES, sign
from tappass_host.policy.trust.floor import surviving
from tappass_host.policy.trust.freshness import state_newest, verify_freshness
from tappass_host.policy.trust.keys import generate
from tappass_host.policy.trust.root import pin, rotate
from tappass_host.policy.trust.verify import verify_policy

NOW = parse_instant("2026-03-01T00:00:00Z")
DAY = 86_400
RUNTIME = digest(b"the Runtime of this host")


class Simulator:
    """Root: 2 of r1 r2. Policy: 2 of p1 p2 p3. Freshness: 1 of f1."""

    def __init__(self, org_id="acme"):
        self.org_id = org_id
        self.now = NOW
        self.thresholds = {"root": 2, "policy": 2, "freshness": 1}
        self.members = {"root": ["r1", "r2"], "policy": ["p1", "p2", "p3"], "freshness": ["f1"]}
        self.expiry = {}
        self.ceiling = {}
        self.host = Host(org_id, RUNTIME, sandbox_id="box-1", host_class="ci", labels={"env": "prod"})
        self.floors = {}
        self.root = pin(self.root_envelope(1), now=self.now)

    def key(self, name):
        return generate(hashlib.sha256(f"{self.org_id}/{name}".encode()).digest())

    def key_id(self, name):
        return self.key(name).public.key_id

    def at(self, days):
        """Write the instant that lies so many days from the start."""
        return format_instant(NOW + int(days * DAY))

    # What the organisation signs.

    def sign(self, payload, role, signers):
        return sign(payload, PAYLOAD_TYPES[role], [self.key(name) for name in signers])

    def head(self, **changes):
        head = {
            "schema": "tappass.compiled-policy/v1",
            "version": 5,
            "issued_at": self.at(-1),
            "not_before": self.at(-1),
            "expires_at": self.at(90),
            "org_id": self.org_id,
            "project_id": "web",
            "audience": {"host_class": "ci"},
            "runtimes": {"default": RUNTIME},
        } | changes
        return {name: value for name, value in head.items() if value is not ...}

    def publish(self, *, signers=("p1", "p2"), role="policy", **changes):
        return self.sign(canonical_bytes(self.head(**changes)), role, signers)

    def root_document(self, version, **changes):
        roles = {
            role: {"keys": [self._entry(name) for name in names], "threshold": self.thresholds[role]}
            for role, names in self.members.items()
        }
        return {
            "schema": "tappass.root/v1",
            "org_id": self.org_id,
            "version": version,
            "expires_at": self.at(365),
            "roles": roles,
            "ceiling": self.ceiling,
        } | changes

    def root_envelope(self, version, *, signers=None, **changes):
        document = self.root_document(version, **changes)
        return self.sign(canonical_bytes(document), "root", signers or self.members["root"])

    def statement(self, policy, *, age=0, signers=("f1",), role="freshness", **changes):
        statement = msgspec.to_builtins(state_newest(policy, issued_at=self.now - age)) | changes
        return self.sign(canonical_bytes(statement), role, signers)

    def _entry(self, name):
        entry = {"public": self.key(name).public.text}
        return entry | ({"expires_at": self.expiry[name]} if name in self.expiry else {})

    # What the host does.

    def verify(self, data, **changes):
        arguments = {"now": self.now, "floors": self.floors, "host": self.host} | changes
        return verify_policy(data, self.root, **arguments)

    def accept(self, data):
        verified = self.verify(data)
        self.floors[verified.floor_key] = verified.floor
        return verified

    def repin(self):
        """Enrol anew, after a change to members, thresholds, expiry or ceiling."""
        self.root = pin(self.root_envelope(1), now=self.now)

    def rotate(self, data):
        self.root = rotate(self.root, data, now=self.now)
        self.floors = surviving(self.floors, self.root)

    def freshness(self, data, policy, **changes):
        arguments = {"now": self.now, "max_age_s": 3600, "grace_s": 600} | changes
        return verify_freshness(data, self.root, policy, **arguments)

    # What an attacker does to bytes on the way.

    @staticmethod
    def edit(data, change):
        """Change the envelope's JSON and write it again."""
        envelope = json.loads(data)
        change(envelope)
        return json.dumps(envelope).encode()

    @classmethod
    def tamper(cls, data, old, new):
        """Replace bytes of the signed payload."""

        def change(envelope):
            payload = base64.b64decode(envelope["payload"])
            assert payload.count(old) == 1
            envelope["payload"] = base64.b64encode(payload.replace(old, new)).decode()

        return cls.edit(data, change)


@pytest.fixture
def sim():
    return Simulator()


@pytest.fixture
def other_org():
    return Simulator("globex")
