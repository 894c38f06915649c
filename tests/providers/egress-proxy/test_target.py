"""Gate 2 for egress-proxy: the proxy's own decoder takes what is rendered, and nothing else."""

import json
from pathlib import Path

import pytest

from tappass_host.providers.host.egress_proxy.target import detect, validate

RENDERED = sorted(Path(__file__).parent.glob("cases/*/expected/run/*/egress.json"))


def test_it_is_here():
    assert detect().version


@pytest.mark.parametrize("path", RENDERED, ids=[path.parents[3].name for path in RENDERED])
def test_the_proxy_takes_it(path):
    assert validate({"run/a/egress.json": path.read_bytes()}) == []


BROKEN = [
    ("an unknown field", {"surprise": 1}),
    ("a rule that is none", {"allow": ["*"]}),
    ("an opaque rule that is not allowed", {"opaque": ["x.org:22"]}),
    ("no listener", {"listen": {}}),
    ("an expiry that is none", {"policy": {"digest": "x", "version": 1, "expires_at": "soon"}}),
]


@pytest.mark.parametrize(("what", "change"), BROKEN, ids=[what for what, _ in BROKEN])
def test_the_proxy_does_not_take(what, change):
    document = {**json.loads(RENDERED[0].read_bytes()), **change}
    assert validate({"run/a/egress.json": json.dumps(document).encode()})


def test_other_files_are_not_looked_at():
    assert validate({"etc/other.json": b"{"}) == []
