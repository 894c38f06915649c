import msgspec
import pytest

from tappass_host.policy.errors import TappassError
from tappass_host.sdk.configs.egress import decode, encode


def test_round_trip_is_byte_identical(egress):
    config = egress.config()
    assert decode(encode(config)) == config
    assert encode(decode(encode(config))) == encode(config)


def inject(**changes):
    return {"inject": [{"env": "KEY", "ref": "env:KEY", "domains": ["a.test"], **changes}]}


BAD = {
    "unknown field": ({"typo": 1}, ""),
    "unknown nested field": ({"listen": {"unix": "/s", "port": 1}}, "/listen"),
    "another schema": ({"schema": "tappass.egress-proxy/v2"}, "/schema"),
    "unknown mode": ({"mode": "monitor"}, "/mode"),
    "default missing its meaning": ({"default": None}, "/default"),
    "text for a list": ({"allow": "good.test"}, "/allow"),
    "no listener": ({"listen": {}}, "/listen"),
    "tcp without token": ({"listen": {"tcp": "127.0.0.1:3128"}}, "/listen"),
    "relative socket path": ({"listen": {"unix": "egress.sock"}}, "/listen"),
    "version zero": (
        {"policy": {"digest": "x", "version": 0, "expires_at": "2099-01-01T00:00:00Z"}},
        "/policy/version",
    ),
    "instant with offset": (
        {"policy": {"digest": "x", "version": 1, "expires_at": "2099-01-01T00:00:00+01:00"}},
        "",
    ),
    "connection limit zero": ({"limits": {"connections": 0}}, "/limits/connections"),
    "bare star": ({"allow": ["*"]}, ""),
    "star over a top-level domain": ({"allow": ["*.com"]}, ""),
    "address in allow": ({"allow": ["203.0.113.1"]}, ""),
    "url in deny": ({"deny": ["https://x.test/"]}, ""),
    "bad domain in a category": ({"category_deny": [{"category": "c", "domains": ["-"]}]}, ""),
    "bad cidr": ({"allow_cidrs": ["10.0.0.1/8"]}, ""),
    "opaque without allow": ({"opaque": ["other.test:22"]}, "/opaque"),
    "opaque without port": ({"opaque": ["good.test"]}, "/opaque"),
    "opaque on 443": ({"allow": ["x.test:443"], "opaque": ["x.test:443"]}, "/opaque"),
    "header name with a line break": (
        inject(header="a\r\nb"),
        "/inject/0/header",
    ),
    "prefix with a line break": (
        inject(header="x-key", prefix="a\r\n"),
        "/inject/0",
    ),
    "neither header nor placeholder": (inject(), "/inject/0"),
    "a placeholder that may occur by chance": (inject(placeholder="secret"), "/inject/0/placeholder"),
    "hop header injected": (
        inject(header="Transfer-Encoding"),
        "/inject/0",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_configuration_is_refused_at_its_place(egress, case):
    change, pointer = BAD[case]
    with pytest.raises(TappassError) as caught:
        decode(msgspec.json.encode({**egress.BASE, **change}), source="egress.json")
    assert caught.value.pointer == pointer
    assert caught.value.exit_code == 2


BYTES = {
    "empty": b"",
    "not json": b"{",
    "duplicate key": b'{"mode": "enforce", "mode": "observe"}',
    "float": b'{"version": 1.0}',
    "not utf-8": b'{"sandbox": "\xff"}',
    "a list": b"[]",
}


@pytest.mark.parametrize("case", BYTES)
def test_bytes_that_are_no_document_are_refused(case):
    with pytest.raises(TappassError):
        decode(BYTES[case])
