"""Who goes through a service is read off what was rendered."""

import pytest

from tappass_host.compiler.recipe import Recipe, Use, normal
from tappass_host.compiler.topology import Topology
from tappass_host.compiler.wiring import offers_of, wired
from tappass_host.sdk.artifacts import Artifact, Endpoint, Launch
from tappass_host.sdk.contract import Need, TargetConfig

AT = Endpoint(id="gate-1", unix="/run/gate.sock", tcp="127.0.0.1:4000")
SPEAKS = [
    ("a URL", {"a": {"b": ["http://127.0.0.1:4000/v1"]}}, True),
    ("a longer port", {"a": "127.0.0.1:40001"}, False),
    ("another address", {"a": "10.127.0.0.1:4000"}, False),
    ("the socket", {"a": ["--bind", "/run/gate.sock", "/x"]}, True),
    ("in a longer text", {"a": "unix:/run/gate.sock?mode=1"}, True),
    ("another socket", {"a": "/run/gate.sock.old"}, False),
    ("the socket of another root", {"a": "/var/run/gate.sock"}, False),
    ("a sentence", {"a": "goes to /run/gate.sock."}, True),
    ("the endpoint itself", {"a": Endpoint(id="gate-1")}, True),
    ("another endpoint", {"a": Endpoint(id="gate-2")}, False),
    ("a launch", Launch(program="x", env={"URL": "http://127.0.0.1:4000"}), True),
    ("nothing", {}, False),
]


def pairs(fakes, doc, *, needs=()):
    uses = (
        Use(id="agent", provider="agent", inside="box"),
        Use(id="box", provider="box"),
        Use(id="calc", provider="calc"),
        Use(id="gate", provider="gate"),
    )
    topology = Topology(normal(Recipe(name="x", uses=uses)), fakes.providers)
    box = TargetConfig(artifacts=(Artifact(id="x", doc=doc),), needs=needs)
    configs = dict.fromkeys(("agent", "calc"), TargetConfig())
    return wired(topology, {**configs, "box": box, "gate": TargetConfig(offers=(AT,))})


@pytest.mark.parametrize(("name", "doc", "speaks"), SPEAKS, ids=[c[0] for c in SPEAKS])
def test_what_speaks_of_a_service(fakes, name, doc, speaks):
    expected = {("gate", "box"), ("gate", "agent")} if speaks else set()
    assert pairs(fakes, doc) == expected


def test_a_need_speaks_too(fakes):
    assert ("gate", "box") in pairs(fakes, {}, needs=(Need("connect", "127.0.0.1:4000", "why"),))


def test_offers_are_found_by_provider_and_by_their_own_id():
    other = Endpoint(id="admin", unix="/run/admin.sock")
    assert offers_of("gate", TargetConfig(offers=(AT, other))) == {"gate": AT, "gate-1": AT, "admin": other}
    assert offers_of("gate", TargetConfig()) == {}
