"""A file of version floors: what was accepted once, so that nothing older comes back.

A host keeps floors in its own store. This file is for people and pipelines that check envelopes by hand.
"""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, json

from tappass_host.cli.files import read, write
from tappass_host.policy.canonical import canonical_bytes
from tappass_host.policy.trust.document import Node
from tappass_host.policy.trust.document import read as read_document
from tappass_host.policy.trust.floor import Floor, FloorKey


class _Row(Node, frozen=True, kw_only=True):
    root: str
    org_id: str
    audience: str
    version: Annotated[int, Meta(ge=1)]
    digest: str
    key_ids: tuple[str, ...]


class _File(Node, frozen=True, kw_only=True):
    schema: Literal["tappass.floors/v1"] = "tappass.floors/v1"
    floors: tuple[_Row, ...] = ()


def load(path: str) -> dict[FloorKey, Floor]:
    """Read floors. A file that does not exist yet has none.

    Raises:
        FileError, WireError, SchemaError: it is there and cannot be read.
    """
    if not Path(path).exists():
        return {}
    rows = read_document(read(path), _File, source=path).floors
    return {
        FloorKey(row.root, row.org_id, row.audience): Floor(row.version, row.digest, row.key_ids)
        for row in rows
    }


def save(path: str, floors: dict[FloorKey, Floor]) -> None:
    """Write floors, whole or not at all."""
    rows = tuple(_row(key, floors[key]) for key in sorted(floors))
    write(path, json.format(canonical_bytes(_File(floors=rows)), indent=2) + b"\n")


def _row(key: FloorKey, floor: Floor) -> _Row:
    return _Row(
        root=key.root,
        org_id=key.org_id,
        audience=key.audience,
        version=floor.version,
        digest=floor.digest,
        key_ids=floor.key_ids,
    )
