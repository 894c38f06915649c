"""One record of the chain: a canonical JSON line, signed, that names the hash of the line before it. Pure.

The signature covers everything but itself; the hash covers the whole line, signature included. So a record
can neither be changed nor moved, and without the key of its epoch none can be added.
"""

import datetime as dt
import hashlib
import re
from typing import Any, Final

import msgspec
from msgspec import Struct

from tappass_host.audit.events import AnyEvent
from tappass_host.policy.canonical import canonical_bytes
from tappass_host.policy.errors import AuditError, TappassError
from tappass_host.policy.wire import strict_json

MAX_LINE: Final = 64 * 1024
NOTHING: Final = "0" * 64
_DOMAIN: Final = b"tappass.audit-record/v1\n"
_AT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A record as it stands in the file.

    Attributes:
        at: when it was written, by the clock of the host, in UTC with milliseconds.
        epoch: number of the key that signed it.
        event: what happened; an event of a later version stays a plain mapping.
        log: identity of the chain, random.
        prev: SHA-256 of the line before it, in hex.
        seq: 1 for the first record, one more for each.
        sig: Ed25519 over everything else, base64.
    """

    at: str
    epoch: int
    event: dict[str, Any]
    log: str
    prev: str
    seq: int
    sig: str = ""

    @property
    def kind(self) -> str:
        """Which event it is."""
        return str(self.event.get("type", ""))


def unsigned(record: Record) -> bytes:
    """What the signature covers."""
    fields = {name: getattr(record, name) for name in record.__struct_fields__ if name != "sig"}
    return _DOMAIN + canonical_bytes(fields)


def line_of(record: Record) -> bytes:
    """The line in the file, without the line feed.

    Raises:
        AuditError: it would be too long, or holds what JSON cannot.
    """
    try:
        line = canonical_bytes(record)
    except TappassError as error:
        raise AuditError(f"an event cannot be written: {error.message}") from error
    if len(line) > MAX_LINE:
        raise AuditError(f"a record of {len(line)} bytes; the limit is {MAX_LINE}")
    return line


def hash_of(line: bytes) -> str:
    """The name by which the next record knows this line."""
    return hashlib.sha256(line).hexdigest()


def parse_line(line: bytes) -> Record:
    """Read one line strictly: only what `line_of` writes is taken.

    Raises:
        TappassError: anything else.
    """
    document = strict_json(line, max_bytes=MAX_LINE)
    try:
        record = msgspec.convert(document, Record, strict=True)
    except msgspec.ValidationError as error:
        raise AuditError(f"not a record: {error}") from None
    if line_of(record) != line:
        raise AuditError("not in canonical form")
    if not _AT.fullmatch(record.at):
        raise AuditError("its time is not an instant in UTC with milliseconds")
    return record


def event_of(record: Record) -> AnyEvent | None:
    """The event, typed; None if this version does not know it."""
    try:
        found: AnyEvent = msgspec.convert(record.event, AnyEvent, strict=True)
    except msgspec.ValidationError:
        return None
    return found


def plain(event: AnyEvent) -> dict[str, Any]:
    """The event as it goes into a record.

    Raises:
        AuditError: it holds a text that is not Unicode.
    """
    try:
        found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(event))
    except UnicodeEncodeError as error:
        raise AuditError("an event cannot be written: a lone surrogate is not a character") from error
    return found


def instant(seconds: float) -> str:
    """Unix seconds as they stand in a record."""
    when = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"


def milliseconds(at: str) -> int:
    """The inverse of `instant`, in milliseconds."""
    return round(dt.datetime.fromisoformat(at).timestamp() * 1000)
