"""The query gate, schema `tappass.query-gate/v1`: which statements a runner passes on to a database.

A second layer before an engine that is locked already. The runner parses a statement with the engine's own
parser and passes it on only if it is of a listed type, reads listed tables only, and calls no denied
function; what does not parse is refused.
"""

from typing import Annotated, Final, Literal

from msgspec import Meta

from tappass_host.policy.times import parse_instant
from tappass_host.sdk.configs.parts import Name, Node, PolicyRef, read_config

SCHEMA: Final = "tappass.query-gate/v1"
MAX_BYTES: Final = 4 * 1024 * 1024
_DAY_MS: Final = 86_400_000

# A trailing `*` stands for any rest.
Pattern = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[a-z_0-9]+\*?$")]


class Table(Node, frozen=True, kw_only=True):
    """One table that may be read, with all its columns."""

    source: Name
    view: Name


class QueryGate(Node, frozen=True, kw_only=True):
    """The whole gate of one engine.

    Attributes:
        engine: id of the provider whose engine it stands before.
        wall_ms: after this time a statement is ended from outside.
        memory_bytes: of the whole process, beyond what it has when nothing is loaded.
    """

    schema: Literal["tappass.query-gate/v1"] = "tappass.query-gate/v1"
    engine: Name
    policy: PolicyRef
    statements: tuple[Literal["SELECT"], ...] = ()
    tables: tuple[Table, ...] = ()
    denied_functions: tuple[Pattern, ...] = ()
    wall_ms: Annotated[int, Meta(ge=1, le=_DAY_MS)]
    memory_bytes: Annotated[int, Meta(ge=0, le=2**53 - 1)]

    def denies(self, function: str) -> bool:
        """Whether a statement that calls this function is refused."""
        name = function.lower()
        return any(
            name.startswith(entry[:-1]) if entry.endswith("*") else name == entry
            for entry in self.denied_functions
        )


def decode_gate(data: bytes, *, source: str = "") -> QueryGate:
    """Read a gate strictly.

    Raises:
        WireError: the bytes are not strict JSON.
        SchemaError: unknown field, missing field, wrong type or an amount out of bounds.
        GrammarError: an instant that is none.
    """
    gate = read_config(data, QueryGate, max_bytes=MAX_BYTES, source=source)
    parse_instant(gate.policy.expires_at)
    return gate
