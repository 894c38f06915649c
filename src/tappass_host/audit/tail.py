"""An append-only file that holds whole lines or is not appended to at all."""

import os
import stat
from pathlib import Path
from typing import Final

from tappass_host.audit.files import sync_folder
from tappass_host.policy.errors import AuditError

_APPEND: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class Tail:
    """The end of one file.

    Args:
        path: the file; made if it is not there.
        new: refuse a file that is there.
    """

    def __init__(self, path: Path, *, new: bool = False) -> None:
        self.path = path
        self._fd = os.open(path, _APPEND | (os.O_EXCL if new else 0), 0o600)
        info = os.fstat(self._fd)
        if not stat.S_ISREG(info.st_mode) or info.st_nlink != 1 or info.st_uid != os.geteuid():
            os.close(self._fd)
            raise AuditError(f"{path} is not a regular file of the writer with one name")
        if new:
            sync_folder(path.parent)
        self.size = info.st_size

    def append(self, line: bytes, *, sync: bool) -> None:
        """Append one line.

        Raises:
            AuditError: it could not be written whole; then nothing of it is left.
        """
        data = line + b"\n"
        try:
            if os.fstat(self._fd).st_size != self.size:
                raise AuditError(f"{self.path} was changed by somebody else")
            self._write(data)
            if sync:
                os.fdatasync(self._fd) if hasattr(os, "fdatasync") else os.fsync(self._fd)
        except OSError as error:
            self._undo()
            raise AuditError(f"{self.path} cannot be written: {error.strerror}") from error
        self.size += len(data)

    def sync(self) -> None:
        """Put what was appended on the disk.

        Raises:
            AuditError: it may be lost.
        """
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise AuditError(f"{self.path} cannot be written: {error.strerror}") from error

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    def _undo(self) -> None:
        try:
            os.ftruncate(self._fd, self.size)
        except OSError as error:
            raise AuditError(f"{self.path} ends in a torn record: {error.strerror}") from error
