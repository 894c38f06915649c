"""What the scripted model says, and what every dialect must be able to tell of a request."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol


class ToolCall(NamedTuple):
    """One tool call of the script. `namespace` is how the Responses dialect names an MCP server."""

    name: str
    input: dict[str, Any]
    namespace: str = ""


class ToolResult(NamedTuple):
    """What the harness sent back for a call: its text, and its error mark where the dialect has one."""

    call_id: str
    text: str
    is_error: bool


class Reply(NamedTuple):
    """One HTTP answer: a JSON document, or server-sent events as (event name or "", data)."""

    document: dict[str, Any] | None = None
    events: Sequence[tuple[str, Mapping[str, Any] | str]] = ()


class Turn(NamedTuple):
    """What the model says now: a call of the script, or the final text."""

    number: int
    call: ToolCall | None
    text: str

    @property
    def call_id(self) -> str:
        """The id of this turn's call: the number is in it, so a retry gets the same one."""
        return f"toolu_{self.number:04d}"


class Dialect(Protocol):
    """One wire format. Implemented by a module, so that each is a table of plain functions.

    `PATHS` take a turn of the script; `SIDE` paths are answered from the request alone.
    """

    PATHS: tuple[str, ...]
    SIDE: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]

    def results(self, body: dict[str, Any]) -> list[ToolResult]:
        """The tool results in a request, in order."""

    def tools(self, body: dict[str, Any]) -> list[str]:
        """Names of the tools the harness offers to the model."""

    def reply(self, body: dict[str, Any], turn: Turn) -> Reply:
        """The answer that says `turn`."""


def flat_text(content: Any) -> str:
    """Text of a content field: a string, or a list of blocks with `text`."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(flat_text(b.get("text", "")) if isinstance(b, dict) else str(b) for b in content)
    return "" if content is None else str(content)
