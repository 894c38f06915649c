"""Files of one log: a folder that only its writer may enter, and every write in it durable.

00000001.jsonl …     the chain, in files of limited size
checkpoints.jsonl    what witnesses were given
key.json             the private key of the current epoch (and for a moment that of the next)
lock                 held while somebody writes
"""

import fcntl
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tappass_host.policy.errors import AuditError

CHECKPOINTS: Final = "checkpoints.jsonl"
KEY: Final = "key.json"
LOCK: Final = "lock"
_SEGMENT: Final = re.compile(r"(\d{8})\.jsonl")
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def segment_name(number: int) -> str:
    """The file of a segment."""
    return f"{number:08d}.jsonl"


def segments(folder: Path) -> list[tuple[int, Path]]:
    """The segments that are there, in order of their names."""
    found = [(match, path) for path in folder.iterdir() if (match := _SEGMENT.fullmatch(path.name))]
    return sorted((int(match[1]), path) for match, path in found)


def prepare(folder: Path) -> None:
    """Make the folder, or refuse one that others could enter.

    Raises:
        AuditError: not ours, or open to others.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    info = folder.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid() or info.st_mode & 0o077:
        what = "is not a folder of the writer alone"
        raise AuditError(f"{folder} {what}", remedy=f"chmod 0700 {folder} as its owner")


def lock(folder: Path) -> int:
    """Take the lock for as long as the descriptor stays open.

    Raises:
        AuditError: somebody else writes here.
    """
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise AuditError(f"{folder} is being written by another process") from error
    return handle


def read(path: Path, *, max_bytes: int | None = None) -> bytes:
    """The bytes of a regular file that is no link.

    Raises:
        AuditError: anything else, or too large.
    """
    try:
        with os.fdopen(os.open(path, _READ), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise AuditError(f"{path} is not a regular file")
            data = file.read() if max_bytes is None else file.read(max_bytes + 1)
    except OSError as error:
        raise AuditError(f"{path} cannot be read: {error.strerror}") from error
    if max_bytes is not None and len(data) > max_bytes:
        raise AuditError(f"{path} is larger than {max_bytes} bytes")
    return data


def lines(path: Path) -> Iterator[bytes]:
    """The lines of a file with their line feeds, one at a time; the last may lack it.

    Raises:
        AuditError: not a regular file, or it cannot be read.
    """
    try:
        with os.fdopen(os.open(path, _READ), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise AuditError(f"{path} is not a regular file")
            # A line without an end must not be read into memory whole.
            yield from iter(lambda: file.readline(1 << 20), b"")
    except OSError as error:
        raise AuditError(f"{path} cannot be read: {error.strerror}") from error


def cut(path: Path, size: int) -> None:
    """Shorten a file, durably."""
    handle = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.ftruncate(handle, size)
        os.fsync(handle)
    finally:
        os.close(handle)


def replace(path: Path, data: bytes, *, scrub: bool = False) -> None:
    """Put a whole file in the place of another, durably.

    Args:
        path: the file.
        data: its new bytes.
        scrub: overwrite the bytes of the old file, as far as the file system keeps them in place.
    """
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    old = _held(path) if scrub else None
    write_all(beside, data)
    beside.rename(path)
    sync_folder(path.parent)
    if old is not None:
        with os.fdopen(old, "r+b", buffering=0) as file:
            file.write(b"\0" * os.fstat(old).st_size)
            os.fsync(old)


def _held(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None


def write_all(path: Path, data: bytes) -> None:
    """A new file with these bytes, on the disk."""
    with os.fdopen(os.open(path, _NEW, 0o600), "wb", buffering=0) as file:
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make renames and new names durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
