"""Secrets by reference: `file:/absolute/path` or `env:NAME`. A value never enters a log or an error."""

import os
import stat
from pathlib import Path

from tappass_host.policy.errors import SchemaError

_MAX_BYTES = 16384


def resolve_secret(ref: str) -> str:
    """Fetch the value behind a reference.

    Raises:
        SchemaError: unknown kind, missing, too open, empty, or not one line of ASCII.
    """
    kind, _, where = ref.partition(":")
    match kind:
        case "file" if where.startswith("/"):
            value = _from_file(Path(where), ref)
        case "env" if where in os.environ:
            value = os.environ[where]
        case _:
            raise _refuse(ref, "names nothing that is here", "use file:/absolute/path or env:NAME")
    value = value.removesuffix("\n")
    if not value or not value.isascii() or not value.isprintable():
        raise _refuse(ref, "is not one line of printable ASCII", "store the value without line breaks")
    return value


def _from_file(path: Path, ref: str) -> str:
    """Read through one descriptor, so that what is checked is what is read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _refuse(ref, f"cannot be read ({error.strerror})", "check path and owner") from None
    try:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode) or info.st_uid not in (0, os.geteuid()) or info.st_mode & 0o077:
            raise _refuse(ref, "is open to others", "make it a regular file of this user, mode 0600")
        return os.read(descriptor, _MAX_BYTES).decode("ascii", "replace")
    finally:
        os.close(descriptor)


def _refuse(ref: str, why: str, remedy: str) -> SchemaError:
    return SchemaError(f"secret reference {ref!r} {why}", remedy=remedy)
