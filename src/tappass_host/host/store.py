"""What a host remembers: generations, the files of each, what was there before us. SQLite in WAL mode.

Contents lie beside the database, named by their digest, so a generation can be put back at any time.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Literal, NamedTuple

from tappass_host.host import beneath
from tappass_host.host.clock import Mark
from tappass_host.policy.canonical import digest
from tappass_host.policy.errors import TappassError

State = Literal["candidate", "active", "previous", "retired"]
Rendering = Literal["normal", "lockdown"]
_SCHEMA: Final = """
create table if not exists generation (
    id integer primary key, state text not null, made_at text not null, policy_version integer not null,
    policy_digest text not null, plan_digest text not null, org text not null, audience text not null,
    not_before integer not null, expires_at integer not null, retain_until integer not null);
create table if not exists file (
    generation integer not null, rendering text not null, path text not null, digest text not null,
    mode integer not null, primary key (generation, rendering, path));
create table if not exists original (
    path text primary key, digest text, mode integer, uid integer, gid integer, sure integer not null);
create table if not exists force (
    one integer primary key check (one = 1), rendering text not null, cause text not null, why text not null);
create table if not exists mark (
    one integer primary key check (one = 1), instant real not null, boot real not null,
    boot_id text not null);
create table if not exists made_folder (path text primary key);
create table if not exists floor (
    root text not null, org text not null, audience text not null, version integer not null,
    digest text not null, primary key (root, org, audience));
"""
_META: Final = (
    "made_at, policy_version, policy_digest, plan_digest, org, audience, not_before, expires_at, retain_until"
)


class StoreError(TappassError):
    """The state of this host cannot be used."""

    exit_code = 4


class Meta(NamedTuple):
    """What a generation was made from.

    Attributes:
        made_at: instant of the apply.
        policy_version: of the policy; 0 for a generation of nothing.
        policy_digest: of its exact bytes.
        plan_digest: of the plan that was rendered.
        org: whose policy.
        audience: for whom, as the floors call it.
        not_before: Unix seconds.
        expires_at: Unix seconds; 0, and so has ended, unless it is said.
        retain_until: Unix seconds; 0 if it is not kept after its end.
    """

    made_at: str
    policy_version: int
    policy_digest: str
    plan_digest: str
    org: str = ""
    audience: str = ""
    not_before: int = 0
    expires_at: int = 0
    retain_until: int = 0


class Generation(NamedTuple):
    """One set of files."""

    id: int
    state: State
    meta: Meta


class Force(NamedTuple):
    """Which rendering of the active generation is in force.

    Attributes:
        rendering: `normal`, or `lockdown`.
        cause: of a lock-down: `operator` (stays until a person releases it) or `expired`.
        why: in words.
    """

    rendering: Rendering = "normal"
    cause: str = ""
    why: str = ""


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


_NORMAL: Final = Force()


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

    def add(self, meta: Meta, files: Mapping[str, Entry], lockdown: Mapping[str, Entry] | None = None) -> int:
        """Record a candidate with its files, and with those of its lock-down."""
        with self._db:
            self._db.execute("begin immediate")
            marks = ", ".join("?" * len(meta))
            cursor = self._db.execute(
                f"insert into generation (state, {_META}) values ('candidate', {marks})",  # noqa: S608 - constants
                meta,
            )
            number = int(cursor.lastrowid or 0)
            for rendering, entries in (("normal", files), ("lockdown", lockdown or {})):
                rows = [(number, rendering, path, *entry) for path, entry in entries.items()]
                self._db.executemany("insert into file values (?, ?, ?, ?, ?)", rows)
        return number

    def activate(self, number: int, force: Force = _NORMAL) -> None:
        """Make a rendering of a generation the one in force; the active one becomes the previous. Idempotent.

        Originals of files that are in no rendering in use were given back, and are forgotten.
        """
        active = self.current("active")
        with self._db:
            self._db.execute("begin immediate")
            if active is None or active.id != number:
                self._db.execute(
                    "update generation set state = 'retired' where state in ('previous', 'candidate')"
                )
                self._db.execute("update generation set state = 'previous' where state = 'active'")
                self._db.execute("update generation set state = 'active' where id = ?", (number,))
            self._db.execute("insert or replace into force values (1, ?, ?, ?)", force)
            self._db.execute("update original set sure = 1")
            self._db.execute(
                "delete from original where path not in"
                " (select path from file where generation = ? and rendering in ('normal', ?))",
                (number, force.rendering),
            )

    def force(self) -> Force:
        """Which rendering is in force."""
        row = self._db.execute("select rendering, cause, why from force").fetchone()
        return Force(*row) if row else _NORMAL

    def current(self, state: State) -> Generation | None:
        """The generation in a state, if there is one."""
        row = self._db.execute(
            f"select id, state, {_META} from generation where state = ? order by id desc limit 1",  # noqa: S608
            (state,),
        ).fetchone()
        return None if row is None else Generation(row[0], row[1], Meta(*row[2:]))

    def files(self, number: int, rendering: Rendering = "normal") -> dict[str, Entry]:
        """Path -> entry of a generation in one of its renderings."""
        rows = self._db.execute(
            "select path, digest, mode from file where generation = ? and rendering = ?", (number, rendering)
        )
        return {path: Entry(name, mode) for path, name, mode in rows}

    # What was there before.

    def remember(self, path: str, original: Original) -> None:
        """Keep what was at a path before us; it counts once a generation is activated."""
        self._db.execute("insert or replace into original values (?, ?, ?, ?, ?, 0)", (path, *original))

    def drop_unsure(self) -> None:
        """Forget what was kept for a generation that never came: nothing of it was written."""
        self._db.execute("delete from original where sure = 0")

    def originals(self) -> dict[str, Original]:
        """Path -> what was there, of every path that we wrote and did not give back."""
        rows = self._db.execute("select path, digest, mode, uid, gid from original")
        return {row[0]: Original(*row[1:]) for row in rows}

    def note_folders(self, paths: Iterable[str]) -> None:
        """Keep which folders we are about to make: they go again on uninstall."""
        self._db.executemany("insert or ignore into made_folder values (?)", [(path,) for path in paths])

    def folders(self) -> list[str]:
        """Folders that we made."""
        return [row[0] for row in self._db.execute("select path from made_folder")]

    # Time.

    def mark(self) -> Mark | None:
        """The latest instant that is known to have passed."""
        row = self._db.execute("select instant, boot, boot_id from mark").fetchone()
        return Mark(*row) if row else None

    def keep_mark(self, mark: Mark) -> None:
        """Keep such an instant."""
        self._db.execute("insert or replace into mark values (1, ?, ?, ?)", mark)

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
