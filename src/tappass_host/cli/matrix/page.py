"""The matrix as one page: everything in it, nothing fetched, readable on a phone."""

import json
from collections.abc import Mapping, Sequence
from pkgutil import get_data
from typing import Any

from tappass_host.cli.matrix.cells import Cell, Row
from tappass_host.policy.model import ASPECTS


def page(rows: Sequence[Row], stack: Mapping[str, Any] | None, *, version: str) -> str:
    """The HTML."""
    template = get_data(__name__, "page.html")
    assert template is not None
    data = {
        "version": version,
        "aspects": ASPECTS,
        "providers": [_provider(row) for row in rows],
        "stack": stack,
    }
    # Inside a script element only these can end it or open a comment.
    text = json.dumps(data, sort_keys=True).replace("<", "\\u003c").replace("&", "\\u0026")
    return template.decode().replace("@DATA@", text)


def _provider(row: Row) -> dict[str, Any]:
    cells = {aspect: _cell(cell) for aspect, cell in row.cells.items()}
    return {**row._asdict(), "cells": cells}


def _cell(cell: Cell) -> dict[str, Any]:
    return {**cell._asdict(), "rows": [_transcript(row) for row in cell.rows]}


def _transcript(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "title": row["title"],
        "surface": row["surface"],
        "expected": row["expected"],
        "statement": row["statement"],
        "agrees": row["agrees"],
        "with": row["outcome"],
        "without": row["control"],
    }
