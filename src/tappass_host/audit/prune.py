"""Which old files of a log may go, and taking them away."""

from pathlib import Path

from tappass_host.audit import files
from tappass_host.audit.record import hash_of, parse_line


def size(folder: Path) -> int:
    """Bytes of all segments together."""
    return sum(path.stat().st_size for _, path in files.segments(folder))


def due(folder: Path, *, max_bytes: int, older_than: float) -> list[int]:
    """The oldest segments that are too many, as far as they are old enough; never the last one."""
    found = files.segments(folder)
    excess = sum(path.stat().st_size for _, path in found) - max_bytes
    gone: list[int] = []
    for number, path in found[:-1]:
        info = path.stat()
        # The last write of a file is its youngest record.
        if excess <= 0 or info.st_mtime >= older_than:
            break
        gone.append(number)
        excess -= info.st_size
    return gone


def end_of(folder: Path, number: int) -> tuple[int, str]:
    """Number and hash of the last record of a segment."""
    last = b""
    for line in files.lines(folder / files.segment_name(number)):
        last = line
    body = last.removesuffix(b"\n")
    return parse_line(body).seq, hash_of(body)


def remove(folder: Path, numbers: list[int]) -> None:
    """Take segments away, oldest first, so that a crash leaves no hole."""
    for number in numbers:
        (folder / files.segment_name(number)).unlink()
    files.sync_folder(folder)
