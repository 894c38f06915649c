"""What must survive a restart: counts, labels, tainted files, and what people answered. One SQLite file.

All sandboxes of an agent share it, so a budget is the agent's and a file that one sandbox tainted is tainted
for the next. What is committed outlives this process; labels and answers are on the disk before a verdict
leaves, so they outlive a loss of power too. A count of the last minute need not.
"""

import contextlib
import os
import sqlite3
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tappass_host.policy.errors import MissingTargetError

_VERSION: Final = 1
_BUSY_MS: Final = 1000
# One more, and the whole file system counts as tainted: a bound, on the safe side.
_MOST_FILES: Final = 10_000
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS counts (agent TEXT PRIMARY KEY, minute INTEGER NOT NULL, n INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS labels (sandbox TEXT, label TEXT, request TEXT, PRIMARY KEY (sandbox, label));
CREATE TABLE IF NOT EXISTS files (path TEXT, label TEXT, tree INTEGER, PRIMARY KEY (path, label, tree));
CREATE TABLE IF NOT EXISTS grants (
    binding TEXT PRIMARY KEY, once INTEGER NOT NULL, until REAL NOT NULL, request TEXT, what TEXT);
"""


class Grant(NamedTuple):
    """A person's yes, for as long as it holds."""

    binding: str
    once: bool
    until: float
    request: str
    what: str


class State:
    """The database.

    Args:
        path: of the file; made with its folder if it is not there.

    Raises:
        MissingTargetError: it cannot be used, or belongs to somebody else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lasting = False
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _private(path)
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_MS / 1000)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(_SCHEMA)
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version not in (0, _VERSION):
                raise MissingTargetError(f"{path} was written by another version")
            self._db.execute(f"PRAGMA user_version={_VERSION}")
        except sqlite3.Error as error:
            raise MissingTargetError(f"{path} cannot be used: {error}", remedy="move it away") from error

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and nobody else in between.

        Raises:
            MissingTargetError: the database cannot be written; nothing was changed.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
            self._sync()
        except (sqlite3.Error, OSError) as error:
            raise MissingTargetError(f"{self.path} cannot be written: {error}") from error

    def _sync(self) -> None:
        """Put the last commit on the disk: everything that is in the log of the database up to now."""
        if self._lasting:
            handle = os.open(f"{self.path}-wal", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
            self._lasting = False

    # -- budget

    def count(self, agent: str, minute: int, limit: int) -> bool:
        """Count one call if the limit allows it. A minute that lies before the last one opens nothing."""
        row = self._db.execute("SELECT minute, n FROM counts WHERE agent = ?", (agent,)).fetchone()
        last, n = row or (minute, 0)
        if minute > last:
            last, n = minute, 0
        if n + 1 > limit:
            return False
        self._db.execute("REPLACE INTO counts VALUES (?, ?, ?)", (agent, last, n + 1))
        return True

    # -- taint

    def labels(self, sandbox: str) -> frozenset[str]:
        """The labels of a sandbox."""
        rows = self._db.execute("SELECT label FROM labels WHERE sandbox = ?", (sandbox,))
        return frozenset(label for (label,) in rows)

    def set_labels(self, sandbox: str, labels: Iterable[str], request: str) -> list[str]:
        """Set labels; gives those that are new."""
        insert = "INSERT OR IGNORE INTO labels VALUES (?, ?, ?)"
        wanted = sorted(labels)
        new = [label for label in wanted if self._db.execute(insert, (sandbox, label, request)).rowcount]
        self._lasting = self._lasting or bool(new)
        return new

    def clear(self, sandbox: str, label: str) -> bool:
        """Take a label from a sandbox and from every file; gives whether it was there."""
        gone = self._db.execute("DELETE FROM labels WHERE sandbox = ? AND label = ?", (sandbox, label))
        files = self._db.execute("DELETE FROM files WHERE label = ?", (label,))
        return bool(gone.rowcount + files.rowcount)

    def taint_files(self, places: Iterable[tuple[str, bool]], labels: Iterable[str]) -> None:
        """Mark what is written while labels are set."""
        rows = [(path, label, tree) for path, tree in places for label in sorted(labels)]
        self._lasting = self._lasting or bool(rows)
        self._db.executemany("INSERT OR IGNORE INTO files VALUES (?, ?, ?)", rows)
        (found,) = self._db.execute("SELECT count(*) FROM files").fetchone()
        if found > _MOST_FILES:
            self._db.execute("INSERT OR IGNORE INTO files SELECT DISTINCT '/', label, 1 FROM files")
            self._db.execute("DELETE FROM files WHERE path <> '/'")

    def carried(self, places: Iterable[tuple[str, bool]]) -> frozenset[str]:
        """The labels of what is read: of the path, of a folder above it, and of what lies below a tree."""
        found: set[str] = set()
        for path, tree in places:
            below = path.rstrip("/") + "/"
            rows = self._db.execute(
                "SELECT DISTINCT label FROM files WHERE path = :path"
                " OR (tree AND (path = '/' OR substr(:path, 1, length(path) + 1) = path || '/'))"
                " OR (:tree AND substr(path, 1, length(:below)) = :below)",
                {"path": path, "below": below, "tree": tree},
            )
            found.update(label for (label,) in rows)
        return frozenset(found)

    # -- answers

    def grant(self, grant: Grant) -> None:
        """Keep a yes; a newer one for the same call takes its place."""
        self._db.execute("REPLACE INTO grants VALUES (?, ?, ?, ?, ?)", grant)
        self._lasting = True

    def use(self, binding: str, now: float) -> str:
        """Use a yes for this very call; gives the request that was answered, or an empty text."""
        self._db.execute("DELETE FROM grants WHERE until <= ?", (now,))
        row = self._db.execute("SELECT once, request FROM grants WHERE binding = ?", (binding,)).fetchone()
        if row is None:
            return ""
        if row[0]:
            self._db.execute("DELETE FROM grants WHERE binding = ?", (binding,))
            self._lasting = True
        return str(row[1])

    def revoke(self, request: str) -> bool:
        """Take a yes back; gives whether there was one."""
        self._lasting = True
        return bool(self._db.execute("DELETE FROM grants WHERE request = ?", (request,)).rowcount)

    def grants(self, now: float) -> list[Grant]:
        """What still holds."""
        rows = self._db.execute("SELECT * FROM grants WHERE until > ? ORDER BY until", (now,))
        return [Grant(binding, bool(once), until, req, what) for binding, once, until, req, what in rows]


def _private(path: Path) -> None:
    """A file of ours alone, or none: SQLite would follow a link and use what is there."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise MissingTargetError(f"{path} cannot be used: {error.strerror}") from error
    try:
        info = os.fstat(handle)
    finally:
        os.close(handle)
    if not stat.S_ISREG(info.st_mode) or info.st_uid != os.geteuid() or info.st_mode & 0o077:
        raise MissingTargetError(f"{path} is not a file of the service alone", remedy="move it away")
