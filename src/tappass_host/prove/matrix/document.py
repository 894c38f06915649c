"""The matrix as JSON: the Structs as they are."""

import json
from typing import Any

import msgspec

from tappass_host.prove.matrix.model import Matrix


def document(matrix: Matrix) -> dict[str, Any]:
    """Plain JSON values; see `docs/spec/matrix.schema.json`."""
    plain: dict[str, Any] = msgspec.to_builtins(matrix)
    if matrix.stack is None:
        del plain["stack"]
    return plain


def encoded(matrix: Matrix) -> bytes:
    """The document as JSON text in ASCII: what plugins say of themselves cannot garble a terminal."""
    return f"{json.dumps(document(matrix), indent=2)}\n".encode()
