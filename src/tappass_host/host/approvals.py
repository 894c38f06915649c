"""A person's side of the decision services of a host: what waits, and the answers."""

import http.client
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tappass_host.host.layout import Layout
from tappass_host.policy.errors import MissingTargetError, PolicyError, TappassError

_TIMEOUT_S: Final = 10.0
_OK: Final = 200
_MOST: Final = 4 * 1024 * 1024


class _Unix(http.client.HTTPConnection):
    """HTTP to a socket in the file system."""

    def __init__(self, path: str) -> None:
        super().__init__("tappass", timeout=_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_TIMEOUT_S)
        self.sock.connect(self._path)


def sockets(layout: Layout, named: Path | None = None) -> list[Path]:
    """The admin sockets that are meant: the one named, or all of the host.

    Raises:
        MissingTargetError: there is none.
    """
    found = [named] if named else sorted((layout.run / "admin").glob("*.sock"))
    if not found:
        remedy = "apply a policy whose Runtime has a decision-service with approvals: admin"
        raise MissingTargetError(f"no decision service in {layout.run}/admin", remedy=remedy)
    return found


def ask(path: Path, place: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """One request to one service.

    Raises:
        MissingTargetError: nobody answers there.
        PolicyError: it refuses, and says why.
    """
    connection = _Unix(str(path))
    try:
        connection.request("GET" if body is None else "POST", place, json.dumps(body) if body else None)
        answer = connection.getresponse()
        said = answer.read(_MOST)
    except (OSError, http.client.HTTPException) as error:
        raise MissingTargetError(f"{path} does not answer: {error}") from error
    finally:
        connection.close()
    if answer.status != _OK:
        raise PolicyError(said.decode(errors="replace") or f"status {answer.status}", source=str(path))
    found: dict[str, Any] = json.loads(said)
    return found


def waiting(paths: list[Path]) -> list[dict[str, Any]]:
    """Every question that can be answered, oldest first."""
    found = [question for path in paths for question in ask(path, "/v1/asks")["asks"]]
    return sorted(found, key=lambda question: str(question["created"]))


def approve(paths: list[Path], request: str, *, seconds: int = 0) -> dict[str, Any]:
    """Say yes, once or for so many seconds, to whoever asked.

    Raises:
        PolicyError: nobody asked that.
    """
    return _first(paths, lambda path: ask(path, "/v1/approve", {"id": request, "seconds": seconds}))


def deny(paths: list[Path], request: str) -> dict[str, Any]:
    """Say no, or take a yes back.

    Raises:
        PolicyError: nobody asked that.
    """
    return _first(paths, lambda path: ask(path, "/v1/deny", {"id": request}))


def _first(paths: list[Path], send: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """An id belongs to one service; the others do not know it."""
    refusal: TappassError | None = None
    for path in paths:
        try:
            return send(path)
        except PolicyError as error:
            refusal = error
    assert refusal is not None
    raise refusal
