"""Strict YAML: the data of one document, and for every value the `file:line:col` it was written at.

Written by hand by people, so every mistake must be found at its place; read by tools, so nothing in it may
mean two things. Plain words follow the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema):
`off`, `no` and `~` are never booleans or null here. Anchors, aliases, tags, floats, duplicate keys and second
documents are refused.
"""

import re
from typing import Any, NamedTuple

from tappass_host.policy.errors import PolicyError
from tappass_host.policy.wire import MAX_INTEGER

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 24

Path = tuple[str | int, ...]

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
# Whatever one YAML reader takes for a number and another for text.
_AMBIGUOUS = re.compile(
    r"[-+]?(?:[0-9][0-9_]*)?\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+|\+[0-9]+"
    r"|[-+]?0[0-9_]+|[-+]?0[xob][0-9a-fA-F_]+|[-+]?[0-9]+_[0-9_]*|[-+]?\.(?:inf|nan)",
    re.IGNORECASE,
)
_QUOTE = "put quotes around a value that begins with * & ! % @ or holds ': ', as in '**/.env'"
_WORDS = {"true": True, "false": False, "null": None, "": None}


class Marked(NamedTuple):
    """Plain data (dict, list, str, int, bool, None) and the place of every value in it."""

    value: Any
    marks: dict[Path, str]
    keys: dict[Path, str]

    def at(self, path: Path) -> str:
        """`file:line:col` of a value, or of the nearest one around it."""
        while path not in self.marks:
            path = path[:-1]
        return self.marks[path]

    def key_at(self, path: Path) -> str:
        """`file:line:col` of the key a value stands under."""
        return self.keys.get(path) or self.at(path)


def parse_yaml(data: bytes, *, source: str, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Marked:
    """Read one YAML document.

    Args:
        data: the whole file, UTF-8.
        source: file name for places and messages.
        max_bytes: size limit, checked before decoding.
        max_depth: how many lists and mappings may be nested.

    Raises:
        PolicyError: with `file:line:col` and, where there is one, the remedy.
    """
    import yaml

    if len(data) > max_bytes:
        raise PolicyError(f"{len(data)} bytes, the limit is {max_bytes}", source=source)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PolicyError(f"not UTF-8: {error.reason} at byte {error.start}", source=source) from error
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Builder(source, max_depth).build(yaml.parse(text, Loader=loader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark is not None else source
        what = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
        raise PolicyError(f"not YAML: {what}", source=place, remedy=_QUOTE) from error


class _Builder:
    """Builds the data from parser events with a stack of its own, so that depth is a limit, not a crash."""

    def __init__(self, source: str, max_depth: int) -> None:
        self.source = source
        self.max_depth = max_depth
        self.marks: dict[Path, str] = {}
        self.keys: dict[Path, str] = {}
        self.stack: list[_Frame] = []
        self.roots: list[Any] = []

    def build(self, events: Any) -> Marked:
        for event in events:
            handler = _HANDLERS.get(type(event).__name__)
            if handler is not None:
                handler(self, event)
        if not self.roots:
            raise PolicyError("the file is empty", source=self.source)
        return Marked(self.roots[0], self.marks, self.keys)

    def place(self, event: Any) -> str:
        return f"{self.source}:{event.start_mark.line + 1}:{event.start_mark.column + 1}"

    def refuse(self, event: Any, what: str, remedy: str = "") -> PolicyError:
        return PolicyError(what, source=self.place(event), remedy=remedy)

    def open(self, event: Any, container: Any) -> None:
        self.check_plain(event)
        if len(self.stack) >= self.max_depth:
            raise self.refuse(event, f"nested deeper than {self.max_depth}")
        self.stack.append(_Frame(container, self.put(event, container)))

    def close(self, _event: Any) -> None:
        self.stack.pop()

    def scalar(self, event: Any) -> None:
        self.check_plain(event)
        frame = self.stack[-1] if self.stack else None
        if frame is not None and frame.wants_key():
            self.key(event, frame)
        else:
            self.put(event, self.resolve(event))

    def key(self, event: Any, frame: "_Frame") -> None:
        if event.value in frame.container:
            raise self.refuse(event, f"duplicate key {event.value!r}", "keep one of the two")
        frame.container[event.value] = None
        frame.key = event.value
        self.keys[(*frame.path, event.value)] = self.place(event)

    def put(self, event: Any, value: Any) -> Path:
        """Hang a value where the stack says, and return its path."""
        if not self.stack:
            if self.roots:
                raise self.refuse(event, "a second document in one file", "keep one document a file")
            self.roots.append(value)
            path: Path = ()
        else:
            path = self.stack[-1].put(value, lambda: self.refuse(event, "a key must be plain text"))
        self.marks[path] = self.place(event)
        return path

    def alias(self, event: Any) -> None:
        raise self.refuse(event, f"an alias (*{event.anchor})", _QUOTE)

    def check_plain(self, event: Any) -> None:
        if event.anchor is not None:
            raise self.refuse(event, f"an anchor (&{event.anchor})", "write the value out where it is used")
        if event.tag is not None:
            raise self.refuse(event, f"a tag ({event.tag})", "remove the tag")

    def resolve(self, event: Any) -> Any:
        text: str = event.value
        if not event.implicit[0]:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text) and len(text) <= len(str(-MAX_INTEGER)) and abs(int(text)) <= MAX_INTEGER:
            return int(text)
        if _INTEGER.fullmatch(text) or (text != "." and _AMBIGUOUS.fullmatch(text)):
            remedy = "write a whole number up to 2^53-1, or quote it if it is text"
            raise self.refuse(event, f"{text[:40]} is not a number that every reader keeps", remedy)
        return text


class _Frame:
    """One open list or mapping."""

    def __init__(self, container: Any, path: Path) -> None:
        self.container = container
        self.path = path
        self.key: str | None = None

    def wants_key(self) -> bool:
        return isinstance(self.container, dict) and self.key is None

    def put(self, value: Any, error: Any) -> Path:
        if isinstance(self.container, list):
            self.container.append(value)
            return (*self.path, len(self.container) - 1)
        if self.key is None:
            raise error()
        key, self.key = self.key, None
        self.container[key] = value
        return (*self.path, key)


_HANDLERS = {
    "MappingStartEvent": lambda b, e: b.open(e, {}),
    "SequenceStartEvent": lambda b, e: b.open(e, []),
    "MappingEndEvent": _Builder.close,
    "SequenceEndEvent": _Builder.close,
    "ScalarEvent": _Builder.scalar,
    "AliasEvent": _Builder.alias,
}
