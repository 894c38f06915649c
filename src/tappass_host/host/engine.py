"""Puts a set of files in force, all or none, and keeps what was there before.

The order makes it survive a kill at any point: contents are durable first, then one journal record says what
is to happen, then files are renamed into place, read back, and the generation becomes active, and only then
the journal goes. A start that finds a journal carries it out: every step can be repeated.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from tappass_host.host import beneath, clock, lock
from tappass_host.host.beneath import UnsafePathError
from tappass_host.host.change import Applied, Change, ForeignFileError, Mended, Wanted
from tappass_host.host.lock import QuarantineError
from tappass_host.host.store import Entry, Force, Generation, Meta, Original, Store
from tappass_host.host.validity import Validity, check_floor, check_time, validity
from tappass_host.policy.canonical import digest
from tappass_host.policy.errors import TappassError

__all__ = ["Applied", "Change", "Engine", "ForeignFileError", "QuarantineError", "Wanted"]

_JOURNAL: Final = "journal.json"
OPERATOR, EXPIRED = "operator", "expired"


class _Journal(Struct, frozen=True, kw_only=True):
    generation: int
    force: Force
    changes: tuple[Change, ...]


class Engine:
    """One host's files. Hold it only while working: it locks the state."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.store = Store(state)

    @classmethod
    @contextmanager
    def opened(cls, state: Path, *, wait_s: float = 0) -> Iterator["Engine"]:
        """An engine that nobody else has, with whatever was interrupted carried out.

        Args:
            state: the folder.
            wait_s: for how long to wait for another one to end.

        Raises:
            QuarantineError: another one is at work, or the journal is not one of ours.
        """
        with beneath.folder(state, create=True, mode=0o700):
            pass
        with lock.held(state / "lock", what="another tappass-host", wait_s=wait_s):
            engine = cls(state)
            try:
                engine.recover()
                yield engine
            finally:
                engine.store.close()

    def plan(self, wanted: Mapping[str, Wanted]) -> tuple[Change, ...]:
        """What would have to change for the wanted files to be in force; empty if they are."""
        return self._changes({path: Entry(digest(want.data), want.mode) for path, want in wanted.items()})

    def apply(
        self,
        wanted: Mapping[str, Wanted],
        meta: Meta,
        *,
        lockdown: Mapping[str, Wanted] | None = None,
        adopt: bool = False,
    ) -> Applied | None:
        """Put files in force; None if everything is so already.

        While an operator's lock-down lasts, it is the new lock-down that is put in force.

        Args:
            wanted: absolute path -> file.
            meta: what they were made from.
            lockdown: the same for the lock-down that the generation carries.
            adopt: take over files that are there and not ours; they are kept and come back on uninstall.

        Raises:
            ForeignFileError: such a file is there and is not to be adopted; nothing was written.
        """
        locked = self.store.force() if self.store.force().cause == OPERATOR else None
        if locked is None and not self.plan(wanted) and self._carries(meta, lockdown or {}):
            return None
        self._check_foreign({**(lockdown or {}), **wanted}, adopt=adopt)
        # Before anything is written: a kill in between must not leave room for an older version.
        self.store.raise_floor("host", meta.org, meta.audience, meta.policy_version, meta.policy_digest)
        number = self.store.add(meta, self._kept(wanted), self._kept(lockdown or {}))
        return self._put(number, locked or Force())

    def rollback(self, now: int) -> Applied:
        """Put the rendering before the active one back in force.

        Raises:
            QuarantineError: there is none, or an operator locked this host down.
            TrustError: it is below the floor, or its time is over.
        """
        previous = self.store.current("previous")
        if previous is None or previous.meta.policy_version == 0:
            raise QuarantineError("there is no previous generation", remedy="apply a policy instead")
        if self.store.force().cause == OPERATOR:
            raise QuarantineError("an operator locked this host down", remedy="tappass-host release first")
        check_floor(previous.meta, self.store.floors())
        check_time(previous.meta, now)
        return self._put(previous.id, Force())

    # Lock-down and time.

    def lock_down(self, why: str, *, cause: str = OPERATOR) -> Applied:
        """Put the lock-down of the active generation in force, over whatever is there.

        Raises:
            QuarantineError: nothing is in force, or it carries no lock-down.
        """
        active = self._active()
        if not self.store.files(active.id, "lockdown"):
            raise QuarantineError("the active generation carries no lock-down", remedy="apply a policy anew")
        return self._put(active.id, Force("lockdown", cause, why))

    def release(self, now: int) -> Applied:
        """Put the normal rendering of the active generation back in force.

        Raises:
            QuarantineError: nothing is in force, or it is not locked down.
            TrustError: its time is over.
        """
        active = self._active()
        if self.store.force().rendering != "lockdown":
            raise QuarantineError("nothing is locked down here")
        check_time(active.meta, now, active=True)
        return self._put(active.id, Force())

    def validity(self, now: int) -> Validity:
        """Where in the life of the active policy a trusted now lies."""
        active = self.store.current("active")
        return validity(active.meta if active else None, now)

    def check_validity(self, now: int) -> Applied | None:
        """Lock down if the active policy's time is over; nothing comes back by itself when time goes back."""
        over = self.validity(now) in ("early", "expired")
        if not over or self.store.force().rendering == "lockdown":
            return None
        return self.lock_down("the policy's time is over", cause=EXPIRED)

    def now(self, reading: clock.Reading | None = None) -> int:
        """Trusted now, by the clocks of this machine and what is known to have passed."""
        return clock.trusted(reading or clock.read(), self.store.mark())

    # Drift.

    def drifted(self) -> tuple[Change, ...]:
        """Files in force that are not on the disk as they should be, and such that should not be there."""
        return self._changes(self._in_force(), keep=self.store.originals())

    def restore(self) -> tuple[Mended, ...]:
        """Put drifted files right again; one that cannot be does not keep the others from it."""
        return tuple(self.mend(change) for change in self.drifted())

    def uninstall(self) -> tuple[Change, ...]:
        """Put every original back and take everything else of ours away."""
        changes = tuple(self._back(path) for path in sorted(self.store.originals()))
        for change in changes:
            self._do(change)
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
            self.store.drop_unsure()
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

    def _put(self, number: int, force: Force) -> Applied:
        """Put a rendering of a generation in force, whatever happens on the way."""
        files = self.store.files(number, force.rendering)
        kept = self.store.files(number) if force.rendering == "lockdown" else {}
        self._remember(files)
        changes = self._changes(files, keep=kept)
        journal = _Journal(generation=number, force=force, changes=changes)
        beneath.write(self.state / _JOURNAL, msgspec.json.encode(journal), 0o600)
        self._finish(journal)
        return Applied(number, changes)

    def _finish(self, journal: _Journal) -> None:
        for change in journal.changes:
            self._do(change)
        self._read_back(self.store.files(journal.generation, journal.force.rendering))
        beneath.before_step("activate")
        self.store.activate(journal.generation, journal.force)
        beneath.remove(self.state / _JOURNAL)

    def _do(self, change: Change) -> None:
        path = Path(change.path)
        if change.what == "remove":
            beneath.remove(path)
            return
        owner = (change.uid, change.gid) if change.uid >= 0 and os.geteuid() == 0 else None
        beneath.write(path, self.store.content(change.digest), change.mode, owner=owner)

    def mend(self, change: Change) -> Mended:
        """Put one drifted file right, or say why it cannot be."""
        try:
            self._do(change)
        except TappassError as error:
            return Mended(change, str(error))
        except OSError as error:
            return Mended(change, f"{change.path}: {error.strerror}")
        return Mended(change)

    def _read_back(self, files: Mapping[str, Entry]) -> None:
        wrong = [path for path, entry in files.items() if self._difference(path, entry)]
        if wrong:
            raise QuarantineError(
                f"{wrong[0]} does not hold what was written", remedy="see who else writes there"
            )

    # What differs.

    def _active(self) -> Generation:
        active = self.store.current("active")
        if active is None or active.meta.policy_version == 0:
            raise QuarantineError("nothing is in force here", remedy="apply a policy")
        return active

    def _in_force(self) -> dict[str, Entry]:
        active = self.store.current("active")
        return self.store.files(active.id, self.store.force().rendering) if active else {}

    def _changes(self, files: Mapping[str, Entry], keep: Iterable[str] = ()) -> tuple[Change, ...]:
        """What makes these files the ones of ours that are there.

        What is in `keep` is only taken away, and what was there before it comes back later: in a lock-down,
        settings of before us would be looser than none.
        """
        found = [c for path, entry in sorted(files.items()) if (c := self._difference(path, entry))]
        others = sorted(path for path in self.store.originals() if path not in files)
        gone = (Change(path, "remove") if path in {*keep} else self._back(path) for path in others)
        return (*found, *(c for c in gone if c.what != "remove" or os.path.lexists(c.path)))

    def _difference(self, path: str, entry: Entry) -> Change | None:
        try:
            found = beneath.read(Path(path))
        except UnsafePathError:
            # A link, a second name, another owner: a write replaces it, or refuses the way to it.
            found = None
        same = found is not None and digest(found.data) == entry.digest and found.mode == entry.mode
        return None if same else Change(path, "write", entry.digest, entry.mode)

    def _back(self, path: str) -> Change:
        original = self.store.originals().get(path)
        if original is None or original.digest is None:
            return Change(path, "remove")
        return Change(path, "restore", original.digest, original.mode, original.uid, original.gid)

    def _carries(self, meta: Meta, lockdown: Mapping[str, Wanted]) -> bool:
        """Whether the active generation was made from the same, and is not locked down."""
        active = self.store.current("active")
        if active is None or self.store.force().rendering != "normal":
            return False
        same = {path: Entry(digest(want.data), want.mode) for path, want in lockdown.items()}
        return active.meta[1:] == meta[1:] and self.store.files(active.id, "lockdown") == same

    def _check_foreign(self, wanted: Mapping[str, Wanted], *, adopt: bool) -> None:
        ours = self.store.originals()
        for path, want in sorted(wanted.items()):
            found = beneath.read(Path(path)) if path not in ours else None
            if found is not None and found.data != want.data and not adopt:
                remedy = "--adopt takes it over; it comes back on uninstall"
                raise ForeignFileError(
                    "a file that tappass did not write is here", source=path, remedy=remedy
                )

    def _kept(self, wanted: Mapping[str, Wanted]) -> dict[str, Entry]:
        return {path: Entry(self.store.keep(want.data), want.mode) for path, want in wanted.items()}

    def _remember(self, files: Mapping[str, Entry]) -> None:
        ours = self.store.originals()
        for path in files:
            if path in ours:
                continue
            self.store.note_folders(str(p) for p in Path(path).parents if not p.exists())
            self.store.remember(path, self._original(path))

    def _original(self, path: str) -> Original:
        found = beneath.read(Path(path))
        if found is None:
            return Original(None, 0, 0, 0)
        return Original(self.store.keep(found.data), found.mode, found.uid, found.gid)
