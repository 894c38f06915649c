"""What surprises in OpenShell, each a test."""

import copy

import msgspec
import pytest

from tappass_host.policy import actions as a
from tappass_host.policy import model as m
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import RenderError
from tappass_host.providers.kernel.openshell import provider, reader
from tappass_host.sdk.changes import changes
from tappass_host.sdk.contract import TargetCapabilities
from tappass_host.sdk.kit.reference import REFERENCE, policy

TARGET = TargetCapabilities(version="0.1.5")


def render(target=TARGET, **aspects):
    return provider.render(EffectivePolicy(policy(**aspects)), target)


def document(config):
    return config.artifact("policy").doc


def claim(config, statement):
    return next(c for c in config.claims if c.statement == statement)


def test_any_depth_is_two_stars_and_the_apex_is_not_below_itself():
    config = render(network=m.Network(allow_domains=("*.example.com",)))
    (endpoint,) = document(config)["network_policies"]["tappass"]["endpoints"]
    assert endpoint["host"] == "**.example.com"
    native = reader.read(config.artifacts)
    assert native.permits(a.Connect(host="b.a.example.com")).effect == "allow"
    assert native.permits(a.Connect(host="example.com")).effect == "deny"
    assert native.permits(a.Connect(host="a.example.com", port=22)).effect == "deny"


def test_what_is_enforced_is_said_on_every_endpoint():
    for doc in REFERENCE.values():
        config = provider.render(EffectivePolicy(doc), TARGET)
        for entry in document(config)["network_policies"].values():
            assert {endpoint["enforcement"] for endpoint in entry["endpoints"]} == {"enforce"}
            assert entry["binaries"] == [{"path": "/**"}]


def test_a_grant_that_holds_something_denied_is_not_given():
    config = render(filesystem=m.Filesystem(workspace="/ws", deny_paths=("/ws/secret",)))
    assert document(config)["filesystem_policy"] == {"include_workdir": False}
    assert claim(config, "filesystem.workspace[/ws]").verdict == "unenforceable"
    assert claim(config, "filesystem.deny_paths[/ws/secret]").verdict == "enforced"


def test_a_denied_pattern_reaches_into_grants_further_in():
    files = m.Filesystem(read_write=("/ws/a", "/opt"), deny_paths=("/ws/**/.env",))
    assert document(render(filesystem=files))["filesystem_policy"]["read_write"] == ["/opt"]


def test_a_denied_path_in_the_baseline_is_unenforceable():
    config = render(filesystem=m.Filesystem(deny_paths=("/etc/shadow",)))
    assert claim(config, "filesystem.deny_paths[/etc/shadow]").verdict == "unenforceable"
    assert "/etc" in claim(config, "filesystem.default[deny]").reason


def test_an_open_default_leaves_everything_shut_and_its_denies_hold():
    config = render(
        filesystem=m.Filesystem(default="allow", deny_paths=("/home/u/.ssh",)),
        network=m.Network(default="allow", deny_domains=("bad.example.com",)),
    )
    assert claim(config, "filesystem.default[allow]").verdict == "unenforceable"
    assert claim(config, "filesystem.deny_paths[/home/u/.ssh]").verdict == "enforced"
    assert claim(config, "network.deny_domains[bad.example.com]").verdict == "enforced"


@pytest.mark.parametrize(
    ("uid", "verdict"), [(0, "unenforceable"), (1, "enforced"), (2**32, "unenforceable")]
)
def test_nothing_runs_as_root(uid, verdict):
    config = render(process=m.Process(run_as_uid=uid))
    assert claim(config, f"process.run_as_uid[{uid}]").verdict == verdict
    assert ("process" in document(config)) == (verdict == "enforced")


def test_a_range_of_private_addresses_is_not_opened():
    config = render(network=m.Network(allow_cidrs=("10.0.0.0/8", "192.0.2.0/24:443", "0.0.0.0/0")))
    (endpoint,) = document(config)["network_policies"]["tappass"]["endpoints"]
    assert endpoint == {"allowed_ips": ["192.0.2.0/24"], "ports": [443], "enforcement": "enforce"}


def test_at_most_256_paths():
    config = render(filesystem=m.Filesystem(read_only=tuple(f"/d/{i}" for i in range(300))))
    assert len(document(config)["filesystem_policy"]["read_only"]) == 256
    reader.read(config.artifacts)
    refused = [c for c in config.claims if c.verdict == "unenforceable" and "256" in c.reason]
    assert len(refused) == 44


