"""Renders every reference policy in a process of its own, and reports digests and forbidden events.

    python -m tappass_host.sdk.kit.worker PROVIDER READER < targets.json

The kit starts it with another hash seed, environment, time zone and folder. An audit hook reports any file,
socket or process that `render` or `read` touches; what the import system itself opens does not count. The
hook is a lint, not a boundary: code in C escapes it.
"""

import json
import sys
from types import FrameType
from typing import Any, Final

# Prefixes of audit events (docs.python.org/3/library/audit_events.html).
_WATCHED: Final = (
    "open",
    "os.",
    "socket.",
    "subprocess.",
    "shutil.",
    "glob.",
    "pathlib.",
    "tempfile.",
    "urllib.",
    "http.",
    "ctypes.",
    "fcntl.",
    "time.sleep",
    "signal.",
)
_IMPORTERS: Final = ("<frozen importlib", "<frozen zipimport")


class Watch:
    """An audit hook that can be switched on and off; once added, a hook stays."""

    def __init__(self) -> None:
        self.on = False
        self.events: set[str] = set()

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        """Note an event, unless the import system caused it."""
        if self.on and event.startswith(_WATCHED) and not _importing(sys._getframe(1)):  # noqa: SLF001
            self.events.add(f"{event} {args[0]!r}" if args else event)


def _importing(frame: FrameType | None) -> bool:
    return frame is not None and frame.f_code.co_filename.startswith(_IMPORTERS)


def main() -> None:
    """Read targets, render, report as JSON on standard output."""
    from tappass_host.sdk.kit.reference import REFERENCE
    from tappass_host.sdk.kit.subject import Settings, Subject
    from tappass_host.sdk.kit.targets import target_of

    provider, reader = sys.argv[1:]
    watch = Watch()
    sys.addaudithook(watch)
    first = Subject(provider, reader, Settings())
    plain = json.load(sys.stdin)
    targets = tuple(target_of(first.info, target) for target in plain)
    subject = Subject(provider, reader, Settings(capabilities=targets))
    digests = {name: _digests(subject, name, watch) for name in REFERENCE}
    print(json.dumps({"digests": digests, "events": sorted(watch.events)}))  # noqa: T201 - its one output


def _digests(subject: Any, name: str, watch: Watch) -> list[str]:
    from tappass_host.sdk.kit.written import digest

    watch.on = True
    try:
        rendered = subject.reference(name)
    finally:
        watch.on = False
    return [digest(r.config) for r in rendered]


if __name__ == "__main__":
    main()
