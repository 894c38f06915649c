"""From the JSON Pointer of a refusal to the line of the file that a person has open."""

import re

from tappass_host.policy.errors import PolicyError, TappassError

_LINE = re.compile(r":[1-9][0-9]*$")


def locate(error: TappassError, data: bytes, source: str) -> TappassError:
    """Add line and column to a refusal that names a place in `data` by pointer only.

    JSON is read as the YAML that it is, since that reader keeps places; what it cannot read has none.
    """
    from tappass_host.policy.marked import parse_yaml

    if error.pointer and error.source in ("", source) and not _LINE.search(source):
        try:
            error.source = parse_yaml(data, source=source, max_bytes=len(data)).at(_path(error.pointer))
        except PolicyError:
            error.source = source
    return error


def _path(pointer: str) -> tuple[str | int, ...]:
    steps = (part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])
    return tuple(int(step) if step.isdigit() else step for step in steps)
