"""The daemon: files that drift are put right, and a policy whose time is over is locked down.

It holds the state of the host only while it works, so that `apply` and the other commands can too; that there
is one daemon is held by a lock of its own. Whatever goes wrong is said, and tried again at the next tick.
"""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Final

from tappass_host.audit.events import Drifted, Expired, PolicyLabel, Quarantined
from tappass_host.host import beneath, clock, lock, watch
from tappass_host.host.change import Change, Mended
from tappass_host.host.engine import Engine
from tappass_host.host.record import Record, Say
from tappass_host.host.store import Meta
from tappass_host.host.validity import validity
from tappass_host.policy.canonical import digest
from tappass_host.policy.errors import TappassError

# How long the mark of the clock may stay in memory alone: a write a second would keep a disk awake.
_MARK_S: Final = 60.0
_WAIT_S: Final = 5.0
# Where changes are seen as they happen, everything is read anew only this often: for what no event tells of.
_ANEW_S: Final = 5.0


class Daemon:
    """Looks after one host. `say(word, text)` is called for everything worth knowing."""

    def __init__(
        self,
        state: Path,
        say: Say,
        *,
        clocks: Callable[[], clock.Reading] = clock.read,
        period_s: float = 1.0,
    ) -> None:
        self.state, self._say, self._clocks, self._period_s = state, say, clocks, period_s
        self._record = Record(state / "audit", say)
        self._trouble = ""
        self._folders: frozenset[Path] = frozenset()
        self._had = False
        self._meta: Meta | None = None
        self._mark: clock.Mark | None = None
        self._looked_at = float("-inf")

    def run(self, stop: Event) -> None:
        """Work until `stop` is set.

        Raises:
            BusyError: another daemon looks after this host.
        """
        with beneath.folder(self.state, create=True, mode=0o700):
            pass
        with lock.held(self.state / "daemon.lock", what="another daemon"):
            how = "changes are seen at once" if watch.watches() else f"looking every {self._period_s:g} s"
            self._say("daemon", f"looks after {self.state}, {how}")
            try:
                while not stop.is_set():
                    self._until_folders_change(stop)
            finally:
                self._record.close()
        self._say("daemon", "ended")

    def once(self) -> tuple[Mended, ...]:
        """Do what is due now: keep the time, lock down if the policy's time is over, put files right.

        Raises:
            TappassError: the state cannot be used.
        """
        with Engine.opened(self.state, wait_s=_WAIT_S) as engine:
            self._check_lost(engine)
            self._check_time(engine)
            mended = tuple(self._mend(engine, change) for change in engine.drifted())
            self._folders = frozenset(Path(path).parent for path in engine.store.originals())
            self._mark = engine.store.mark()
            self._looked_at = time.monotonic()
            return mended

    def close(self) -> None:
        """Let go of the audit log."""
        self._record.close()

    # The steps.

    def _until_folders_change(self, stop: Event) -> None:
        """Watch a set of folders; another generation may have others, and one that was gone may be back."""
        self._tried()
        watched = self._there()
        for changed in watch.ticks(watched, stop, period_s=self._period_s):
            if changed or self._due():
                self._tried()
            if self._there() != watched:
                return

    def _due(self) -> bool:
        """Whether there may be something to do although nothing happened; asked every second, so cheap."""
        if self._trouble or not watch.watches() or time.monotonic() - self._looked_at >= _ANEW_S:
            return True
        return validity(self._meta, clock.trusted(self._clocks(), self._mark)) in ("early", "expired")

    def _there(self) -> dict[Path, int]:
        """The folders to watch. A folder that was taken away and made again is another one."""
        return {folder: folder.stat().st_ino for folder in sorted(self._folders) if folder.is_dir()}

    def _tried(self) -> None:
        try:
            self.once()
        except (TappassError, OSError, sqlite3.Error) as error:
            if str(error) != self._trouble:
                self._say("error", str(error))
            self._trouble = str(error)
        else:
            self._trouble = ""

    def _check_lost(self, engine: Engine) -> None:
        active = engine.store.current("active")
        has, self._meta = active is not None, active.meta if active else None
        if self._had and not has:
            reason = "the state of this host is gone: nothing is known to be in force"
            self._say("LOST", reason)
            self._record.append(Quarantined(reason=reason))
        self._had = has

    def _check_time(self, engine: Engine) -> None:
        reading, mark = self._clocks(), engine.store.mark()
        now = clock.trusted(reading, mark)
        if engine.check_validity(now) is not None:
            active = engine.store.current("active")
            assert active is not None
            label = PolicyLabel(digest=active.meta.policy_digest, version=active.meta.policy_version)
            self._say("EXPIRED", f"policy v{active.meta.policy_version}: its lock-down is in force")
            self._record.append(Expired(policy=label, action="lockdown"))
        if mark is not None and (mark.boot_id != reading.boot_id or reading.boot - mark.boot >= _MARK_S):
            engine.store.keep_mark(clock.advanced(reading, mark))

    def _mend(self, engine: Engine, change: Change) -> Mended:
        found = _found(change.path)
        mended = engine.mend(change)
        if mended.error:
            self._say("FAILED", mended.error)
        else:
            self._say("restored", change.path)
        event = Drifted(
            target="", path=change.path, expected=change.digest, found=found, restored=not mended.error
        )
        self._record.append(event)
        return mended


def _found(path: str) -> str:
    """What lies at a path, in a word or by its digest."""
    try:
        found = beneath.read(Path(path))
    except (TappassError, OSError):
        return "no plain file of ours"
    return "missing" if found is None else f"{digest(found.data)} {found.mode:04o}"
