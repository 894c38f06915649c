"""Reading with a limit, writing whole or not at all."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tappass_host.policy.errors import TappassError

# The largest document anybody signs is 4 MiB, 5.4 MiB in base64.
MAX_BYTES: Final = 8 * 1024 * 1024
STDIN: Final = "-"
_PRIVATE_KEY: Final = b"PRIVATE KEY-----"


class FileError(TappassError):
    """A file cannot be read or written."""


def read(path: str | Path, *, max_bytes: int = MAX_BYTES) -> bytes:
    """Read a file, or standard input for `-`.

    Raises:
        FileError: it is missing, unreadable, no regular file, or larger than the limit.
    """
    data = sys.stdin.buffer.read(max_bytes + 1) if str(path) == STDIN else _read(Path(path), max_bytes)
    if len(data) > max_bytes:
        raise FileError(f"larger than {max_bytes} bytes", source=name_of(path))
    return data


def _read(path: Path, max_bytes: int) -> bytes:
    if path.is_dir():
        raise FileError("is a folder, not a file", source=str(path), remedy="name a file in it")
    try:
        with path.open("rb") as file:
            return file.read(max_bytes + 1)
    except FileNotFoundError:
        raise FileError("no such file", source=str(path), remedy=_similar(path)) from None
    except (OSError, ValueError) as error:
        raise FileError(f"cannot be read: {_why(error)}", source=str(path)) from None


def _similar(path: Path) -> str:
    from difflib import get_close_matches

    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"there is no folder {path.parent}"
    near = get_close_matches(path.name, names, n=1)
    return f"did you mean {path.parent / near[0]}?" if near else ""


def name_of(path: str | Path) -> str:
    """How messages call a file."""
    return "<stdin>" if str(path) == STDIN else str(path)


def write(path: str | Path, data: bytes, *, mode: int = 0o644, replace: bool = True) -> None:
    """Write a file whole: beside it, synced, then put in its place.

    Args:
        path: the file.
        data: all of its bytes.
        mode: its permissions.
        replace: whether an existing file may give way. One that holds a private key never does.

    Raises:
        FileError: it cannot be written; what was there is untouched.
    """
    target = Path(path)
    _check_replaceable(target, replace=replace)
    beside = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
    try:
        _write_synced(beside, data, mode)
        if replace:
            beside.replace(target)
        else:
            # A link fails where a rename would silently take the place of a file made meanwhile.
            os.link(beside, target)
        _sync_folder(target.parent)
    except FileExistsError:
        raise _exists(target) from None
    except OSError as error:
        raise FileError(f"cannot be written: {_why(error)}", source=str(target)) from None
    finally:
        beside.unlink(missing_ok=True)


def _check_replaceable(target: Path, *, replace: bool) -> None:
    if target.is_dir():
        raise FileError("is a folder", source=str(target), remedy="name a file in it")
    if not target.exists():
        return
    if not replace:
        raise _exists(target)
    if holds_private_key(target):
        raise FileError(
            "holds a private key and is not overwritten", source=str(target), remedy="choose another name"
        )


def _exists(target: Path) -> FileError:
    remedy = "choose another name, or remove it first"
    return FileError("exists already and is not overwritten", source=str(target), remedy=remedy)


def holds_private_key(path: Path) -> bool:
    """True if the file looks like a private key in PEM form."""
    try:
        with path.open("rb") as file:
            return _PRIVATE_KEY in file.read(4096)
    except OSError:
        return False


def _write_synced(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _why(error: OSError | ValueError) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


def write_many(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write several new files below a folder; if one is there already, none is written.

    Raises:
        FileError: naming the first that is in the way.
    """
    for name in files:
        _check_replaceable(folder / name, replace=False)
    for name, data in files.items():
        make_folder((folder / name).parent)
        write(folder / name, data, replace=False)


def make_folder(folder: Path, *, mode: int = 0o755) -> None:
    """Make a folder and those above it.

    Raises:
        FileError: it cannot be made.
    """
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot be made: {_why(error)}", source=str(folder)) from None
