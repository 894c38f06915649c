"""File operations beneath held folders: no links followed, nothing half written, nothing of others trusted.

Root may run this over folders that others can reach, so every step goes through a descriptor of the folder
before it. A folder on the way must belong to root or to us and must not be writable by anyone else; a file is
only read if it is a regular file with one name, of a trusted owner, and not larger than it may be.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tappass_host.policy.errors import TappassError

MAX_BYTES: Final = 64 * 1024 * 1024
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OTHERS_WRITE: Final = 0o022


class UnsafePathError(TappassError):
    """A path leads through something that others control, or to something that is no plain file."""

    exit_code = 2


class Found(NamedTuple):
    """A file as it is on the disk."""

    data: bytes
    mode: int
    uid: int
    gid: int


# Called before every step that changes the disk; tests end the process in it.
before_step: Callable[[str], None] = lambda _step: None  # noqa: E731 - a hook is a value


@contextlib.contextmanager
def folder(path: Path, *, create: bool = False, mode: int = 0o755) -> Iterator[int]:
    """A descriptor of a folder, reached step by step from `/`.

    Raises:
        UnsafePathError: a step is a link, or others may write to it.
        FileNotFoundError: it is not there and is not to be made.
    """
    held = os.open("/", _FOLDER)
    try:
        walked = "/"
        for name in path.parts[1:]:
            walked = f"{walked.rstrip('/')}/{name}"
            following = _step(held, name, walked, create=create, mode=mode)
            os.close(held)
            held = following
        yield held
    finally:
        os.close(held)


def _step(held: int, name: str, walked: str, *, create: bool, mode: int) -> int:
    try:
        following = os.open(name, _FOLDER, dir_fd=held)
    except FileNotFoundError:
        if not create:
            raise
        before_step(f"mkdir {walked}")
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, mode, dir_fd=held)
        os.fsync(held)
        following = os.open(name, _FOLDER, dir_fd=held)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise UnsafePathError(
                f"{walked} is a link or no folder", remedy="make it a real folder"
            ) from None
        raise
    _check_folder(following, walked)
    return following


def _check_folder(descriptor: int, walked: str) -> None:
    status = os.fstat(descriptor)
    sticky = bool(status.st_mode & stat.S_ISVTX)
    if status.st_uid not in (0, os.geteuid()) or (status.st_mode & _OTHERS_WRITE and not sticky):
        os.close(descriptor)
        remedy = f"give {walked} to root and take group and world write away"
        raise UnsafePathError(f"others may change {walked}", remedy=remedy)


def read(path: Path, *, cap: int = MAX_BYTES) -> Found | None:
    """What a file holds, or None if there is none.

    Raises:
        UnsafePathError: it is no regular file with one name and a trusted owner, or larger than `cap`.
    """
    try:
        with folder(path.parent) as held:
            descriptor = os.open(
                path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=held
            )
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnsafePathError(f"{path} cannot be read safely: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        _check_file(path, status, cap)
    except UnsafePathError:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as file:
        return Found(file.read(cap + 1), stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)


def _check_file(path: Path, status: os.stat_result, cap: int) -> None:
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        raise UnsafePathError(f"{path} is no plain file with one name")
    if status.st_uid not in (0, os.geteuid()) or status.st_size > cap:
        raise UnsafePathError(f"{path} belongs to someone else, or is larger than {cap} bytes")


def write(path: Path, data: bytes, mode: int, *, owner: tuple[int, int] | None = None) -> None:
    """Put a file in place at once and for good: written beside, synced, renamed, folder synced.

    Raises:
        UnsafePathError: a step on the way is not to be trusted.
    """
    with folder(path.parent, create=True) as held:
        # One name for one path: what a kill left behind is taken away by the next write.
        beside = f".{path.name}.tappass-new"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside, dir_fd=held)
        before_step(f"create {path}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(beside, flags, 0o600, dir_fd=held)
        try:
            _fill(descriptor, path, data, mode, owner)
            before_step(f"rename {path}")
            os.rename(beside, path.name, src_dir_fd=held, dst_dir_fd=held)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(beside, dir_fd=held)
            raise
        before_step(f"sync folder of {path}")
        os.fsync(held)


def _fill(descriptor: int, path: Path, data: bytes, mode: int, owner: tuple[int, int] | None) -> None:
    with os.fdopen(descriptor, "wb") as file:
        before_step(f"write {path}")
        file.write(data)
        file.flush()
        if owner is not None:
            os.fchown(file.fileno(), *owner)
        os.fchmod(file.fileno(), mode & 0o777)
        before_step(f"sync {path}")
        os.fsync(file.fileno())


def remove(path: Path) -> None:
    """Take a file away for good; nothing happens if it is not there."""
    try:
        with folder(path.parent) as held:
            before_step(f"unlink {path}")
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path.name, dir_fd=held)
            os.fsync(held)
    except FileNotFoundError:
        return
