"""Policies of a wanted size, about the conformance kit's small world."""

from collections.abc import Iterator

import msgspec

from tappass_host.policy import model as m
from tappass_host.policy.canonical import canonical_bytes

HEAD = {
    "version": 1,
    "issued_at": "2026-01-01T00:00:00Z",
    "not_before": "2026-01-01T00:00:00Z",
    "expires_at": "2027-01-01T00:00:00Z",
    "org_id": "acme",
}
# How many of a hundred entries go where, as in policies people write: names, paths and tool rules mostly.
_SHARES = {
    "domains": 20,
    "denied_domains": 10,
    "read_only": 12,
    "read_write": 8,
    "deny_paths": 12,
    "allow": 15,
    "ask": 3,
    "deny": 10,
    "imports": 5,
    "hide_env": 5,
}


def sized(kilobytes: int, name: str = "acme") -> m.Policy:
    """A policy whose canonical JSON has about so many kilobytes. Another name makes all entries new."""
    tenths, policy = 1, _policy(1, name)
    while size(policy) < kilobytes * 1000:
        tenths += max(1, (kilobytes * 1000 - size(policy)) * tenths // size(policy))
        policy = _policy(tenths, name)
    return policy


def size(policy: m.Policy) -> int:
    """Bytes of its canonical JSON."""
    return len(canonical_bytes(msgspec.to_builtins(policy)))


def _policy(tenths: int, name: str) -> m.Policy:
    """One with so many times ten entries."""
    made = {
        kind: tuple(_entries(kind, max(1, share * tenths // 10), name)) for kind, share in _SHARES.items()
    }
    return m.Policy(
        **HEAD,
        network=m.Network(allow_domains=made["domains"], deny_domains=made["denied_domains"]),
        filesystem=m.Filesystem(
            workspace="/ws",
            read_only=made["read_only"],
            read_write=made["read_write"],
            deny_paths=made["deny_paths"],
        ),
        tools=m.Tools(allow=("Read", "Write", *made["allow"]), ask=made["ask"], deny=made["deny"]),
        mcp=m.Mcp(),
        interpreter=m.Interpreter(allow_imports=made["imports"], memory_mb=256, cpu_time_ms=5000),
        budget=m.Budget(tool_calls_per_minute=60),
        process=m.Process(memory_mb=4096, max_processes=256, max_open_files=4096),
        credentials=m.Credentials(hide_env=made["hide_env"]),
    )


def _entries(kind: str, count: int, name: str) -> Iterator[str]:
    """Distinct entries; every seventh name a wildcard, every ninth path a pattern, paths within paths."""
    for n in range(count):
        match kind:
            case "domains":
                yield f"*.{name}{n}.example.com:443" if n % 7 == 0 else f"service-{n}.{name}.com"
            case "denied_domains":
                yield f"uploads-{n}.{name}.com"
            case "read_only":
                yield f"/opt/{name}/t{n % 40}/lib{n}"
            case "read_write":
                yield f"/srv/{name}/w{n % 40}/tmp{n}"
            case "deny_paths":
                yield f"/ws/**/{name}-secret{n}" if n % 9 == 0 else f"/ws/{name}/a{n % 40}/key{n}"
            case "allow":
                yield f"Bash(git {name}-sub{n} *)"
            case "ask":
                yield f"Bash(release {name} {n} *)"
            case "deny":
                yield f"Bash(curl -X{name}{n} *)"
            case "imports":
                yield f"{name}_module{n}"
            case "hide_env":
                yield f"{name.upper()}_TOKEN_{n}"
