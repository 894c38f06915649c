"""Everything that must hold before anything runs: the manifest, its digest, its time, its engine."""

import os
import stat
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from tappass_host.policy.canonical import digest
from tappass_host.policy.errors import (
    ExpiredError,
    MissingTargetError,
    NotYetValidError,
    SchemaError,
    TrustError,
    WireError,
)
from tappass_host.policy.times import parse_instant
from tappass_host.policy.wire import MAX_BYTES
from tappass_host.runners.engines import Engine, engine_ids, get_engine
from tappass_host.sdk.configs.interpreter import Manifest, Mount, decode_manifest


class Admitted(NamedTuple):
    """A manifest that may run now, and for how many seconds more."""

    manifest: Manifest
    engine: Engine
    valid_s: float


def read_manifest(manifest: bytes | str | os.PathLike[str]) -> bytes:
    """Return the bytes of a manifest: as given, or of a regular file that is no symbolic link.

    Raises:
        WireError: no such file, not a regular file, or too large.
    """
    if isinstance(manifest, bytes):
        return manifest
    path = Path(manifest)
    try:
        # O_NONBLOCK: opening a pipe that was put there must not hang.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise WireError("not a regular file", source=str(path))
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise WireError(f"cannot be read: {error.strerror}", source=str(path)) from error


def admit(data: bytes, *, now: float, active: Collection[str] | None) -> Admitted:
    """Decide whether a manifest may run.

    Args:
        data: its exact bytes.
        now: Unix seconds.
        active: digests (`sha256:<hex>`) of the manifests of the active generation, or None to take any.

    Raises:
        TappassError: a typed reason; nothing may run.
    """
    if active is not None and digest(data) not in active:
        raise TrustError(
            f"the manifest {digest(data)} is not part of the active generation",
            remedy="apply the policy again",
        )
    manifest = decode_manifest(data)
    not_before, expires = parse_instant(manifest.policy.not_before), parse_instant(manifest.policy.expires_at)
    if now < not_before:
        raise NotYetValidError(f"the policy is not valid before {manifest.policy.not_before}")
    if now >= expires:
        raise ExpiredError(f"the policy expired at {manifest.policy.expires_at}", remedy="renew the policy")
    for at, mount in enumerate(manifest.mounts):
        _check_mount(mount, at)
    return Admitted(manifest, _engine(manifest), expires - now)


def _engine(manifest: Manifest) -> Engine:
    try:
        return get_engine(manifest.target.id)
    except KeyError:
        known = ", ".join(engine_ids())
        raise SchemaError(
            f"no engine {manifest.target.id!a}", pointer="/target/id", remedy=f"known engines: {known}"
        ) from None


def _check_mount(mount: Mount, at: int) -> None:
    """The folder that was written is the folder that is opened: no link on the way, a folder at its end."""
    pointer = f"/mounts/{at}/host"
    if os.path.realpath(mount.host) != mount.host:
        raise SchemaError("a symbolic link leads elsewhere", pointer=pointer, remedy="mount the real folder")
    if not Path(mount.host).is_dir():
        raise MissingTargetError(f"{mount.host} is not a folder", pointer=pointer, remedy="create it first")
