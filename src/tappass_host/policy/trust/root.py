"""The root of trust: which keys an organisation trusts for what, and how that changes.

A host pins the first root when it is enrolled. Every later one must follow: signed by
enough of the old root keys *and* of its own, and exactly one version higher, so that no
rotation can be skipped and no removed key comes back.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tappass_host.policy.canonical import digest
from tappass_host.policy.errors import (
    EquivocationError,
    ExpiredError,
    GrammarError,
    KeyRefusedError,
    OrgMismatchError,
    RollbackError,
    RotationError,
    SchemaError,
    SignatureError,
)
from tappass_host.policy.times import format_instant, parse_instant
from tappass_host.policy.trust.ceiling import Ceiling
from tappass_host.policy.trust.document import Node, read
from tappass_host.policy.trust.dsse import Role, parse_envelope
from tappass_host.policy.trust.keys import PublicKey
from tappass_host.policy.trust.signed import RoleKeys, TrustedKey, check_signed
from tappass_host.policy.wire import MAX_INTEGER

MAX_KEYS = 16


class KeyEntry(Node, frozen=True, kw_only=True):
    """One key, `ed25519:<hex>`, and when it stops counting."""

    public: str
    expires_at: str | UnsetType = UNSET


class RoleEntry(Node, frozen=True, kw_only=True):
    """The keys of a role and how many of them must sign."""

    keys: Annotated[tuple[KeyEntry, ...], Meta(min_length=1, max_length=MAX_KEYS)]
    threshold: Annotated[int, Meta(ge=1, le=MAX_KEYS)]


class Roles(Node, frozen=True, kw_only=True):
    """Who may sign what; without `freshness` no freshness statement is accepted."""

    root: RoleEntry
    policy: RoleEntry
    freshness: RoleEntry | UnsetType = UNSET


class RootDocument(Node, frozen=True, kw_only=True):
    """The root as it is written and signed; encode it with `canonical_bytes`."""

    schema: Literal["tappass.root/v1"]
    org_id: Annotated[str, Meta(min_length=1, max_length=128)]
    version: Annotated[int, Meta(ge=1, le=MAX_INTEGER)]
    expires_at: str
    roles: Roles
    ceiling: Ceiling = Ceiling()


class Root(msgspec.Struct, frozen=True):
    """A root that this host trusts.

    Attributes:
        org_id: whose root it is.
        version: rises by one with each rotation.
        expires_at: Unix seconds; judged whenever the root is used, except to rotate it.
        roles: keys by role.
        ceiling: the most that policy keys may say.
        digest: of the exact bytes.
        lineage: digest of the root that was pinned at enrolment; rotation keeps it.
    """

    org_id: str
    version: int
    expires_at: int
    roles: Mapping[Role, RoleKeys]
    ceiling: Ceiling
    digest: str
    lineage: str

    def keys_of(self, role: Role, *, now: int) -> RoleKeys:
        """Give the keys of a role.

        Raises:
            ExpiredError: the root has expired.
            SignatureError: the root gives this role to nobody.
        """
        if now >= self.expires_at:
            message = f"root version {self.version} expired at {format_instant(self.expires_at)}"
            raise ExpiredError(message, remedy="fetch the organisation's next root")
        if role not in self.roles:
            raise SignatureError(f"root version {self.version} trusts nobody with the role {role}")
        return self.roles[role]


def parse_root(payload: bytes, *, lineage: str = "", source: str = "") -> Root:
    """Read the bytes of a root document; whether to trust them is for `pin` and `rotate`.

    Raises:
        WireError, SchemaError, GrammarError, KeyRefusedError: with their JSON Pointer.
    """
    document = read(payload, RootDocument, source=source)
    try:
        expires_at = _instant(document.expires_at, "/expires_at")
        roles = _roles(document.roles)
    except (GrammarError, KeyRefusedError, SchemaError) as error:
        error.at(source=source)
        raise
    name = digest(payload)
    return Root(document.org_id, document.version, expires_at, roles, document.ceiling, name, lineage or name)


def pin(data: bytes, *, now: int, source: str = "") -> Root:
    """Take the first root of a host, which must at least be signed by its own root keys.

    That this is the right organisation's root is the word of whoever enrols the host.
    """
    envelope = parse_envelope(data, source=source)
    root = parse_root(envelope.payload, source=source)
    check_signed(envelope, root.keys_of("root", now=now), now=now, source=source)
    return root


def rotate(root: Root, data: bytes, *, now: int, source: str = "") -> Root:
    """Replace a trusted root by the next one. The bytes of the current one change nothing.

    An expired root may still be rotated, and a next one that has expired may be a step on the
    way; neither can be used. Afterwards drop floors with `floor.surviving`.

    Raises:
        SignatureError: too few of the old, or of the new, root keys signed.
        OrgMismatchError, RollbackError, EquivocationError, RotationError: it does not follow.
    """
    envelope = parse_envelope(data, source=source)
    check_signed(envelope, root.roles["root"], now=now, source=source)
    following = parse_root(envelope.payload, lineage=root.lineage, source=source)
    if following.digest == root.digest:
        return root
    _check_follows(root, following, source)
    check_signed(envelope, following.roles["root"], now=now, source=source)
    return following


def _check_follows(root: Root, following: Root, source: str) -> None:
    if following.org_id != root.org_id:
        message = f"root of {following.org_id!r}, this host belongs to {root.org_id!r}"
        raise OrgMismatchError(message, pointer="/org_id", source=source)
    found = f"root version {following.version}, {root.version} is trusted"
    if following.version < root.version:
        raise RollbackError(found, pointer="/version", source=source)
    if following.version == root.version:
        raise EquivocationError(f"{found} with other bytes", pointer="/version", source=source)
    if following.version != root.version + 1:
        remedy = f"fetch version {root.version + 1} first"
        raise RotationError(f"{found}: one was skipped", pointer="/version", source=source, remedy=remedy)


def _roles(roles: Roles) -> dict[Role, RoleKeys]:
    entries: dict[Role, RoleEntry | UnsetType] = {
        "root": roles.root,
        "policy": roles.policy,
        "freshness": roles.freshness,
    }
    return {role: _role(role, entry) for role, entry in entries.items() if not isinstance(entry, UnsetType)}


def _role(role: Role, entry: RoleEntry) -> RoleKeys:
    keys = tuple(_key(key, f"/roles/{role}/keys/{index}") for index, key in enumerate(entry.keys))
    distinct = {trusted.key for trusted in keys}
    if len(distinct) != len(keys):
        raise SchemaError("a key is listed twice", pointer=f"/roles/{role}/keys")
    if entry.threshold > len(distinct):
        raise SchemaError("more signatures needed than there are keys", pointer=f"/roles/{role}/threshold")
    return RoleKeys(role, keys, entry.threshold)


def _key(entry: KeyEntry, where: str) -> TrustedKey:
    try:
        key = PublicKey.parse(entry.public)
    except KeyRefusedError as error:
        error.at(pointer=f"{where}/public")
        raise
    if isinstance(entry.expires_at, UnsetType):
        return TrustedKey(key)
    return TrustedKey(key, _instant(entry.expires_at, f"{where}/expires_at"))


def _instant(text: str, where: str) -> int:
    try:
        return parse_instant(text)
    except GrammarError as error:
        error.at(pointer=where)
        raise
