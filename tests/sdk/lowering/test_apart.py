"""Targets that judge tools apart from files and hosts, and targets that are blind to the ports of ranges."""

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.model import Filesystem, Network, Tools
from tappass_host.sdk.kit.reference import policy
from tappass_host.sdk.lowering import NetFeatures, ToolFeatures, lower_net, lower_tools
from tappass_host.sdk.lowering.net import PORT_BLIND

FEATURES = ToolFeatures(
    defaults=frozenset({"deny"}), unknown=frozenset({"deny"}), ask=False, specs=frozenset(), met=False
)
SAID = EffectivePolicy(
    policy(
        tools=Tools(allow=("Read", "WebFetch")),
        filesystem=Filesystem(workspace="/ws"),
        network=Network(allow_domains=("x.org",)),
    )
)


def test_apart_a_bare_rule_stays_bare():
    allowed = [str(i.value) for i in lower_tools(SAID, FEATURES) if i.op == "allow"]
    assert allowed == ["Read", "WebFetch"]


def test_apart_nothing_is_said_of_files_and_hosts():
    origins = {o for i in lower_tools(SAID, FEATURES) for o in i.origins}
    assert all(o.startswith("tools.") for o in origins)
    assert any(
        o.startswith("filesystem.") for i in lower_tools(SAID, FEATURES._replace(met=True)) for o in i.origins
    )


def test_apart_unmanaged_tools_yield_nothing():
    unmanaged = EffectivePolicy(policy(filesystem=Filesystem(workspace="/ws")))
    assert lower_tools(unmanaged, FEATURES) == []


def test_a_range_opens_every_port_of_a_target_that_knows_none():
    said = EffectivePolicy(policy(network=Network(allow_cidrs=("192.0.2.0/24:443",))))
    for cidrs, loss in ((True, PORT_BLIND), (False, "")):
        features = NetFeatures(domains="native", floor="nothing", ports=False, cidrs=cidrs)
        assert lower_net(said, features)[0].loss == loss
