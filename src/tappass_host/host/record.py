"""What the daemon does is said to whoever runs it, and recorded in the audit log of this host.

A record that cannot be written never stops a file from being put right: that it could not is said.
"""

from collections.abc import Callable
from pathlib import Path

from tappass_host.audit.events import AnyEvent
from tappass_host.audit.write import Log
from tappass_host.policy.errors import AuditError

Say = Callable[[str, str], None]


class Record:
    """The log of one host, opened when there is something to write."""

    def __init__(self, folder: Path, say: Say) -> None:
        self._folder, self._say = folder, say
        self._log: Log | None = None

    def append(self, event: AnyEvent) -> None:
        """Record an event, or say that it could not be."""
        try:
            self._log = self._log or Log.open(self._folder, component="tappass-host")
            self._log.append(event)
        except AuditError as error:
            self._say("unaudited", str(error))

    def close(self) -> None:
        """Let go of the log."""
        try:
            if self._log is not None:
                self._log.close()
        except AuditError as error:
            self._say("unaudited", str(error))
        self._log = None
