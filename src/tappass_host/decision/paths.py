"""What a path really names, in the file system of the process that asks.

The path is walked component by component below an open root, so that a link leads where it leads *there*, and
never into the file system of this service. Some programs fold `..` before the kernel sees it and some do not:
both readings are given, and both are judged. What cannot be known for sure is refused.
"""

import os
import posixpath
import re
import stat
import unicodedata
from collections.abc import Iterator
from typing import Final

from tappass_host.policy.errors import PolicyError

_LINKS: Final = 40
# Only Linux has descriptors that name a folder without reading it.
_PATH: Final = getattr(os, "O_PATH", os.O_RDONLY)
_NODE: Final = _PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_FOREIGN: Final = re.compile(r"[A-Za-z]:[\\/]|\\\\")


class PathError(PolicyError):
    """A path that cannot be judged: what it names is not sure."""


def open_root(pid: int) -> int:
    """The root folder of a process.

    Raises:
        PathError: it cannot be opened.
    """
    try:
        return os.open(f"/proc/{pid}/root" if pid else "/", _PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise PathError(
            f"the files that the agent sees cannot be seen from here: {error.strerror}"
        ) from error


def readings(root: int, path: str, *, cwd: str, home: str) -> tuple[str, ...]:
    """Every absolute path, links followed, that a path may stand for.

    Args:
        root: descriptor of the root folder that the agent sees.
        path: as the agent wrote it.
        cwd: working folder of the harness.
        home: what `~` stands for.

    Raises:
        PathError: what it names is not sure.
    """
    written = _absolute(path, cwd, home)
    spelled = dict.fromkeys((written, posixpath.normpath(written)))
    return tuple(dict.fromkeys(found for path in spelled for found in _walk(root, path)))


def _absolute(path: str, cwd: str, home: str) -> str:
    if not path or "\0" in path:
        raise PathError("an empty path, or one with a NUL in it")
    if _FOREIGN.match(path):
        raise PathError("a path of another system")
    if path == "~" or path.startswith("~/"):
        path = home + path[1:]
    elif path.startswith("~"):
        raise PathError("the home of another user")
    if path.startswith("/"):
        return path
    if not cwd.startswith("/"):
        raise PathError("a relative path, and no folder that it is relative to")
    return f"{cwd}/{path}"


class _Walk:
    """One walk: the names so far, and an open folder for each as long as they exist."""

    def __init__(self, root: int) -> None:
        self.names: list[str] = []
        self.folders: list[int | None] = [root]
        self.folds = False
        self.links = 0
        proc, top = _look(root, "proc"), os.stat(root)
        self.proc = None if proc is None or proc.st_dev == top.st_dev else proc.st_dev

    def up(self) -> None:
        """`..`: the root is its own parent."""
        if self.names:
            self.names.pop()
            _close(self.folders.pop())

    def top(self) -> None:
        """Back to the root, for an absolute link."""
        while self.names:
            self.up()

    def folded(self) -> list[str]:
        """The names, those that are not there yet in lower case: they will be found under any spelling."""
        there = (folder is not None for folder in self.folders[1:])
        return [
            name if is_there else name.casefold() for name, is_there in zip(self.names, there, strict=True)
        ]

    def down(self, name: str, folder: int | None) -> None:
        """Into what may be a folder."""
        self.names.append(name)
        self.folders.append(folder)


def _walk(root: int, path: str) -> Iterator[str]:
    walk = _Walk(root)
    todo = path.split("/")[::-1]
    try:
        while todo:
            name = todo.pop()
            if name == "..":
                walk.up()
            elif name not in ("", "."):
                todo += _step(walk, name)
        yield "/" + "/".join(walk.names)
        if walk.folds:
            yield "/" + "/".join(walk.folded())
    except OSError as error:
        raise PathError(f"it cannot be looked up: {error.strerror}") from error
    finally:
        walk.top()


def _step(walk: _Walk, name: str) -> list[str]:
    """Take one name; gives what has to be walked instead if it is a link."""
    folder = walk.folders[-1]
    info = None if folder is None else _look(folder, name)
    if folder is None or info is None:
        walk.folds = walk.folds or (folder is not None and _folds(folder))
        walk.down(name, None)
        return []
    if stat.S_ISLNK(info.st_mode):
        return _follow(walk, folder, name, info)
    name = _spelling(folder, name, info)
    walk.down(name, os.open(name, _NODE, dir_fd=folder) if stat.S_ISDIR(info.st_mode) else None)
    return []


def _look(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _follow(walk: _Walk, folder: int, name: str, info: os.stat_result) -> list[str]:
    walk.links += 1
    if walk.links > _LINKS:
        raise PathError("too many links")
    # Links of a process file system lead anywhere, and elsewhere for each process that follows them.
    if info.st_dev == walk.proc:
        raise PathError("it leads through links of /proc, which name something else for each process")
    target = os.readlink(name, dir_fd=folder)
    if target.startswith("/"):
        walk.top()
    return target.split("/")[::-1]


def _folds(folder: int) -> bool:
    """Whether a folder finds names under another case: asked of any name that is in it."""
    for name in _names(folder)[:16]:
        info, other = _look(folder, name), _look(folder, name.swapcase())
        if name != name.swapcase() and info is not None:
            return other is not None and (other.st_ino, other.st_dev) == (info.st_ino, info.st_dev)
    return False


def _spelling(folder: int, name: str, info: os.stat_result) -> str:
    """The name as it stands in its folder, where that also finds it under another case."""
    other = name.swapcase()
    if other == name:
        return name
    twin = _look(folder, other)
    if twin is None or (twin.st_ino, twin.st_dev) != (info.st_ino, info.st_dev):
        return name
    names = _names(folder)
    if name in names:
        return name
    return next((real for real in names if _same(real, name)), name)


def _names(folder: int) -> list[str]:
    # A descriptor of a name alone cannot be listed, the folder behind it can.
    return os.listdir(f"/proc/self/fd/{folder}" if hasattr(os, "O_PATH") else folder)  # noqa: PTH208


def _same(a: str, b: str) -> bool:
    first, second = (unicodedata.normalize("NFC", text).casefold() for text in (a, b))
    return first == second


def _close(folder: int | None) -> None:
    if folder is not None:
        os.close(folder)
