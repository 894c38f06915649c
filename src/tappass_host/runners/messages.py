"""What the child may say. Decoded strictly: anything else ends the run as crashed."""

from typing import Any

import msgspec
from msgspec import Struct

from tappass_host.runners.engines import Status
from tappass_host.runners.result import ErrorInfo


class Hello(Struct, tag_field="op", tag="hello", forbid_unknown_fields=True):
    """The engine is loaded, in this version."""

    version: str


class Missing(Struct, tag_field="op", tag="missing", forbid_unknown_fields=True):
    """The engine cannot be loaded."""

    reason: str


class Call(Struct, tag_field="op", tag="call", forbid_unknown_fields=True):
    """The code calls a name it does not define itself."""

    name: str
    args: list[Any]
    kwargs: dict[str, Any]


class Print(Struct, tag_field="op", tag="print", forbid_unknown_fields=True):
    """The code printed."""

    text: str


class Refused(Struct, tag_field="op", tag="refused", forbid_unknown_fields=True):
    """The engine, or the check before it, refused something by itself."""

    name: str
    reason: str


class Done(Struct, tag_field="op", tag="done", forbid_unknown_fields=True):
    """The end. `ran` is false where the text was refused before any of it was executed."""

    status: Status
    ran: bool
    result: Any
    error: ErrorInfo | None


Message = Hello | Missing | Call | Print | Refused | Done
_DECODER: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


class ProtocolError(Exception):
    """The child said something it may not say, or too much of it."""


def decode(payload: bytes) -> Message:
    """Read one message.

    Raises:
        ProtocolError: it is none.
    """
    try:
        return _DECODER.decode(payload)
    except (msgspec.MsgspecError, UnicodeError, ValueError, RecursionError) as error:
        raise ProtocolError(f"not a message: {error}") from None