def test_an_open_default_is_one_of_them():
    config = render(
        filesystem=m.Filesystem(default="read_only", read_write=tuple(f"/d/{i}" for i in range(256)))
    )
    assert document(config)["filesystem_policy"]["read_only"] == ["/"]
    assert len(document(config)["filesystem_policy"]["read_write"]) == 255
    reader.read(config.artifacts)


def test_everything_writable_is_refused():
    config = render(filesystem=m.Filesystem(read_write=("/",)))
    assert "read_write" not in document(config)["filesystem_policy"]


def test_hosts_change_at_once_and_files_do_not():
    before = render(network=m.Network(allow_domains=("a.x.org",)), filesystem=m.Filesystem(workspace="/ws"))
    hosts = render(network=m.Network(allow_domains=("b.x.org",)), filesystem=m.Filesystem(workspace="/ws"))
    files = render(network=m.Network(allow_domains=("a.x.org",)), filesystem=m.Filesystem(workspace="/w"))
    effects = provider.INFO.effects
    assert changes(before.artifacts, hosts.artifacts, effects).effect == "live"
    assert changes(before.artifacts, files.artifacts, effects).effect == "sandbox_recreate"


def test_both_lines_take_the_same_file():
    old = msgspec.structs.replace(TARGET, version="0.0.111")
    for doc in REFERENCE.values():
        both = [provider.render(EffectivePolicy(doc), target).artifacts for target in (TARGET, old)]
        assert both[0] == both[1]


@pytest.mark.parametrize("brand", ["openshell", "ryno"])
def test_the_brand_is_the_program_and_proposals_go_to_a_person(brand):
    options = provider.OpenShellOptions(brand=brand)
    launch = render(msgspec.structs.replace(TARGET, options=options)).artifact("launch").doc
    assert launch.program == brand
    assert launch.args[launch.args.index("--approval-mode") + 1] == "manual"


def test_a_parameter_left_over_is_refused():
    with pytest.raises(RenderError, match="not an absolute path"):
        render(filesystem=m.Filesystem(workspace="${workspace}"))


GOOD = {
    "version": 1,
    "filesystem_policy": {"read_only": ["/opt"], "read_write": ["/ws"]},
    "process": {"run_as_user": "1000"},
    "network_policies": {
        "x": {"endpoints": [{"host": "a.x.org", "ports": [443]}], "binaries": [{"path": "/**"}]}
    },
}
# What the vendor's parser or validation refuses: where, and what stands there.
REFUSED = {
    "another version": (("version",), 2),
    "no list of denied paths": (("filesystem_policy", "deny_paths"), ["/x"]),
    "no inference section": (("inference",), {}),
    "a relative path": (("filesystem_policy", "read_only"), ["ws"]),
    "a path that climbs": (("filesystem_policy", "read_only"), ["/ws/../etc"]),
    "everything writable": (("filesystem_policy", "read_write"), ["//"]),
    "257 paths": (("filesystem_policy", "read_only"), [f"/{i}" for i in range(256)]),
    "a long path": (("filesystem_policy", "read_only"), ["/" + "x" * 4096]),
    "root": (("process", "run_as_user"), "0"),
    "root by name": (("process", "run_as_user"), "root"),
    "the invalid identity": (("process", "run_as_group"), "4294967295"),
    "a reserved key": (("network_policies", "_provider_x"), {"endpoints": []}),
    "a bare binary": (("network_policies", "x", "binaries"), ["/**"]),
    "a key of the newer line": (("network_policies", "x", "mcp"), {"versions": []}),
    "every host": (("network_policies", "x", "endpoints", 0, "host"), "*"),
    "a top-level domain": (("network_policies", "x", "endpoints", 0, "host"), "**.com"),
    "a star further in": (("network_policies", "x", "endpoints", 0, "host"), "a.*.org"),
    "no port": (("network_policies", "x", "endpoints", 0, "ports"), []),
    "a port that is none": (("network_policies", "x", "endpoints", 0, "ports"), [70000]),
    "loopback": (("network_policies", "x", "endpoints", 0, "allowed_ips"), ["127.0.0.0/8"]),
    "an unknown mode": (("network_policies", "x", "endpoints", 0, "enforcement"), "on"),
    "an unknown compatibility": (("landlock",), {"compatibility": "strict"}),
}


@pytest.mark.parametrize(("path", "value"), REFUSED.values(), ids=REFUSED)
def test_the_reader_refuses_what_the_vendor_refuses(path, value):
    config = render()
    artifact = config.artifact("policy")
    reader.read([msgspec.structs.replace(artifact, doc=GOOD)])
    bad = copy.deepcopy(GOOD)
    node = bad
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = value
    with pytest.raises(RenderError):
        reader.read([msgspec.structs.replace(artifact, doc=bad)])
