"""Making roots of trust: the first one of an organisation, and the next ones."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import UNSET
from msgspec.structs import replace

from tappass_host.cli import home
from tappass_host.cli.files import read
from tappass_host.policy.canonical import canonical_bytes
from tappass_host.policy.errors import RotationError
from tappass_host.policy.times import format_instant

if TYPE_CHECKING:
    from tappass_host.policy.trust.keys import PrivateKey, PublicKey
    from tappass_host.policy.trust.root import KeyEntry, RoleEntry, Root, RootDocument


def first_root(org_id: str, key: "PrivateKey", *, expires_at: int) -> Path:
    """Make the root of an organisation, with a root key of its own, and pin it.

    Raises:
        FileError: it cannot be written.
    """
    from tappass_host.policy.trust.root import KeyEntry, RoleEntry, Roles, RootDocument

    name = root_key_name(org_id)
    known = name in home.key_names()
    guardian = home.load_key(name) if known else home.fresh_key(name)
    signs = RoleEntry(keys=(KeyEntry(public=key.public.text),), threshold=1)
    document = RootDocument(
        schema="tappass.root/v1",
        org_id=org_id,
        version=1,
        expires_at=format_instant(expires_at),
        roles=Roles(
            root=RoleEntry(keys=(KeyEntry(public=guardian.public.text),), threshold=1),
            policy=signs,
            freshness=signs,
        ),
    )
    if not known:
        home.store_key(name, guardian)
    return home.save_root(org_id, 1, sign_root(document, [guardian]))


def root_document(org_id: str) -> "RootDocument":
    """The newest root of an organisation as it was written; its place in the chain is not looked at.

    Raises:
        FileError, PolicyError: there is none, or it cannot be read.
    """
    from tappass_host.policy.trust.document import read as read_document
    from tappass_host.policy.trust.dsse import parse_envelope
    from tappass_host.policy.trust.root import RootDocument

    path = home.root_files(org_id)[-1]
    return read_document(parse_envelope(read(path), source=str(path)).payload, RootDocument, source=str(path))


def root_key_name(org_id: str) -> str:
    """The name of an organisation's root key; characters that a file name cannot hold become hyphens."""
    plain = "".join(c if (c.isascii() and c.isalnum()) or c in "._-" else "-" for c in org_id)
    return f"{plain.lstrip('._-')[:48] or 'org'}-root"


def sign_root(document: "RootDocument", keys: Sequence["PrivateKey"]) -> bytes:
    """The envelope of a root."""
    from tappass_host.policy.trust.dsse import PAYLOAD_TYPES, sign

    return sign(canonical_bytes(document), PAYLOAD_TYPES["root"], keys)


def trusted_for(key: "PublicKey", roots: Iterable["Root"], *, now: int) -> list[str]:
    """Organisation and role of every place where a key counts now, `acme:policy`."""
    return [
        f"{root.org_id}:{role}"
        for root in roots
        for role, entry in root.roles.items()
        if any(trusted.key == key and trusted.counts(now) for trusted in entry.keys)
    ]


def next_document(
    current: "RootDocument", old: "PublicKey", new: "PublicKey", *, expires_at: int, keep_until: int | None
) -> "RootDocument":
    """The root after the current one: `new` stands wherever `old` stood.

    Args:
        current: the newest root.
        old: the key that goes.
        new: the key that comes.
        expires_at: of the new root, Unix seconds.
        keep_until: until when the old key still counts beside the new one; None is no longer at all.

    Raises:
        RotationError: the old key stands nowhere.
    """
    found = {
        name: _replaced(entry, old.text, new.text, keep_until)
        for name in ("root", "policy", "freshness")
        if (entry := getattr(current.roles, name)) is not UNSET
    }
    if all(found[name] == getattr(current.roles, name) for name in found):
        remedy = "tappass key list shows which keys are trusted"
        raise RotationError(f"the root of {current.org_id} does not trust this key", remedy=remedy)
    return replace(
        current,
        version=current.version + 1,
        expires_at=format_instant(expires_at),
        roles=replace(current.roles, **found),
    )


def _replaced(role: "RoleEntry", old: str, new: str, keep_until: int | None) -> "RoleEntry":
    keys: list[KeyEntry] = []
    for entry in role.keys:
        if entry.public != old:
            keys.append(entry)
            continue
        if new not in {other.public for other in role.keys}:
            keys.append(replace(entry, public=new, expires_at=UNSET))
        if keep_until is not None:
            keys.append(replace(entry, expires_at=format_instant(keep_until)))
    return replace(role, keys=tuple(keys))
