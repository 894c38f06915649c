"""What surprises in Kubernetes, each a test."""

import copy
import json

import msgspec
import pytest

from tappass_host.policy import actions as a
from tappass_host.policy import model as m
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import RenderError
from tappass_host.providers.kernel.k8s_netpol_gatekeeper import programs, provider, reader
from tappass_host.providers.kernel.k8s_netpol_gatekeeper.conformance import SETTINGS
from tappass_host.sdk.changes import changes
from tappass_host.sdk.contract import TargetCapabilities
from tappass_host.sdk.kit.reference import REFERENCE, policy

GATEKEEPER = {"admission": "gatekeeper"}
CILIUM = {"cni": "cilium"}
PROXY = {"proxy": {"namespace": "egress"}}


def render(options=None, **aspects):
    chosen = msgspec.convert(options or {}, provider.K8sOptions)
    return provider.render(
        EffectivePolicy(policy(**aspects)), TargetCapabilities(version="1.37", options=chosen)
    )


def spec(config, name):
    return config.artifact(name).doc["spec"]


def names(config):
    return [artifact.id for artifact in config.artifacts]


def claim(config, statement):
    return next(c for c in config.claims if c.statement == statement)


def permits(config, action):
    return reader.read(config.artifacts).permits(action).effect


# Network.


def test_every_pod_is_selected_whatever_its_labels():
    config = render({**PROXY, **CILIUM}, network=m.Network(allow_domains=("a.x.org",)))
    assert spec(config, "default-deny")["podSelector"] == {}
    assert spec(config, "egress")["podSelector"] == {}
    assert spec(config, "cilium")["endpointSelector"] == {}


def test_the_proxy_is_one_peer():
    """Two peers would let through every pod of the namespace, and every pod with the label."""
    (rule,) = spec(render(PROXY, network=m.Network()), "egress")["egress"]
    (peer,) = rule["to"]
    assert set(peer) == {"namespaceSelector", "podSelector"}


def test_a_range_is_cut_by_what_is_local():
    config = render(network=m.Network(allow_cidrs=("8.0.0.0/6:443",)))
    (rule,) = spec(config, "egress")["egress"]
    assert rule["to"] == [{"ipBlock": {"cidr": "8.0.0.0/6", "except": ["10.0.0.0/8"]}}]
    assert permits(config, a.Connect(host="9.1.2.3")) == "allow"
    assert permits(config, a.Connect(host="10.1.2.3")) == "deny"


def test_a_local_range_is_not_opened():
    config = render(network=m.Network(allow_cidrs=("10.0.0.0/8",)))
    assert "egress" not in names(config)
    assert claim(config, "network.allow_cidrs[10.0.0.0/8]").verdict == "unenforceable"


def test_an_open_network_leaves_local_addresses_and_udp_shut():
    config = render(network=m.Network(default="allow"))
    assert permits(config, a.Connect(host="a.example.com", port=22)) == "allow"
    assert permits(config, a.Connect(host="192.0.2.1", port=22)) == "allow"
    assert permits(config, a.Connect(host="10.0.0.1")) == "deny"
    assert permits(config, a.Connect(host="169.254.169.254", port=80)) == "deny"
    assert permits(config, a.Connect(host="a.example.com", protocol="udp")) == "deny"


def test_local_addresses_can_be_opened_and_nothing_else():
    config = render(network=m.Network(local="allow"))
    assert permits(config, a.Connect(host="10.0.0.1", port=5432)) == "allow"
    assert permits(config, a.Connect(host="192.0.2.1")) == "deny"


def test_names_need_cilium_or_the_proxy():
    network = m.Network(allow_domains=("*.example.com",))
    assert claim(render(network=network), "network.allow_domains[*.example.com]").verdict == "unenforceable"
    config = render(CILIUM, network=network)
    assert claim(config, "network.allow_domains[*.example.com]").verdict == "enforced"
    assert permits(config, a.Connect(host="b.a.example.com")) == "allow"
    assert permits(config, a.Connect(host="example.com")) == "deny"
    assert permits(config, a.Connect(host="a.example.com", port=22)) == "deny"


def test_cilium_needs_to_see_look_ups_and_that_is_a_way_out():
    config = render(CILIUM, network=m.Network(allow_domains=("a.x.org",)))
    assert any("toEndpoints" in rule for rule in spec(config, "cilium")["egress"])
    assert "look-up" in claim(config, "network.other").reason
    assert "look-up" not in claim(render(network=m.Network()), "network.other").reason


