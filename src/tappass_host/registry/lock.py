"""`providers.lock`: which providers an organisation has agreed to, by version and digest.

With a lock, a provider that is not in it, or whose files are not those that were locked, is refused before
any of its code runs.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, ValidationError, convert, json

from tappass_host.policy.canonical import canonical_bytes
from tappass_host.policy.errors import ProviderError, SchemaError
from tappass_host.policy.wire import strict_json
from tappass_host.registry.loaded import LoadedProvider

SCHEMA: Final = "tappass.providers-lock/v1"
_MAX_BYTES: Final = 1024 * 1024
_REMEDY: Final = "review what changed, then run: tappass provider lock"

Digest = Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}$")]


class Locked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One provider as it was agreed to."""

    version: str
    digest: Digest


class Lock(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The lock of one organisation."""

    schema: Literal["tappass.providers-lock/v1"] = SCHEMA
    org_id: str
    providers: dict[str, Locked]


def lock_of(org_id: str, providers: Iterable[LoadedProvider]) -> Lock:
    """Lock providers as they are now."""
    entries = {p.id: Locked(version=p.info.version, digest=p.digest) for p in providers}
    return Lock(org_id=org_id, providers=dict(sorted(entries.items())))


def write_lock(path: Path, lock: Lock) -> None:
    """Write a lock file, whole or not at all."""
    data = json.format(canonical_bytes(lock), indent=2) + b"\n"
    beside = path.with_name(f".{path.name}.new")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def read_lock(path: Path) -> Lock:
    """Read a lock file.

    Raises:
        WireError: not strict JSON.
        SchemaError: not a lock.
        ProviderError: it cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ProviderError(f"cannot read the lock: {error.strerror}", source=str(path)) from error
    document = strict_json(data, max_bytes=_MAX_BYTES, source=str(path))
    try:
        return convert(document, Lock, strict=True)
    except ValidationError as error:
        raise SchemaError(str(error), source=str(path)) from error


def check_files(lock: Lock, provider_id: str, package: str) -> None:
    """Refuse a package that is not the locked one; run none of its code.

    Raises:
        ProviderError: not in the lock, or another digest.
    """
    from tappass_host.registry.digest import package_digest

    locked = lock.providers.get(provider_id)
    if locked is None:
        raise ProviderError(f"{provider_id} is not in the lock of {lock.org_id}", remedy=_REMEDY)
    found = package_digest(package)
    if found != locked.digest:
        raise ProviderError(f"{provider_id} is {found}, locked is {locked.digest}", remedy=_REMEDY)


def check_version(lock: Lock, provider: LoadedProvider) -> None:
    """Refuse a provider that calls itself another version than the locked one.

    Raises:
        ProviderError: it does.
    """
    locked = lock.providers[provider.id]
    if provider.info.version != locked.version:
        raise ProviderError(
            f"{provider.id} is version {provider.info.version}, locked is {locked.version}", remedy=_REMEDY
        )
