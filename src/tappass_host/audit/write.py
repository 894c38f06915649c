"""The writer of one log: `Log.open(folder).append(event)`.

Each component has a folder of its own, and so a chain of its own. `append` returns only when the record is in
the file (and, with `fsync: always`, on the disk); it raises `AuditError` otherwise, and then the caller must
not do what it wanted recorded. Events that an agent causes may be left out over a limit: then `append`
returns None, and what they would have permitted must not happen either.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Literal, Self

from msgspec import Struct
from msgspec.structs import replace

from tappass_host.audit import files, keyfile, prune, resume
from tappass_host.audit import record as rec
from tappass_host.audit.events import (
    CAUSED_BY_AGENT,
    AnyEvent,
    Epoch,
    Pruned,
    Recovered,
    Segment,
    WitnessFailed,
    cut,
)
from tappass_host.audit.flood import Flood
from tappass_host.audit.keys import Checkpoint, EpochKey, checkpoint_bytes, checkpoint_line
from tappass_host.audit.tail import Tail
from tappass_host.policy.errors import AuditError

MIB: Final = 1024 * 1024
Witness = Callable[[Checkpoint], None]


class LogSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a log is kept.

    Attributes:
        fsync: `always` puts each record on the disk before `append` returns; `batch` within a second.
        segment_bytes: a file that is larger is not continued.
        max_bytes: all files together; where nothing is old enough to go, agents are refused.
        keep_days: files younger than this are never removed, however much an agent writes.
        epoch_s: a key is used no longer than this.
        epoch_records: a key signs no more records than this.
        rate: events a second that an agent can cause in the long run.
        burst: how many of them may come at once.
    """

    fsync: Literal["always", "batch"] = "always"
    segment_bytes: int = 8 * MIB
    max_bytes: int = 1024 * MIB
    keep_days: int = 90
    epoch_s: int = 3600
    epoch_records: int = 10_000
    rate: int = 10
    burst: int = 200


@contextlib.contextmanager
def faults(folder: Path) -> Iterator[None]:
    """What the system refuses, as the error that callers deny on."""
    try:
        yield
    except OSError as error:
        raise AuditError(f"{folder} cannot be written: {error.strerror or error}") from error


