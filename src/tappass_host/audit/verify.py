"""Checks a chain: every edit, cut, reorder or replay up to the last checkpoint held elsewhere is found. Pure.

`Chain` takes lines one after the other and remembers what is wrong; `judge` then compares it with what
witnesses hold, with the checkpoints beside the log, and with the writer's own key. What cannot be known is
said in `Report.notes`: without a witness nobody can tell the newest state from an older copy of it.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from msgspec import Struct

from tappass_host.audit.events import Epoch, Pruned, Segment
from tappass_host.audit.keys import Checkpoint, checkpoint_bytes, parse_public, verifies
from tappass_host.audit.record import NOTHING, Record, event_of, hash_of, parse_line, unsigned
from tappass_host.policy.errors import TappassError
from tappass_host.policy.wire import printable

_MOST: Final = 100


class Finding(NamedTuple):
    """One thing that is wrong, and where: `file:line`, or the name of a checkpoint."""

    place: str
    what: str


class Anchor(NamedTuple):
    """What the writer itself remembers beside the log: its key, and a point of the chain."""

    log: str
    epoch: int
    public: str
    seq: int
    head: str


class Report(Struct, frozen=True, kw_only=True):
    """What was found.

    Attributes:
        witnessed: number of the last record that a witness vouches for; 0 without one.
        notes: what could not be checked.
    """

    log: str
    first: int
    last: int
    head: str
    epoch: int
    public: str
    segments: int
    witnessed: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


class Chain:
    """The records so far.

    Attributes:
        start: the hash that the first record says it follows.
        turns: number of an epoch -> number of the record that began it.
        heads: hashes of those records, and of the wanted ones.

    Args:
        wanted: numbers of records whose hash is asked for later.
    """

    def __init__(self, wanted: Iterable[int] = ()) -> None:
        self.log = ""
        self.first = self.seq = self.epoch = self.segments = 0
        self.head = self.start = NOTHING
        self.keys: dict[int, str] = {}
        self.turns: dict[int, int] = {}
        self.heads: dict[int, str] = {}
        self.pruned: Pruned | None = None
        self.findings: list[Finding] = []
        self._before = 0
        self._wanted = frozenset(wanted)

    @property
    def public(self) -> str:
        """The key of the current epoch."""
        return self.keys.get(self.epoch, "")

    def segment(self, number: int, name: str, lines: Iterable[bytes]) -> None:
        """Take a whole file."""
        if self.segments and number != self._before + 1:
            self.wrong(name, f"segments {self._before + 1} to {number - 1} are missing")
        self._before, self.segments = number, self.segments + 1
        at = 0
        for at, line in enumerate(lines, start=1):
            self.line(line, f"{name}:{at}", number if at == 1 else 0)
        if not at:
            self.wrong(name, "is empty")

    def line(self, line: bytes, place: str, opens: int = 0) -> Record | None:
        """Take one line. `opens` is the number of the file that it is the first line of."""
        if not line.endswith(b"\n"):
            self.wrong(place, "the last line is cut short")
        body = line.removesuffix(b"\n")
        try:
            record = parse_line(body)
            event = event_of(record)
            self._opening(record, event, opens, place)
            sound = self._link(record, place)
            if sound:
                self._meaning(record, event, place)
        except TappassError as error:
            self.wrong(place, error.message)
            record, self.seq = None, self.seq + 1
        self.head = hash_of(body)
        if self.seq in self._wanted or self.turns.get(self.epoch) == self.seq:
            self.heads[self.seq] = self.head
        return record

    def wrong(self, place: str, what: str) -> None:
        """Remember what is wrong; a flood of it is cut."""
        if len(self.findings) < _MOST:
            self.findings.append(Finding(place, printable(what)))

    def _opening(self, record: Record, event: object, opens: int, place: str) -> None:
        """The first record of a file says which it is; the very first gives the log its identity."""
        if bool(opens) != isinstance(event, Segment):
            self.wrong(
                place, "a file does not begin with its own header" if opens else "a header inside a file"
            )
        if not isinstance(event, Segment):
            return
        if opens and event.number != opens:
            self.wrong(place, f"says it is segment {event.number}")
        if not self.log:
            parse_public(event.public)
            self.log, self.epoch, self.keys[record.epoch] = record.log, record.epoch, event.public
            self.first, self.seq = record.seq, record.seq - 1
            self.head = self.start = record.prev
            if record.seq == 1 and (record.prev, record.epoch) != (NOTHING, 1):
                self.wrong(place, "the first record follows another")
        elif event.public != self.public:
            self.wrong(place, "the header names another key")

    def _link(self, record: Record, place: str) -> bool:
        """Whether the record is where it belongs, and signed by the key in force."""
        before = len(self.findings)
        for differs, what in (
            (record.log != self.log, "belongs to another log"),
            (record.seq != self.seq + 1, f"is record {record.seq}, expected {self.seq + 1}"),
            (record.prev != self.head, "does not follow the line before it"),
            (record.epoch != self.epoch, f"is signed in epoch {record.epoch}, expected {self.epoch}"),
        ):
            if differs:
                self.wrong(place, what)
        public = self.keys.get(record.epoch, "")
        if not public or not verifies(public, record.sig, unsigned(record)):
            self.wrong(place, "its signature does not hold")
        self.seq = record.seq
        return len(self.findings) == before

    def _meaning(self, record: Record, event: object, place: str) -> None:
        """What a sound record says about the chain itself."""
        if isinstance(event, Epoch):
            if event.number != self.epoch + 1:
                self.wrong(place, f"epoch {event.number} cannot follow {self.epoch}")
                return
            parse_public(event.public)
            self.epoch = event.number
            self.keys[event.number] = event.public
            self.turns[event.number] = record.seq
        elif isinstance(event, Pruned):
            self.pruned = event


def judge(
    chain: Chain,
    *,
    witnesses: Sequence[Checkpoint] = (),
    beside: Sequence[Checkpoint] | None = None,
    first_key: str = "",
    writer: Anchor | None = None,
) -> Report:
    """Compare a chain with what is known of it elsewhere.

    Args:
        chain: with every line taken, and the numbers of all checkpoints wanted.
        witnesses: checkpoints that were kept where the writer cannot reach.
        beside: checkpoints that lie beside the log; None if they are not to be looked at.
        first_key: public key that the log has to begin with.
        writer: what the writer remembers.
    """
    notes: list[str] = []
    _beginning(chain, first_key, notes)
    witnessed = max((_checkpoint(chain, c, "witness", notes) for c in witnesses), default=0)
    if beside is not None:
        _beside(chain, beside, notes)
    if writer is not None:
        _writer(chain, writer)
    if not witnesses:
        notes.append("no witness: an older copy of the whole log, or a shorter one, cannot be told from it")
    elif witnessed < chain.seq:
        notes.append(f"records after {witnessed} are vouched for by no witness yet")
    return Report(
        log=chain.log,
        first=chain.first,
        last=chain.seq,
        head=chain.head,
        epoch=chain.epoch,
        public=chain.public,
        segments=chain.segments,
        witnessed=witnessed,
        findings=tuple(chain.findings),
        notes=tuple(dict.fromkeys(notes)),
    )


def _beginning(chain: Chain, first_key: str, notes: list[str]) -> None:
    if not chain.segments:
        chain.wrong("log", "there is no record at all")
        return
    began = chain.keys.get(min(chain.keys, default=0), "")
    if first_key and chain.first == 1 and began != first_key:
        chain.wrong("log", "does not begin with the key that was given")
    elif not first_key:
        notes.append(f"the first key was taken from the log itself: {began}")
    if chain.first > 1:
        _pruned(chain, notes)


def _pruned(chain: Chain, notes: list[str]) -> None:
    """Files are gone: on purpose, if a record signed later says so."""
    gone = chain.pruned
    if gone is None or gone.seq < chain.first - 1:
        chain.wrong(
            "log", f"records 1 to {chain.first - 1} are missing and nothing says that they were pruned"
        )
    else:
        notes.append(f"records 1 to {chain.first - 1} were pruned; what they said is not checked")


def _checkpoint(chain: Chain, checkpoint: Checkpoint, name: str, notes: list[str]) -> int:
    """Hold one checkpoint against the chain; gives the record it vouches for, or 0."""
    place = f"{name} checkpoint {checkpoint.seq}"
    if checkpoint.log != chain.log:
        chain.wrong(place, "is of another log")
    elif checkpoint.seq < chain.first:
        notes.append(f"{place} is about records that were pruned")
    elif checkpoint.seq > chain.seq:
        chain.wrong(place, f"records {chain.seq + 1} to {checkpoint.seq} are missing")
    elif chain.heads.get(checkpoint.seq) != checkpoint.head:
        chain.wrong(place, "the log says something else than when it was made")
    elif not _signed(chain, checkpoint):
        chain.wrong(place, "was not signed by the key of its epoch")
    else:
        return checkpoint.seq
    return 0


def _signed(chain: Chain, checkpoint: Checkpoint) -> bool:
    public = chain.keys.get(checkpoint.epoch, "")
    return bool(public) and verifies(public, checkpoint.sig, checkpoint_bytes(checkpoint))


def _beside(chain: Chain, beside: Sequence[Checkpoint], notes: list[str]) -> None:
    """Each turn of the key leaves a checkpoint; one that is missing was taken away."""
    there = {_checkpoint(chain, checkpoint, "local", notes) for checkpoint in beside}
    for number, seq in chain.turns.items():
        if seq not in there:
            chain.wrong(f"local checkpoint {seq}", f"of epoch {number} is missing")


def _writer(chain: Chain, writer: Anchor) -> None:
    if writer.log != chain.log:
        chain.wrong("writer", "writes another log")
    elif (writer.epoch, writer.public) != (chain.epoch, chain.public):
        chain.wrong("writer", "holds another key than the log ends with")
    elif writer.seq > chain.seq:
        chain.wrong("writer", f"records {chain.seq + 1} to {writer.seq} are missing")
    elif writer.seq >= chain.first and chain.heads.get(writer.seq) != writer.head:
        chain.wrong("writer", f"remembers another record {writer.seq}")
