"""Attack 18 for real: another process, another network namespace, the system's resolver and routing.

Beside each attempt stands what it comes to without a policy: an attempt that fails in both proves nothing,
and is here only where the namespace itself is what stops it.
"""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import tappass_host.dataplane

WORLD = Path(__file__).with_name("egress_world.py")
NAMESPACES = ["unshare", "--user", "--map-root-user", "--mount", "--net"]

EXPECTED = {
    # attempt: (with the policy, without one)
    "https good.test": (True, True),
    "http good.test": (True, True),
    "https evil.test": (False, True),
    "http evil.test": (False, True),
    "tls to evil.test through a tunnel to good.test": (False, True),
    "http to a name that leads to loopback": (False, True),
    "http 127.0.0.1": (False, True),
    "http 2130706433": (False, True),
    "http to the address of good.test": (False, True),
    "tcp without the proxy": (False, False),
    "udp": (False, False),
}


@pytest.fixture(scope="module")
def results(egress, tmp_path_factory):
    try:
        possible = subprocess.run([*NAMESPACES, "ip", "link"], capture_output=True, timeout=10, check=False)
    except FileNotFoundError:
        pytest.skip("needs unshare and ip (util-linux, iproute2)")
    if possible.returncode:
        pytest.skip("this system allows no unprivileged namespaces")
    folder = tmp_path_factory.mktemp("world")
    egress.self_signed(folder, "good.test", "evil.test")
    listen = {"unix": str(folder / "egress.sock")}
    policy = {**egress.BASE, "listen": listen, "allow": ["good.test"], "allow_cidrs": [], "opaque": []}
    none = {**policy, "mode": "observe"}
    for name, document in (("policy", policy), ("control", none)):
        (folder / f"{name}.json").write_bytes(msgspec.json.encode(document))
    bridge = Path(tappass_host.dataplane.__file__).with_name("bridge.py")
    command = [*NAMESPACES, sys.executable, str(WORLD), str(folder), str(bridge)]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


@pytest.mark.parametrize("attempt", EXPECTED)
def test_18_from_inside_an_empty_network(results, attempt):
    assert (results["policy"][attempt], results["control"][attempt]) == EXPECTED[attempt]


def test_18_every_attempt_is_judged(results):
    assert set(results["policy"]) == set(results["control"]) == set(EXPECTED)
