import json

import pytest

from tappass_host.policy.errors import GrammarError, SchemaError, WireError
from tappass_host.sdk.configs.interpreter import SCHEMA, HostFunction, Mount, decode_manifest, encode_manifest


@pytest.fixture
def document(make_manifest):
    return json.loads(make_manifest())


def test_encoding_and_decoding_are_inverse_and_canonical(make_manifest):
    data = make_manifest(
        mounts=(Mount(host="/srv/a", guest="/a"),), host_functions=(HostFunction(name="f", max_calls=1),)
    )
    assert encode_manifest(decode_manifest(data)) == data
    assert json.loads(data)["schema"] == SCHEMA


REFUSED = [
    ("unknown field", ("surprise",), 1, SchemaError, ""),
    ("unknown limit", ("limits", "surprise"), 1, SchemaError, "/limits"),
    ("other schema", ("schema",), "tappass.interpreter-manifest/v2", SchemaError, "/schema"),
    ("limit as text", ("limits", "wall_ms"), "10", SchemaError, "/limits/wall_ms"),
    ("limit as boolean", ("limits", "wall_ms"), True, SchemaError, "/limits/wall_ms"),
    ("no wall clock", ("limits", "wall_ms"), 0, SchemaError, "/limits/wall_ms"),
    ("negative memory", ("limits", "memory_bytes"), -1, SchemaError, "/limits/memory_bytes"),
    ("float", ("limits", "sleep_ms"), 1.5, WireError, "/limits/sleep_ms"),
    ("unknown mode", ("mode",), "audit", SchemaError, "/mode"),
    ("digest without algorithm", ("policy", "digest"), "0" * 64, GrammarError, "/policy/digest"),
    (
        "expiry with offset",
        ("policy", "expires_at"),
        "2027-01-01T00:00:00+00:00",
        GrammarError,
        "/policy/expires_at",
    ),
    ("version zero", ("policy", "version"), 0, SchemaError, "/policy/version"),
    ("version pattern", ("target", "versions"), ">=1.4", GrammarError, "/target/versions"),
    ("relative mount", ("mounts",), [{"host": "data", "guest": "/d"}], GrammarError, "/mounts/0/host"),
    ("mount upwards", ("mounts",), [{"host": "/srv/../etc", "guest": "/d"}], GrammarError, "/mounts/0/host"),
    ("guest upwards", ("mounts",), [{"host": "/srv", "guest": "/d/.."}], GrammarError, "/mounts/0/guest"),
    ("double slash", ("mounts",), [{"host": "//srv", "guest": "/d"}], GrammarError, "/mounts/0/host"),
    (
        "mount mode",
        ("mounts",),
        [{"host": "/srv", "guest": "/d", "mode": "overlay"}],
        SchemaError,
        "/mounts/0/mode",
    ),
    (
        "nested hosts",
        ("mounts",),
        [{"host": "/srv", "guest": "/a"}, {"host": "/srv/b", "guest": "/b"}],
        GrammarError,
        "/mounts/1/host",
    ),
    (
        "nested guests",
        ("mounts",),
        [{"host": "/srv/a", "guest": "/a/b"}, {"host": "/srv/b", "guest": "/a"}],
        GrammarError,
        "/mounts/1/guest",
    ),
    ("env name", ("env",), {"A=B": "1"}, GrammarError, "/env/A=B"),
    ("env NUL", ("env",), {"A": "1\0"}, GrammarError, "/env/A"),
    ("function name", ("host_functions",), [{"name": "os.system"}], GrammarError, "/host_functions/0/name"),
    (
        "function twice",
        ("host_functions",),
        [{"name": "f"}, {"name": "f"}],
        GrammarError,
        "/host_functions/1/name",
    ),
    (
        "empty constraint",
        ("host_functions",),
        [{"name": "f", "constraints": {"a": {}}}],
        SchemaError,
        "/host_functions/0/constraints/*",
    ),
    (
        "bad pattern",
        ("host_functions",),
        [{"name": "f", "constraints": {"a": {"pattern": "("}}}],
        SchemaError,
        "/host_functions/0/constraints/*",
    ),
    ("module name", ("imports", "deny"), ["os;sys"], GrammarError, "/imports/deny/0"),
    ("star import", ("imports", "allow"), ["*"], GrammarError, "/imports/allow/0"),
    ("bare star domain", ("network", "allow"), ["*"], GrammarError, "/network/allow/0"),
    ("address as domain", ("network", "allow"), ["10.0.0.1"], GrammarError, "/network/allow/0"),
    ("bad range", ("network", "allow_cidrs"), ["10.0.0.1/8"], GrammarError, "/network/allow_cidrs/0"),
]


@pytest.mark.parametrize(
    ("path", "value", "error", "pointer"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED]
)
def test_what_is_not_understood_is_refused_with_its_place(document, path, value, error, pointer):
    decode_manifest(json.dumps(document).encode())  # control: the document is good before the change
    node = document
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    with pytest.raises(error) as caught:
        decode_manifest(json.dumps(document).encode())
    assert caught.value.pointer == pointer


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("duplicate key", b'{"schema": 1, "schema": 2}'),
        ("truncated", b'{"schema": '),
        ("not utf-8", b'{"a": "\xff"}'),
        ("too deep", b"[" * 1000 + b"]" * 1000),
        ("empty", b""),
    ],
)
def test_bytes_that_are_no_strict_json_are_refused(name, data):
    with pytest.raises(WireError):
        decode_manifest(data)


def test_a_missing_part_is_refused(document):
    del document["limits"]
    with pytest.raises(SchemaError, match="limits"):
        decode_manifest(json.dumps(document).encode())