def test_a_wildcard_that_holds_a_denied_name_is_not_granted():
    network = m.Network(allow_domains=("*.example.com", "a.x.org"), deny_domains=("bad.example.com",))
    config = render(CILIUM, network=network)
    assert permits(config, a.Connect(host="a.example.com")) == "deny"
    assert permits(config, a.Connect(host="a.x.org")) == "allow"


def test_what_is_claimed_of_packets_depends_on_the_cluster():
    requires = claim(render(PROXY, network=m.Network()), "network.default[deny]").reach.requires
    assert [type(requirement).__name__ for requirement in requires] == ["Fact", "Component"]


# Pods.


@pytest.mark.parametrize("options", [{}, GATEKEEPER], ids=["vap", "gatekeeper"])
def test_writing_is_held_and_reading_the_image_is_not(options):
    config = render(options, filesystem=m.Filesystem(workspace="/ws", deny_paths=("/etc/shadow",)))
    assert permits(config, a.File(op="write", path="/ws/x")) == "allow"
    assert permits(config, a.File(op="write", path="/wsx")) == "deny"
    assert permits(config, a.File(op="write", path="/dev/shm/x")) == "allow"
    assert permits(config, a.File(op="move", path="/ws/x", to="/etc/x")) == "deny"
    assert permits(config, a.File(op="read", path="/etc/shadow")) == "allow"
    assert claim(config, "filesystem.default[deny]").verdict == "partial"
    assert claim(config, "filesystem.deny_paths[/etc/shadow]").verdict == "unenforceable"


def test_an_open_default_refuses_no_pod():
    config = render(filesystem=m.Filesystem(default="allow", read_only=("/ws",), read_write=("/ws/a",)))
    assert names(config) == ["namespace"]
    assert claim(config, "filesystem.read_only[/ws]").verdict == "unenforceable"


def test_a_program_is_the_same_for_every_policy():
    found = set()
    for doc in REFERENCE.values():
        for options in ({}, GATEKEEPER):
            config = provider.render(
                EffectivePolicy(doc),
                TargetCapabilities(version="1.37", options=msgspec.convert(options, provider.K8sOptions)),
            )
            if "template" in names(config):
                found.add(json.dumps(config.artifact("template").doc))
            if "admission" in names(config):
                expressions = {v["expression"] for v in spec(config, "admission")["validations"]}
                assert expressions <= {program.expression for program in programs.CEL.values()}
    assert len(found) == 1


@pytest.mark.parametrize("text", ['"', "'", "\\x", "é", "]", "', true) || ('", "${x}", "a b"])
def test_a_path_is_a_value_of_a_program(text):
    rule = f"/ws/{text}" if "\\" not in text else "/ws/?x"
    config = render(filesystem=m.Filesystem(workspace="/ws", read_write=(rule,) if "?" not in rule else ()))
    (writable,) = [v for v in spec(config, "admission")["variables"] if v["name"] == "writable"]
    assert json.loads(writable["expression"])[0] == "/ws"
    reader.read(config.artifacts)


@pytest.mark.parametrize(("uid", "verdict"), [(0, "unenforceable"), (1000, "enforced")])
def test_restricted_pods_do_not_run_as_root(uid, verdict):
    config = render(process=m.Process(run_as_uid=uid))
    assert claim(config, f"process.run_as_uid[{uid}]").verdict == verdict


def test_no_limit_at_all_cannot_be_said():
    config = render(process=m.Process(memory_mb=0, cpu_percent=50))
    assert claim(config, "process.memory_mb[0]").verdict == "unenforceable"
    assert spec(config, "limits")["limits"][0] == {"type": "Pod", "max": {"cpu": "500m"}}


def test_gatekeeper_has_to_fail_closed_and_the_api_server_does():
    (fact,) = claim(
        render(GATEKEEPER, process=m.Process(run_as_uid=1)), "process.run_as_uid[1]"
    ).reach.requires
    assert fact.arg == "gatekeeper_fails_closed"
    config = render(process=m.Process(run_as_uid=1))
    assert claim(config, "process.run_as_uid[1]").reach.requires == ()
    assert spec(config, "admission")["failurePolicy"] == "Fail"


