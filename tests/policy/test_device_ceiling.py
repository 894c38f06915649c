"""What a device allows, whoever signed the policy."""

import pytest

from tappass_host.policy.ceiling import Ceiling, Span, check_ceiling
from tappass_host.policy.decode import convert
from tappass_host.policy.errors import CeilingError, SchemaError
from tappass_host.policy.model import (
    Credentials,
    Filesystem,
    Llm,
    Mcp,
    McpServer,
    Policy,
    Process,
    Secret,
    Transport,
    Upstream,
)


def policy(**aspects) -> Policy:
    return Policy(
        version=1,
        issued_at="2026-01-01T00:00:00Z",
        not_before="2026-01-01T00:00:00Z",
        expires_at="2027-01-01T00:00:00Z",
        org_id="acme",
        **{"filesystem": Filesystem(), **aspects},
    )


def secret(ref):
    return policy(credentials=Credentials(secrets=(Secret(env="T", ref=ref),)))


def stdio(program):
    server = McpServer(id="s", transport=Transport(kind="stdio", argv=(program, "--x")))
    return policy(mcp=Mcp(servers=(server,)))


VAULT = Ceiling(secret_refs=("vault:team/",))
IDS = Ceiling(uids=Span(low=1000, high=1999))
ROOTS = Ceiling(writable_roots=("/ws", "/tmp"))
PROGRAMS = Ceiling(stdio_commands={"/usr/bin/srv": "sha256:" + "a" * 64})
UPSTREAM = policy(llm=Llm(upstreams=(Upstream(id="a", kind="k", base_url="https://a.b", auth_ref="env:K"),)))

ABOVE = [
    ("another secret", VAULT, secret("vault:other/x"), "/credentials/secrets/0/ref"),
    (
        "a longer name",
        Ceiling(secret_refs=("vault:team",)),
        secret("vault:teams/x"),
        "/credentials/secrets/0/ref",
    ),
    ("out of the prefix", VAULT, secret("vault:team/../x"), "/credentials/secrets/0/ref"),
    ("secret of an upstream", VAULT, UPSTREAM, "/llm/upstreams/0/auth_ref"),
    ("uid too high", IDS, policy(process=Process(run_as_uid=2000)), "/process/run_as_uid"),
    (
        "root, whatever the ceiling says",
        Ceiling(),
        policy(process=Process(run_as_uid=0)),
        "/process/run_as_uid",
    ),
    ("root's group", Ceiling(), policy(process=Process(run_as_gid=0)), "/process/run_as_gid"),
    (
        "a folder beside",
        ROOTS,
        policy(filesystem=Filesystem(read_write=("/wsx",))),
        "/filesystem/read_write/0",
    ),
    ("workspace", ROOTS, policy(filesystem=Filesystem(workspace="/")), "/filesystem/workspace"),
    ("a star above", ROOTS, policy(filesystem=Filesystem(read_write=("/*/ws",))), "/filesystem/read_write/0"),
    ("open by default", ROOTS, policy(filesystem=Filesystem(default="allow")), "/filesystem/default"),
    ("unmanaged files", ROOTS, policy(filesystem=None), "/filesystem"),
    ("another program", PROGRAMS, stdio("/usr/bin/srv2"), "/mcp/servers/0/transport/argv/0"),
    ("an empty list allows none", Ceiling(secret_refs=()), secret("vault:x"), "/credentials/secrets/0/ref"),
]
WITHIN = [
    ("secret below the prefix", VAULT, secret("vault:team/x")),
    ("whole reference", Ceiling(secret_refs=("env:TOKEN",)), secret("env:TOKEN")),
    ("uid in range", IDS, policy(process=Process(run_as_uid=1999))),
    ("inside", ROOTS, policy(filesystem=Filesystem(workspace="/ws/a", read_write=("/tmp/*/x", "**/y")))),
    ("listed program", PROGRAMS, stdio("/usr/bin/srv")),
    ("no limits", Ceiling(), policy(filesystem=None)),
]


@pytest.mark.parametrize(("name", "ceiling", "doc", "pointer"), ABOVE, ids=[c[0] for c in ABOVE])
def test_above(name, ceiling, doc, pointer):
    with pytest.raises(CeilingError) as caught:
        check_ceiling(doc, ceiling)
    assert caught.value.pointer == pointer


@pytest.mark.parametrize(("name", "ceiling", "doc"), WITHIN, ids=[c[0] for c in WITHIN])
def test_within(name, ceiling, doc):
    check_ceiling(doc, ceiling)


@pytest.mark.parametrize(
    "document",
    [
        {"uids": {"low": 0, "high": 5}},
        {"stdio_commands": {"srv": "sha256:" + "a" * 64}},
        {"stdio_commands": {"/srv": "abc"}},
        {"writable": []},
    ],
)
def test_a_ceiling_that_is_none_is_refused(document):
    with pytest.raises(SchemaError):
        convert(document, Ceiling)
