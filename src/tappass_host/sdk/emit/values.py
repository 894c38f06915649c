"""Documents reduced to plain values: references resolved, everything that no format can hold refused."""

from collections.abc import Callable
from math import isfinite
from typing import Final

from tappass_host.policy.errors import RenderError
from tappass_host.policy.wire import pointer
from tappass_host.sdk.artifacts import ArtifactPath, Endpoint, Launch, SecretRef

Reference = SecretRef | ArtifactPath | Endpoint
Resolve = Callable[[Reference], str]
Path = tuple[str | int, ...]

# Integers beyond 64 bits are read differently by the targets' own parsers (rounded, wrapped or refused).
_MIN_INTEGER: Final = -(2**63)
_MAX_INTEGER: Final = 2**64 - 1


def symbolic(reference: Reference) -> str:
    """A reference by its name: for golden files, `explain` and dry runs, where nothing is resolved."""
    match reference:
        case SecretRef(ref=name):
            return f"secret:{name}"
        case ArtifactPath(id=name):
            return f"artifact:{name}"
        case Endpoint(id=name):
            return f"endpoint:{name}"


def plain(value: object, resolve: Resolve, path: Path = ()) -> object:
    """The value with every reference replaced by its text.

    Raises:
        RenderError: with the JSON Pointer of what no format can hold.
    """
    match value:
        case str():
            return text(value, path)
        case bool() | None:
            return value
        case dict():
            return {text(key, path): plain(member, resolve, (*path, key)) for key, member in value.items()}
        case list() | tuple():
            return [plain(member, resolve, (*path, index)) for index, member in enumerate(value)]
        case int() | float():
            return _number(value, path)
        case SecretRef() | ArtifactPath() | Endpoint():
            return text(resolve(value), path)
        case Launch():
            return plain(_launch(value), resolve, path)
    raise RenderError(f"a document may not hold {type(value).__name__}", pointer=pointer(path))


def listed(doc: object, what: str) -> list[object]:
    """The entries of a document that is a list, or a mapping of lists: its sections, one after the other.

    Raises:
        RenderError: it is neither.
    """
    sections = list(doc.values()) if isinstance(doc, dict) else [doc]
    entries: list[object] = []
    for section in sections:
        if not isinstance(section, list):
            raise RenderError(f"{what} document is a list, or a mapping of lists")
        entries += section
    return entries


def text(value: object, path: Path) -> str:
    """Text that is Unicode; a lone surrogate is not."""
    if not isinstance(value, str):
        raise RenderError(f"key {value!r} is not text", pointer=pointer(path))
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise RenderError("a lone surrogate is not a character", pointer=pointer(path)) from None
    return value


def _number(value: float, path: Path) -> float:
    if isinstance(value, int):
        if not _MIN_INTEGER <= value <= _MAX_INTEGER:
            raise RenderError("integer beyond 64 bits", pointer=pointer(path))
    elif not isfinite(value):
        raise RenderError("not a finite number", pointer=pointer(path))
    return value


def _launch(launch: Launch) -> dict[str, object]:
    return {name: getattr(launch, name) for name in launch.__struct_fields__}