class Log:
    """The writer. Open it with `Log.open`; one process at a time.

    Attributes:
        seq: number of the last record.
        head: its hash.
        number: of the file it is in.
    """

    seq: int
    head: str
    number: int
    _held: keyfile.KeyFile
    _key: EpochKey
    _tail: Tail
    _kept: Tail

    def __init__(
        self,
        folder: Path,
        *,
        component: str,
        sandbox: str = "",
        settings: LogSettings | None = None,
        witness: Witness | None = None,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.folder, self.settings = folder, settings or LogSettings()
        self._names = (component, sandbox)
        self._clock, self._steady, self._random = clock, steady, random
        self._witness = witness
        self._mutex = threading.RLock()
        self._flood = Flood(self.settings.rate, self.settings.burst, now=steady())
        self._turned_at = self._synced_at = steady()
        self._turning: tuple[int, str] | None = None
        self._records, self._closed = 0, False
        self._measured_at, self._full = float("-inf"), False
        with faults(folder):
            files.prepare(folder)
            self._lock = files.lock(folder)
            try:
                self._open()
            except BaseException:
                os.close(self._lock)
                raise

    @classmethod
    def open(cls, folder: Path, **options: object) -> Self:
        """Begin a log, or continue the one that is there.

        Raises:
            AuditError: it cannot be continued honestly: changed, shortened, key lost, or in use.
        """
        return cls(folder, **options)  # type: ignore[arg-type]

    # -- writing

    def append(self, event: AnyEvent) -> rec.Record | None:
        """Record an event.

        Returns:
            The record; None if an agent caused it and it is over the limit, counted but not written.

        Raises:
            AuditError: it is not recorded.
        """
        with self._mutex, faults(self.folder):
            if isinstance(event, CAUSED_BY_AGENT) and not self._admits():
                self._flood.leave_out(rec.plain(event), self._clock())
                return None
            self._room()
            self._summarise()
            return self._write(event)

    def tick(self) -> None:
        """Do what is due although nothing happens: write a summary, sync, turn the key.

        Raises:
            AuditError: it could not be done.
        """
        with self._mutex, faults(self.folder):
            self._room()
            self._summarise()
            if self.settings.fsync == "batch":
                self._tail.sync()

    def checkpoint(self) -> Checkpoint:
        """Make a checkpoint of all that was written, keep it beside the log and hand it to the witness.

        Raises:
            AuditError: it could not be kept.
        """
        with self._mutex, faults(self.folder):
            self._room()
            self._tail.sync()
            self._held = keyfile.remember(self.folder, self._held, seq=self.seq, head=self.head)
            made = self._signed(self._key, self.seq, self.head)
            self._kept.append(checkpoint_line(made), sync=True)
            self._hand_over(made)
            return made

    def close(self) -> None:
        """Write what is left, make a last checkpoint, and let go of the log.

        Raises:
            AuditError: something could not be written.
        """
        with self._mutex:
            if self._closed:
                return
            self._closed = True
            try:
                self._summarise()
                self.checkpoint()
            finally:
                self._tail.close()
                self._kept.close()
                os.close(self._lock)

    # -- beginning

    def _open(self) -> None:
        self._held = keyfile.load(self.folder) or self._begin()
        self._key: EpochKey = self._held.key()
        self._kept = Tail(self.folder / files.CHECKPOINTS)
        self.seq, self.head, self.number = 0, rec.NOTHING, 0
        if self._held.seq:
            self._continue()
            return
        resume.nothing_there(self.folder)
        self._segment()
        self._held = keyfile.remember(self.folder, self._held, seq=self.seq, head=self.head)

    def _begin(self) -> keyfile.KeyFile:
        if files.segments(self.folder):
            what = f"{self.folder} holds a log whose key is gone: it cannot be continued"
            raise AuditError(what, remedy="keep the folder as evidence and let the component begin another")
        return keyfile.create(self.folder, self._random)

    def _continue(self) -> None:
        found = resume.resume(self.folder, self._held)
        self.seq, self.head, self.number = found.seq, found.head, found.number
        self._tail = Tail(self.folder / files.segment_name(self.number))
        if found.turned:
            self._finish_turn(*found.turned)
        if found.torn is not None:
            self._write(Recovered(bytes=len(found.torn), digest=rec.hash_of(found.torn)))

    # -- the chain

    def _write(self, event: AnyEvent) -> rec.Record:
        record = rec.Record(
            at=rec.instant(self._clock()),
            epoch=self._key.number,
            event=rec.plain(event),
            log=self._held.log,
            prev=self.head,
            seq=self.seq + 1,
        )
        record = replace(record, sig=self._key.sign(rec.unsigned(record)))
        line = rec.line_of(record)
        self._tail.append(line, sync=self._sync_now())
        self.seq, self.head = record.seq, rec.hash_of(line)
        self._records += 1
        return record

    def _sync_now(self) -> bool:
        now = self._steady()
        if self.settings.fsync == "batch" and now - self._synced_at < 1:
            return False
        self._synced_at = now
        return True

    # -- rotation

    def _room(self) -> None:
        """Turn the key and begin another file where that is due."""
        s, now = self.settings, self._steady()
        full = self._tail.size >= s.segment_bytes
        if self._turning is not None:
            self._finish_turn(*self._turning)
        elif full or self._records >= s.epoch_records or now - self._turned_at >= s.epoch_s:
            self._turn()
        if full:
            self._segment()
            self._prune()

    def _turn(self) -> None:
        """Let the old key name the new one; the file is on the disk before the old key goes."""
        self._held = keyfile.begin_turn(self.folder, self._held, self._random)
        following = self._held.next_key()
        assert following is not None
        self._write(Epoch(number=following.number, public=following.public))
        self._turning = (self.seq, self.head)
        self._finish_turn(self.seq, self.head)

    def _finish_turn(self, seq: int, head: str) -> None:
        following = self._held.next_key()
        assert following is not None
        self._tail.sync()
        checkpoint = self._signed(following, seq, head)
        self._kept.append(checkpoint_line(checkpoint), sync=True)
        self._held = keyfile.end_turn(self.folder, self._held, seq=seq, head=head)
        self._key, self._turning = following, None
        self._records, self._turned_at = 0, self._steady()
        self._hand_over(checkpoint)

    def _segment(self) -> None:
        """Begin the next file; the old one stays in use if that fails."""
        path = self.folder / files.segment_name(self.number + 1)
        path.unlink(missing_ok=True)
        before, self._tail = getattr(self, "_tail", None), Tail(path, new=True)
        component, sandbox = self._names
        try:
            self._write(
                Segment(number=self.number + 1, public=self._key.public, component=component, sandbox=sandbox)
            )
        except AuditError:
            self._tail.close()
            if before is not None:
                self._tail = before
            raise
        if before is not None:
            before.close()
        self.number += 1

    def _prune(self) -> None:
        s = self.settings
        oldest = self._clock() - s.keep_days * 86400
        gone = prune.due(self.folder, max_bytes=s.max_bytes, older_than=oldest)
        if gone:
            seq, head = prune.end_of(self.folder, gone[-1])
            self._write(Pruned(first=gone[0], last=gone[-1], seq=seq, head=head))
            self._tail.sync()
            prune.remove(self.folder, gone)

    # -- checkpoints

    def _signed(self, key: EpochKey, seq: int, head: str) -> Checkpoint:
        at = rec.instant(self._clock())
        made = Checkpoint(log=self._held.log, seq=seq, head=head, epoch=key.number, at=at)
        return replace(made, sig=key.sign(checkpoint_bytes(made)))

    def _hand_over(self, checkpoint: Checkpoint) -> None:
        """A witness that is away does not stop the log; that it was is recorded."""
        try:
            if self._witness is not None:
                self._witness(checkpoint)
        except OSError as error:
            self._write(WitnessFailed(seq=checkpoint.seq, reason=cut(str(error))))

    # -- floods

    def _admits(self) -> bool:
        """An agent's events stop where the disk is full of evidence too young to go."""
        if self._steady() - self._measured_at >= 1:
            self._measured_at = self._steady()
            self._full = prune.size(self.folder) >= self.settings.max_bytes
        return not self._full and self._flood.admits(self._steady())

    def _summarise(self) -> None:
        summary = self._flood.summary()
        if summary is not None:
            self._write(summary)
            self._flood.summarised()
