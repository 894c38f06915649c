"""Puts a set of files in force, all or none, and keeps what was there before.

The order makes it survive a kill at any point: contents are durable first, then one journal record says what
is to happen, then files are renamed into place, read back, and the generation becomes active, and only then
the journal goes. A start that finds a journal carries it out: every step can be repeated.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from tappass_host.host import beneath
from tappass_host.host.store import Entry, Generation, Meta, Original, Store
from tappass_host.policy.canonical import digest
from tappass_host.policy.errors import TappassError

_JOURNAL: Final = "journal.json"


class ForeignFileError(TappassError):
    """A managed file that we did not write is in the way."""


class QuarantineError(TappassError):
    """The state on the disk is not one that we made; nothing is touched until a person looks."""

    exit_code = 4


class Wanted(NamedTuple):
    """One file as it is to be."""

    data: bytes
    mode: int = 0o644


class Change(NamedTuple):
    """What is to happen at a path: `write`, `restore` (what was there before us) or `remove`."""

    path: str
    what: str
    digest: str = ""
    mode: int = 0


class Applied(NamedTuple):
    """What an apply did."""

    generation: int
    changes: tuple[Change, ...]


class _Journal(Struct, frozen=True, kw_only=True):
    generation: int
    changes: tuple[Change, ...]


class Engine:
    """One host's files. Hold it only while working: it locks the state."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.store = Store(state)

    @classmethod
    @contextmanager
    def opened(cls, state: Path) -> Iterator["Engine"]:
        """An engine that nobody else has, with whatever was interrupted carried out.

        Raises:
            QuarantineError: another one is at work, or the journal is not one of ours.
        """
        engine = cls(state)
        lock = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise QuarantineError("another tappass-host is at work", source=str(state)) from None
            engine.recover()
            yield engine
        finally:
            engine.store.close()
            os.close(lock)

    def plan(self, wanted: Mapping[str, Wanted]) -> tuple[Change, ...]:
        """What would have to change for the wanted files to be in force; empty if they are."""
        ours = self._active_files()
        found = [c for path, want in sorted(wanted.items()) if (c := self._write_of(path, want)) is not None]
        gone = sorted(path for path in ours if path not in wanted)
        return (*found, *(self._back(path) for path in gone))

    def apply(self, wanted: Mapping[str, Wanted], meta: Meta, *, adopt: bool = False) -> Applied | None:
        """Put files in force; None if everything is so already.

        Args:
            wanted: absolute path -> file.
            meta: what they were made from.
            adopt: take over files that are there and not ours; they are kept and come back on uninstall.

        Raises:
            ForeignFileError: such a file is there and is not to be adopted; nothing was written.
        """
        changes = self.plan(wanted)
        active = self.store.current("active")
        if not changes and active is not None and active.meta.plan_digest == meta.plan_digest:
            return None
        self._check_foreign(wanted, adopt=adopt)
        files = {path: Entry(self.store.keep(want.data), want.mode) for path, want in wanted.items()}
        self._remember(files)
        number = self.store.add(meta, files)
        self._carry_out(_Journal(generation=number, changes=changes))
        return Applied(number, changes)

    def rollback(self) -> Applied:
        """Put the rendering before the active one back in force.

        Raises:
            QuarantineError: there is none.
        """
        previous = self.store.current("previous")
        if previous is None:
            raise QuarantineError("there is no previous generation", remedy="apply a policy instead")
        files = self.store.files(previous.id)
        wanted = {path: Wanted(self.store.content(e.digest), e.mode) for path, e in files.items()}
        changes = self.plan(wanted)
        self._carry_out(_Journal(generation=previous.id, changes=changes))
        return Applied(previous.id, changes)

    def drifted(self) -> tuple[Change, ...]:
        """Active files that are not on the disk as they should be."""
        ours = self._active_files()
        return tuple(c for path, e in sorted(ours.items()) if (c := self._difference(path, e)) is not None)

    def restore(self) -> tuple[Change, ...]:
        """Put drifted files right again."""
        changes = self.drifted()
        for change in changes:
            self._do(change)
        return changes

    def uninstall(self) -> tuple[Change, ...]:
        """Put every original back and take everything else of ours away."""
        changes = tuple(self._back(path) for path in sorted(self._active_files()))
        for change in changes:
            self._do(change)
        self.store.forget(change.path for change in changes)
        for made in sorted(self.store.folders(), key=len, reverse=True):
            with contextlib.suppress(OSError):
                Path(made).rmdir()
        self.store.activate(self.store.add(Meta("", 0, "", ""), {}))
        return changes

    def recover(self) -> Applied | None:
        """Carry out what a journal says is under way.

        Raises:
            QuarantineError: the journal is not one that we wrote.
        """
        found = beneath.read(self.state / _JOURNAL)
        if found is None:
            return None
        try:
            journal = msgspec.json.decode(found.data, type=_Journal)
        except msgspec.DecodeError as error:
            raise QuarantineError(
                f"the journal is damaged: {error}", source=str(self.state / _JOURNAL)
            ) from None
        self._finish(journal)
        return Applied(journal.generation, journal.changes)

    # The steps.

    def _carry_out(self, journal: _Journal) -> None:
        beneath.write(self.state / _JOURNAL, msgspec.json.encode(journal), 0o600)
        self._finish(journal)

    def _finish(self, journal: _Journal) -> None:
        for change in journal.changes:
            self._do(change)
        self._read_back(journal.generation)
        beneath.before_step("activate")
        self.store.activate(journal.generation)
        self.store.forget(c.path for c in journal.changes if c.what != "write")
        beneath.remove(self.state / _JOURNAL)

    def _do(self, change: Change) -> None:
        path = Path(change.path)
        match change.what:
            case "write":
                beneath.write(path, self.store.content(change.digest), change.mode)
            case "restore":
                original = self.store.originals().get(change.path)
                owner = (original.uid, original.gid) if original and os.geteuid() == 0 else None
                beneath.write(path, self.store.content(change.digest), change.mode, owner=owner)
            case _:
                beneath.remove(path)

    def _read_back(self, number: int) -> None:
        wrong = [path for path, entry in self.store.files(number).items() if self._difference(path, entry)]
        if wrong:
            raise QuarantineError(
                f"{wrong[0]} does not hold what was written", remedy="see who else writes there"
            )

    # What differs.

    def _active_files(self) -> dict[str, Entry]:
        active: Generation | None = self.store.current("active")
        return self.store.files(active.id) if active else {}

    def _write_of(self, path: str, want: Wanted) -> Change | None:
        return self._difference(path, Entry(digest(want.data), want.mode))

    def _difference(self, path: str, entry: Entry) -> Change | None:
        found = beneath.read(Path(path))
        same = found is not None and digest(found.data) == entry.digest and found.mode == entry.mode
        return None if same else Change(path, "write", entry.digest, entry.mode)

    def _back(self, path: str) -> Change:
        original = self.store.originals().get(path)
        if original is None or original.digest is None:
            return Change(path, "remove")
        return Change(path, "restore", original.digest, original.mode)

    def _check_foreign(self, wanted: Mapping[str, Wanted], *, adopt: bool) -> None:
        ours = {*self._active_files(), *self.store.originals()}
        for path, want in sorted(wanted.items()):
            found = beneath.read(Path(path)) if path not in ours else None
            if found is not None and found.data != want.data and not adopt:
                remedy = "tappass-host adopt takes it over; it comes back on uninstall"
                raise ForeignFileError(
                    "a file that tappass did not write is here", source=path, remedy=remedy
                )

    def _remember(self, files: Mapping[str, Entry]) -> None:
        ours = self._active_files()
        for path in files:
            if path in ours:
                continue
            self.store.note_folders(str(p) for p in Path(path).parents if not p.exists())
            found = beneath.read(Path(path))
            if found is None:
                self.store.remember(path, Original(None, 0, 0, 0))
            else:
                self.store.remember(
                    path, Original(self.store.keep(found.data), found.mode, found.uid, found.gid)
                )
