"""What a host remembers: generations, the files of each, what was there before us. SQLite in WAL mode.

Contents lie beside the database, named by their digest, so a generation can be put back at any time.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Literal, NamedTuple

from tappass_host.host import beneath
from tappass_host.policy.canonical import digest
from tappass_host.policy.errors import TappassError

State = Literal["candidate", "active", "previous", "retired"]
_SCHEMA: Final = """
create table if not exists generation (
    id integer primary key, state text not null, made_at text not null, policy_version integer not null,
    policy_digest text not null, plan_digest text not null);
create table if not exists file (
    generation integer not null, path text not null, digest text not null, mode integer not null,
    primary key (generation, path));
create table if not exists original (
    path text primary key, digest text, mode integer, uid integer, gid integer);
create table if not exists made_folder (path text primary key);
create table if not exists floor (
    root text not null, org text not null, audience text not null, version integer not null,
    digest text not null, primary key (root, org, audience));
"""


class StoreError(TappassError):
    """The state of this host cannot be used."""

    exit_code = 4


class Meta(NamedTuple):
    """What a generation was made from."""

    made_at: str
    policy_version: int
    policy_digest: str
    plan_digest: str


class Generation(NamedTuple):
    """One set of files."""

    id: int
    state: State
    meta: Meta


class Entry(NamedTuple):
    """One file of a generation: its content by digest, and its mode."""

    digest: str
    mode: int


class Original(NamedTuple):
    """What was at a path before us; no digest if there was nothing."""

    digest: str | None
    mode: int
    uid: int
    gid: int


class Store:
    """The state folder of one host."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with beneath.folder(folder, create=True, mode=0o700):
            pass
        try:
            self._db = sqlite3.connect(folder / "state.db", isolation_level=None, timeout=10)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute("pragma synchronous=full")
            self._db.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            remedy = "restore it from a backup, or `tappass-host apply` after moving it away"
            raise StoreError(f"the database is damaged: {error}", source=str(folder), remedy=remedy) from None

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()

    # Contents.

    def keep(self, data: bytes) -> str:
        """Store a content durably and return its digest."""
        name = digest(data)
        path = self._object(name)
        if not path.exists():
            beneath.write(path, data, 0o600)
        return name

    def content(self, name: str) -> bytes:
        """A stored content, checked against its digest.

        Raises:
            StoreError: it is gone or was changed.
        """
        found = beneath.read(self._object(name))
        if found is None or digest(found.data) != name:
            raise StoreError(f"object {name} is gone or was changed", source=str(self.folder))
        return found.data

    def _object(self, name: str) -> Path:
        return self.folder / "objects" / name.removeprefix("sha256:")

    # Generations.

    def add(self, meta: Meta, files: Mapping[str, Entry]) -> int:
        """Record a candidate with its files."""
        with self._db:
            self._db.execute("begin immediate")
            cursor = self._db.execute(
                "insert into generation (state, made_at, policy_version, policy_digest, plan_digest)"
                " values ('candidate', ?, ?, ?, ?)",
                meta,
            )
            number = int(cursor.lastrowid or 0)
            rows = [(number, path, entry.digest, entry.mode) for path, entry in files.items()]
            self._db.executemany("insert into file values (?, ?, ?, ?)", rows)
        return number

    def activate(self, number: int) -> None:
        """Make a generation the active one; the one before it becomes the previous. Idempotent."""
        active = self.current("active")
        if active is not None and active.id == number:
            return
        with self._db:
            self._db.execute("begin immediate")
            self._db.execute(
                "update generation set state = 'retired' where state in ('previous', 'candidate')"
            )
            self._db.execute("update generation set state = 'previous' where state = 'active'")
            self._db.execute("update generation set state = 'active' where id = ?", (number,))

    def current(self, state: State) -> Generation | None:
        """The generation in a state, if there is one."""
        row = self._db.execute(
            "select id, state, made_at, policy_version, policy_digest, plan_digest from generation"
            " where state = ? order by id desc limit 1",
            (state,),
        ).fetchone()
        return None if row is None else Generation(row[0], row[1], Meta(*row[2:]))

    def files(self, number: int) -> dict[str, Entry]:
        """Path -> entry of a generation."""
        rows = self._db.execute("select path, digest, mode from file where generation = ?", (number,))
        return {path: Entry(name, mode) for path, name, mode in rows}

    # What was there before.

    def remember(self, path: str, original: Original) -> None:
        """Keep what was at a path before us; what is kept already stays."""
        self._db.execute("insert or ignore into original values (?, ?, ?, ?, ?)", (path, *original))

    def originals(self) -> dict[str, Original]:
        """Path -> what was there."""
        return {row[0]: Original(*row[1:]) for row in self._db.execute("select * from original")}

    def note_folders(self, paths: Iterable[str]) -> None:
        """Keep which folders we are about to make: they go again on uninstall."""
        self._db.executemany("insert or ignore into made_folder values (?)", [(path,) for path in paths])

    def folders(self) -> list[str]:
        """Folders that we made."""
        return [row[0] for row in self._db.execute("select path from made_folder")]

    def forget(self, paths: Iterable[str]) -> None:
        """Forget originals that were put back."""
        self._db.executemany("delete from original where path = ?", [(path,) for path in paths])

    # Floors.

    def raise_floor(self, root: str, org: str, audience: str, version: int, policy_digest: str) -> None:
        """Remember the highest version accepted for an audience."""
        self._db.execute(
            "insert into floor values (?, ?, ?, ?, ?) on conflict (root, org, audience) do update"
            " set version = excluded.version, digest = excluded.digest where excluded.version >= version",
            (root, org, audience, version, policy_digest),
        )

    def floors(self) -> dict[tuple[str, str, str], tuple[int, str]]:
        """(root, org, audience) -> (version, digest)."""
        rows = self._db.execute("select root, org, audience, version, digest from floor")
        return {(row[0], row[1], row[2]): (row[3], row[4]) for row in rows}
