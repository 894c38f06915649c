"""The audit logs of a host: which there are, whether they hold, and what they say of one request."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tappass_host.audit import read
from tappass_host.audit.export import Format, export
from tappass_host.audit.keys import Checkpoint
from tappass_host.audit.record import Record
from tappass_host.audit.verify import Report
from tappass_host.host.layout import Layout
from tappass_host.policy.errors import AuditError

# Where components put their logs: the daemon beside its state, services beside what is rendered for them.
_BELOW: Final = ("audit",)


class Checked(NamedTuple):
    """One log and what was found in it."""

    folder: Path
    report: Report


def folders(layout: Layout, named: Sequence[Path] = ()) -> list[Path]:
    """The logs that are meant: those named, or all of the host.

    Raises:
        AuditError: there is none.
    """
    places = named or [base / name for base in (layout.state, layout.rendered) for name in _BELOW]
    found = [log for place in places if place.is_dir() for log in read.logs(place)]
    if not found:
        where = ", ".join(str(place) for place in places)
        raise AuditError(f"no audit log in {where}", remedy="name the folder of one")
    return list(dict.fromkeys(found))


def witnesses(folder: Path | None) -> list[Checkpoint]:
    """The checkpoints that a witness keeps, one file each or many in one.

    Raises:
        AuditError: the folder or a checkpoint in it cannot be read.
    """
    if folder is None:
        return []
    if not folder.is_dir():
        raise AuditError(f"{folder} is no folder of checkpoints")
    return [point for path in sorted(folder.glob("*.json*")) for point in read.read_checkpoints(path)]


def verify(logs: Iterable[Path], kept: Sequence[Checkpoint], *, first_key: str = "") -> list[Checked]:
    """Check logs, each against the checkpoints that are about it.

    A checkpoint of a log that is not here is a finding of none of them: `strangers` names those.
    """
    checked = []
    for folder in logs:
        identity = next((record.log for record in read.records(folder)), "")
        mine = [point for point in kept if point.log == identity]
        checked.append(Checked(folder, read.verify_folder(folder, witnesses=mine, first_key=first_key)))
    return checked


def strangers(checked: Iterable[Checked], kept: Iterable[Checkpoint]) -> list[str]:
    """Logs that a witness knows and that are not among these: gone, or replaced by others."""
    here = {one.report.log for one in checked}
    return sorted({point.log for point in kept} - here)


def tail(logs: Iterable[Path], count: int) -> list[Record]:
    """The newest records of all logs together, oldest first."""
    found = [record for folder in logs for record in read.last(folder, count)]
    return sorted(found, key=lambda record: record.at)[-count:] if count > 0 else []


def exported(logs: Iterable[Path], form: Format, *, product: str) -> Iterator[bytes]:
    """Every record of every log, one line each."""
    for folder in logs:
        yield from export(read.records(folder), form, product=product)


def about(logs: Iterable[Path], request: str) -> list[Record]:
    """What is recorded of one request, in the order it happened.

    Raises:
        AuditError: nothing is.
    """
    found = sorted(read.find(logs, request), key=lambda record: record.at)
    if not found:
        raise AuditError(f"nothing is recorded of {request}", remedy="see tappass-host audit tail")
    return found
