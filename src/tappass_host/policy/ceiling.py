"""The device ceiling: the most that any policy may grant on one machine, whoever signed it.

A root-owned file, written at enrolment and never by the channel that policies come through. It bounds what a
stolen policy key can do here: which secrets are named, whom processes run as, what may be written, and which
programs are started as MCP servers.
"""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from tappass_host.policy.errors import CeilingError
from tappass_host.policy.grammar.paths import parse_path
from tappass_host.policy.model import Node, Policy
from tappass_host.policy.wire import pointer

# User id 0 is root: no ceiling can allow it.
Id = Annotated[int, Meta(ge=1, le=4294967294)]
Sha256 = Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}$")]
Program = Annotated[str, Meta(pattern=r"^/[^\x00-\x1f]+$", max_length=4096)]
Place = tuple[str | int, ...]


class Span(Node, frozen=True, kw_only=True):
    """A range of user or group ids, both ends included."""

    low: Id
    high: Id

    def __contains__(self, number: int) -> bool:
        return self.low <= number <= self.high


class Ceiling(Node, frozen=True, kw_only=True):
    """Limits of grants; an absent field does not limit, an empty one allows nothing, id 0 never passes.

    Attributes:
        secret_refs: prefixes of secret references, ending in `:` or `/`, or whole references.
        uids: user ids that a policy may name.
        gids: group ids that a policy may name.
        writable_roots: absolute folders that everything writable must lie in.
        stdio_commands: absolute path of a program that may be started as an MCP server -> its digest,
            which the host compares with the file before it starts it.
    """

    secret_refs: tuple[str, ...] | UnsetType = UNSET
    uids: Span | UnsetType = UNSET
    gids: Span | UnsetType = UNSET
    writable_roots: tuple[str, ...] | UnsetType = UNSET
    stdio_commands: dict[Program, Sha256] | UnsetType = UNSET


def check_ceiling(policy: Policy, ceiling: Ceiling) -> None:
    """Refuse a bound or effective policy that grants more than this device allows.

    Raises:
        CeilingError: with the pointer of the field that goes too far.
    """
    _check_secrets(policy, ceiling)
    _check_ids(policy, ceiling)
    _check_writes(policy, ceiling)
    _check_programs(policy, ceiling)


def _refuse(what: str, place: Place) -> CeilingError:
    remedy = "ask whoever runs this device to raise its ceiling, or narrow the policy"
    return CeilingError(f"{what} is above the device ceiling", pointer=pointer(place), remedy=remedy)


def _check_secrets(policy: Policy, ceiling: Ceiling) -> None:
    if ceiling.secret_refs is UNSET:
        return
    for place, ref in _references(policy):
        if not any(_below(ref, prefix) for prefix in ceiling.secret_refs):
            raise _refuse(f"secret {ref}", place)


def _references(policy: Policy) -> list[tuple[Place, str]]:
    secrets = policy.credentials.secrets if policy.credentials else ()
    servers = policy.mcp.servers if policy.mcp else ()
    upstreams = policy.llm.upstreams if policy.llm else ()
    found: list[tuple[Place, str]] = [
        (("credentials", "secrets", i, "ref"), s.ref) for i, s in enumerate(secrets)
    ]
    found += [(("mcp", "servers", i, "auth_ref"), s.auth_ref) for i, s in enumerate(servers)]
    found += [(("llm", "upstreams", i, "auth_ref"), u.auth_ref) for i, u in enumerate(upstreams)]
    return [(place, ref) for place, ref in found if ref]


def _below(ref: str, prefix: str) -> bool:
    """A prefix ends where a part of the reference ends, and `..` is never followed out of it."""
    if ".." in ref.replace(":", "/").split("/"):
        return False
    return ref == prefix or ref.startswith(prefix if prefix.endswith((":", "/")) else prefix + "/")


def _check_ids(policy: Policy, ceiling: Ceiling) -> None:
    if policy.process is None:
        return
    for name, span in (("run_as_uid", ceiling.uids), ("run_as_gid", ceiling.gids)):
        number = getattr(policy.process, name)
        if number is not None and (number == 0 or (span is not UNSET and number not in span)):
            raise _refuse(f"id {number}", ("process", name))


def _check_writes(policy: Policy, ceiling: Ceiling) -> None:
    if ceiling.writable_roots is UNSET:
        return
    roots = [parse_path(root) for root in ceiling.writable_roots]
    for place, path in _written(policy):
        rule = parse_path(path)
        # A relative entry hangs from the writable roots, which are checked themselves.
        if rule.root and not any(root.covers(rule) for root in roots):
            raise _refuse(f"writing {path}", place)


def _written(policy: Policy) -> list[tuple[Place, str]]:
    node = policy.filesystem
    if node is None:
        return [(("filesystem",), "/")]
    everything: list[tuple[Place, str]] = (
        [(("filesystem", "default"), "/")] if node.default == "allow" else []
    )
    workspace: list[tuple[Place, str]] = (
        [(("filesystem", "workspace"), node.workspace)] if node.workspace else []
    )
    listed: list[tuple[Place, str]] = [
        (("filesystem", "read_write", i), p) for i, p in enumerate(node.read_write)
    ]
    return everything + workspace + listed


def _check_programs(policy: Policy, ceiling: Ceiling) -> None:
    if ceiling.stdio_commands is UNSET:
        return
    for index, server in enumerate(policy.mcp.servers if policy.mcp else ()):
        if server.transport.kind == "stdio" and server.transport.argv[:1] not in _argv0(
            ceiling.stdio_commands
        ):
            raise _refuse(
                f"program {server.transport.argv[:1]}", ("mcp", "servers", index, "transport", "argv", 0)
            )


def _argv0(commands: dict[str, str]) -> set[tuple[str, ...]]:
    return {(path,) for path in commands}