def test_packets_change_at_once_and_pods_when_they_are_made():
    before = render(network=m.Network(allow_cidrs=("192.0.2.0/24",)), process=m.Process(memory_mb=1))
    packets = render(network=m.Network(allow_cidrs=("192.0.3.0/24",)), process=m.Process(memory_mb=1))
    pods = render(network=m.Network(allow_cidrs=("192.0.2.0/24",)), process=m.Process(memory_mb=2))
    effects = provider.INFO.effects

    def effect(after):
        found = changes(before.artifacts, after.artifacts, effects).entries
        return {c.effect for c in found if "annotations" not in c.locator}

    assert effect(packets) == {"live"}
    assert effect(pods) == {"sandbox_recreate"}


@pytest.mark.parametrize("name", ["Agents", "", "a b", "-a", "a" * 64, "a.b"])
def test_what_is_no_name_of_a_namespace_is_refused(name):
    with pytest.raises(RenderError):
        render({"namespace": name})


def test_a_parameter_left_over_is_refused():
    with pytest.raises(RenderError, match="not an absolute path"):
        render(filesystem=m.Filesystem(workspace="${workspace}"))


# The reader.


def set_at(*path):
    *heads, last, value = path

    def change(doc):
        node = doc
        for part in heads:
            node = node[part]
        node[last] = value

    return change


SPOILED = {
    "a field that is none": ("egress", set_at("spec", "egres", [])),
    "another kind": ("egress", set_at("kind", "Pod")),
    "another version": ("egress", set_at("apiVersion", "networking.k8s.io/v2")),
    "another namespace": ("egress", set_at("metadata", "namespace", "other")),
    "a name that is none": ("egress", set_at("metadata", "name", "Egress")),
    "a direction that is none": ("egress", set_at("spec", "policyTypes", ["Outgress"])),
    "a port that is none": ("egress", set_at("spec", "egress", [{"ports": [{"port": 70000}]}])),
    "pods of the host": ("namespace", set_at("metadata", "labels", {})),
    "a failure that lets in": ("admission", set_at("spec", "failurePolicy", "Ignore")),
    "an expression nobody has read": ("admission", set_at("spec", "validations", 0, "expression", "true")),
    "fewer containers": ("admission", set_at("spec", "variables", 0, "expression", "object.spec.containers")),
    "a variable that is no literal": ("admission", set_at("spec", "variables", 1, "expression", "1 + 1")),
    "containers that are added later": (
        "admission",
        set_at("spec", "matchConstraints", "resourceRules", 0, "resources", ["pods"]),
    ),
    "a binding that only warns": ("binding", set_at("spec", "validationActions", ["Warn"])),
    "a binding of another policy": ("binding", set_at("spec", "policyName", "other")),
    "a constraint that only reports": ("constraint", set_at("spec", "enforcementAction", "dryrun")),
    "a constraint of nothing": ("constraint", set_at("spec", "match", "kinds", [])),
    "a parameter that is none": ("constraint", set_at("spec", "parameters", {"user": 1})),
    "a program nobody has read": (
        "template",
        set_at("spec", "targets", 0, "code", 0, "source", "rego", "package x"),
    ),
    "another language": ("template", set_at("spec", "targets", 0, "code", 0, "source", "version", "v0")),
    "a template of another name": ("template", set_at("metadata", "name", "other")),
}


@pytest.mark.parametrize(("name", "spoil"), SPOILED.values(), ids=SPOILED)
def test_the_reader_refuses_what_the_cluster_would_not_hold(name, spoil):
    options = GATEKEEPER if name in ("template", "constraint") else {}
    config = render(
        options, network=m.Network(allow_cidrs=("192.0.2.0/24",)), process=m.Process(run_as_uid=1000)
    )
    reader.read(config.artifacts)
    changed = []
    for artifact in config.artifacts:
        doc = copy.deepcopy(artifact.doc)
        if artifact.id == name:
            spoil(doc)
            assert doc != artifact.doc
        changed.append(msgspec.structs.replace(artifact, doc=doc))
    with pytest.raises(RenderError):
        reader.read(changed)


@pytest.mark.parametrize(("name", "options"), [("binding", {}), ("template", GATEKEEPER)])
def test_half_of_a_pair_is_nothing(name, options):
    config = render(options, process=m.Process(run_as_uid=1000))
    with pytest.raises(RenderError):
        reader.read([artifact for artifact in config.artifacts if artifact.id != name])


def test_every_target_of_the_kit_is_another_set_of_objects():
    made = [
        tuple(names(provider.render(EffectivePolicy(REFERENCE["full"]), t))) for t in SETTINGS.capabilities
    ]
    assert len(set(made)) == len(made)
