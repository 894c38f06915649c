"""Parts that the configurations of our own components have in common."""

from typing import Annotated, TypeVar

from msgspec import Meta, Struct

from tappass_host.policy.decode import convert
from tappass_host.policy.wire import strict_json

Name = Annotated[str, Meta(min_length=1, max_length=256)]
Names = tuple[Name, ...]
T = TypeVar("T")


class Node(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every part of a document."""


class PolicyRef(Node, frozen=True, kw_only=True):
    """Which Compiled Policy this was rendered from. After `expires_at` everything is denied."""

    digest: Name
    version: Annotated[int, Meta(ge=1)]
    expires_at: Name


class Listen(Node, frozen=True, kw_only=True):
    """Where a sandbox reaches the component.

    Args:
        unix: path of a socket; `uids` may connect, none given means the component's own.
        tcp: `address:port`; weaker, since whoever learns the token is the sandbox.
        token_ref: `file:/absolute/path` or `env:NAME`, required with `tcp`.
    """

    unix: str = ""
    tcp: str = ""
    token_ref: str = ""
    uids: tuple[Annotated[int, Meta(ge=0)], ...] = ()

    def __post_init__(self) -> None:
        if not self.unix and not self.tcp:
            raise ValueError("needs unix or tcp")
        if self.unix and not self.unix.startswith("/"):
            raise ValueError("unix must be an absolute path")
        if self.tcp and not self.token_ref:
            raise ValueError("tcp needs token_ref")


def read_config(data: bytes, kind: type[T], *, max_bytes: int, source: str = "") -> T:
    """Read strict JSON into a Struct.

    Raises:
        WireError: not strict JSON, or too large.
        SchemaError: with the JSON Pointer of an unknown field or a wrong type.
    """
    return convert(strict_json(data, max_bytes=max_bytes, source=source), kind, source=source)
