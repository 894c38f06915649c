"""The scripted model's server: loopback TCP or a unix socket, all dialects on one listener.

The turn is the number of tool results in the request, so nothing is remembered between
requests: retries and parallel requests get the answer they would have got anyway.
"""

import json
import socketserver
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from tappass_host.prove.llm import anthropic, openai_chat, openai_responses
from tappass_host.prove.llm.script import Dialect, Reply, ToolCall, ToolResult, Turn

DIALECTS: list[Dialect] = [anthropic, openai_responses, openai_chat]
MODELS = ("scripted",)
_MAX_BODY = 64 * 1024 * 1024


class Request(NamedTuple):
    """One request as it came: what the harness sent is the evidence behind a verdict."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    results: list[ToolResult]
    tools: list[str]


class ScriptedLLM:
    """Serves `script`, one call per turn, then `final_text`. A context manager.

    Args:
        script: the tool calls, in order.
        final_text: what is said after the last one.
        unix_socket: listen there instead of on a free port of 127.0.0.1.
    """

    def __init__(
        self, script: Sequence[ToolCall], final_text: str = "DONE", *, unix_socket: Path | None = None
    ) -> None:
        self.script = tuple(script)
        self.final_text = final_text
        self.requests: list[Request] = []
        self._lock = threading.Lock()
        self._server = _unix_server(unix_socket) if unix_socket else _tcp_server()
        self._server.llm = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        """The TCP port; 0 on a unix socket."""
        address = self._server.server_address
        return int(address[1]) if isinstance(address, tuple) else 0

    @property
    def url(self) -> str:
        """Base address, without `/v1`."""
        return f"http://127.0.0.1:{self.port}"

    def turn(self, results: int) -> Turn:
        """What is said after so many tool results."""
        call = self.script[results] if results < len(self.script) else None
        return Turn(results, call, self.final_text)

    def record(self, request: Request) -> None:
        """Keep a request."""
        with self._lock:
            self.requests.append(request)

    def calls(self) -> list[Request]:
        """The model requests that offered tools: titles, summaries and probes are left out."""
        with self._lock:
            return [request for request in self.requests if request.tools]

    def tool_results(self) -> dict[str, ToolResult]:
        """Every tool result that came back, by call id."""
        return {result.call_id: result for request in self.calls() for result in request.results}

    def offered(self) -> list[str]:
        """The tools offered in the first model request, in order."""
        calls = self.calls()
        return calls[0].tools if calls else []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _TcpServer(ThreadingHTTPServer):
    daemon_threads = True
    # A client that keeps its connection open must not hold up the end of a test.
    block_on_close = False
    llm: ScriptedLLM


class _UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False
    llm: ScriptedLLM


def _tcp_server() -> "_TcpServer | _UnixServer":
    return _TcpServer(("127.0.0.1", 0), _Handler)


def _unix_server(path: Path) -> "_TcpServer | _UnixServer":
    return _UnixServer(str(path), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _TcpServer | _UnixServer

    def address_string(self) -> str:
        return "local"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Requests are recorded, not logged."""

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self._record({}, None)
        if path in {"/v1/models", "/models"}:
            data = [{"id": m, "type": "model", "object": "model", "display_name": m} for m in MODELS]
            self._send(200, {"data": data, "object": "list", "has_more": False})
        else:
            self._send(404, _error(f"no {path} here"))

    def do_HEAD(self) -> None:
        self._record({}, None)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        try:
            body = self._body()
        except ValueError as wrong:
            self.close_connection = True
            self._send(400, _error(str(wrong)))
            return
        dialect = next((d for d in DIALECTS if path in d.PATHS), None)
        results = self._record(body, dialect)
        if dialect is not None:
            self._reply(dialect.reply(body, self.server.llm.turn(results)))
            return
        side = next((d.SIDE[path] for d in DIALECTS if path in d.SIDE), None)
        self._send(*((200, side(body)) if side else (404, _error(f"no {path} here"))))

    def _body(self) -> dict[str, Any]:
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 < length <= _MAX_BODY:
            raise ValueError("a body with its length is needed")
        body = json.loads(self.rfile.read(length))
        if not isinstance(body, dict):
            raise ValueError("the body must be an object")  # noqa: TRY004 - answered like bad JSON
        return body

    def _record(self, body: dict[str, Any], dialect: Dialect | None) -> int:
        results = dialect.results(body) if dialect else []
        tools = dialect.tools(body) if dialect else []
        self.server.llm.record(
            Request(self.command, self.path, dict(self.headers.items()), body, results, tools)
        )
        # A harness also asks for titles and summaries, without tools: those are not turns of the script.
        return len(results) if tools else len(self.server.llm.script)

    def _reply(self, reply: Reply) -> None:
        if reply.document is not None:
            self._send(200, reply.document)
            return
        lines = []
        for event, data in reply.events:
            text = data if isinstance(data, str) else json.dumps(data)
            lines.append((f"event: {event}\n" if event else "") + f"data: {text}\n\n")
        self._write(200, "text/event-stream", "".join(lines).encode())

    def _send(self, status: int, document: dict[str, Any]) -> None:
        self._write(status, "application/json", json.dumps(document).encode())

    def _write(self, status: int, kind: str, payload: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)


def _error(text: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": "not_found_error", "message": text}}
