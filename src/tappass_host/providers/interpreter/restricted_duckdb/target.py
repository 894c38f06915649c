"""Meets the real DuckDB: finds the library, and has it parse the script and take its lock."""

from collections.abc import Mapping
from importlib import import_module, metadata
from typing import Any

from tappass_host.policy.errors import MissingTargetError
from tappass_host.sdk.target import Found


def detect() -> Found | None:
    """The library that this Python would import."""
    try:
        return Found(metadata.version("duckdb"))
    except metadata.PackageNotFoundError:
        return None


def validate(files: Mapping[str, bytes]) -> list[str]:
    """What the engine objects to: a line that is not one statement, or a setting that it does not take.

    The statements that build tables are parsed only; what they read is on the host that will run them.

    Raises:
        MissingTargetError: the library is not here.
    """
    if detect() is None:
        raise MissingTargetError("duckdb is not installed for this Python", remedy="pip install duckdb")
    # By name: the library is an optional part, and nothing here needs its types.
    duckdb = import_module("duckdb")
    scripts = [data.decode() for name, data in files.items() if name.endswith(".init.sql")]
    return [fault for script in scripts for fault in _faults(duckdb, script)]


def _faults(duckdb: Any, script: str) -> list[str]:
    faults: list[str] = []
    with duckdb.connect() as connection:
        for line in script.splitlines():
            try:
                found = connection.extract_statements(line)
                if len(found) != 1:
                    faults.append(f"{len(found)} statements in {line}")
                elif line.startswith("SET "):
                    connection.execute(line)
            except duckdb.Error as error:
                faults.append(f"{line}: {error}")
    return faults
