"""The decision service in a thread of its own, and everybody who talks to it."""

import asyncio
import contextlib
import json
import os
import secrets
import socket
import subprocess
import threading
from pathlib import Path

from tappass_host.audit import read
from tappass_host.audit.write import Log, LogSettings
from tappass_host.decision import hook_client
from tappass_host.decision.clock import Clock
from tappass_host.decision.decider import Decider
from tappass_host.decision.server import Server
from tappass_host.decision.state import State
from tappass_host.sdk.configs.decision import decode

PYTHON = "/usr/bin/python3"
CLIENT = str(Path(hook_client.__file__))
DIGEST = "sha256:" + "a" * 64
WORKER = {
    "default": "deny",
    "unknown": "deny",
    "allow": ["Read", "Write", "WebFetch", "Bash(git *)", "Bash(ls)", "lookup"],
    "ask": ["Bash(git push *)"],
    "deny": ["Bash(curl *)"],
}
FILES = {"default": "deny", "deny_paths": ["@/ws/secret", "@/ws/**/.env"], "workspace": "@/ws"}
NET = {"default": "deny", "local": "deny", "allow_domains": ["*.example.com", "api.x.org:8443"]}


class Ticks:
    """Wall and steady seconds that a test holds in its hands."""

    def __init__(self):
        self.wall = self.steady = 1_790_000_000.0

    def clock(self):
        return Clock(wall=lambda: self.wall, steady=lambda: self.steady)

    def pass_(self, seconds):
        self.wall += seconds
        self.steady += seconds


class Reply:
    """What came back over the socket."""

    def __init__(self, data):
        head, _, self.body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        self.status = int(first.split()[1]) if first else 0
        self.headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}

    @property
    def effect(self):
        return self.headers.get("tappass-effect", "")

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)


class Lab:
    """One sandbox's service below a folder. `@` in a configuration stands for that folder."""

    def __init__(self, root, **changes):
        self.root = Path(root)
        self.ticks = Ticks()
        self.real_time = changes.pop("real_time", False)
        self.log_settings = LogSettings(fsync="batch", **changes.pop("log", {}))
        self.config = self._config(changes)
        for folder in ("ws", "home", "run"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        self._thread = None

    def _config(self, changes):
        document = {
            "schema": "tappass.decision/v1",
            "policy": {"digest": DIGEST, "version": 7, "expires_at": "2030-01-01T00:00:00Z"},
            "name": "acme/crm/helper",
            "sandbox": "box-1",
            "agent": "acme/crm/helper",
            "mode": "enforce",
            "listen": {"unix": "@/run/decision.sock"},
            "hooks": [{"dialect": "claude-code"}],
            "view": {"home": "@/home", "workspace": "@/ws"},
            "state": "@/state/decision.db",
            "audit": {"folder": "@/audit", "fsync": "batch"},
            "tools": WORKER,
            "filesystem": FILES,
            "network": NET,
            **changes,
        }
        return {key: value for key, value in self.fill(document).items() if value is not None}

    def fill(self, value):
        return json.loads(json.dumps(value).replace("@/", f"{self.root}/"))

    def write_config(self, **changes):
        self.config |= self.fill(changes)
        path = self.root / "decision.json"
        path.write_bytes(json.dumps(self.config).encode())
        path.chmod(0o600)
        return path

    # -- life

    def start(self):
        """Start the service; it listens when this returns."""
        ready = threading.Event()
        self._failed = None
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        if self._failed:
            raise self._failed
        return self

    def _run(self, ready):
        try:
            asyncio.run(self._serve(ready))
        except Exception as error:  # noqa: BLE001 - told to the test
            self._failed = error
            ready.set()

    async def _serve(self, ready):
        config = decode(json.dumps(self.config).encode())
        self.loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        clock = Clock() if self.real_time else self.ticks.clock()
        with contextlib.ExitStack() as held:
            self.log = held.enter_context(contextlib.closing(self._log(config)))
            self.state = held.enter_context(contextlib.closing(State(Path(config.state))))
            self.append = self.log.append
            self.decider = held.enter_context(
                contextlib.closing(Decider(config, self.state, self.record, clock=clock))
            )
            server = Server(self.decider, self.record)
            await server.start()
            ready.set()
            await self._stop.wait()
            await server.close()

    def record(self, event):
        """The audit log, or what a test puts in its place."""
        return self.append(event)

    def _log(self, config):
        return Log.open(
            Path(config.audit.folder), component="decision", sandbox="box-1", settings=self.log_settings
        )

    def stop(self):
        if self._thread is not None and self._thread.is_alive():
            self.loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(10)
            assert not self._thread.is_alive()
        self._thread = None

    def restart(self, **changes):
        self.stop()
        self.config |= self.fill(changes)
        return self.start()

    def call(self, function, *args):
        """Call something in the thread of the service."""

        async def run():
            return function(*args)

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)

    # -- talking

    def send(self, data, *, path=None, timeout=10, then=None):
        """Raw bytes in, raw bytes out."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout)
            connection.connect(path or self.config["listen"]["unix"])
            with contextlib.suppress(BrokenPipeError):  # it may have answered already
                connection.sendall(data)
            if then:
                then(connection)
            received = b""
            while part := connection.recv(65536):
                received += part
        return received

    def post(self, place, body, *, path=None, nonce=None, method="POST", **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"{method} {place} HTTP/1.1", "Host: tappass", f"Content-Length: {len(data)}"]
        lines += [f"Tappass-Nonce: {nonce or secrets.token_hex(16)}"]
        lines += [f"{key}: {value}" for key, value in headers.items()]
        return Reply(self.send("\r\n".join([*lines, "", ""]).encode() + data, path=path))

    def message(self, tool, args, **more):
        """What Claude Code says to a hook."""
        return {
            "session_id": "s-1",
            "transcript_path": "/t",
            "cwd": str(self.root / "ws"),
            "prompt_id": "p",
            "permission_mode": "dontAsk",
            "effort": {"level": "high"},
            "hook_event_name": "PreToolUse",
            "tool_name": tool,
            "tool_input": self.fill(args),
            "tool_use_id": "toolu_1",
            **more,
        }

    def hook(self, tool, args, **more):
        """Over the socket, as the hook client does it."""
        return self.post("/v1/hook/claude-code", self.message(tool, args, **more))

    def bash(self, command, **more):
        return self.hook("Bash", {"command": command}, **more)

    def decide(self, action, **more):
        return self.post("/v1/decide", {"action": self.fill(action), **more})

    def argv(self, *more, uid=None):
        """How the hook program is run."""
        options = ["--socket", self.config["listen"]["unix"], "--dialect", "claude-code"]
        options += ["--uid", str(os.geteuid() if uid is None else uid), *more]
        return [PYTHON, "-I", "-S", CLIENT, *options]

    def client(self, tool, args, *, argv=(), env=None, stdin=None, uid=None):
        """The hook program as a process."""
        message = json.dumps(self.message(tool, args)).encode() if stdin is None else stdin
        return subprocess.run(
            self.argv(*argv, uid=uid),
            input=message,
            capture_output=True,
            env=env or {},
            timeout=20,
            check=False,
        )

    def admin(self, place, body=None):
        """As a person."""
        method = "GET" if body is None else "POST"
        return self.post(place, body or {}, path=self.config["admin"]["unix"], method=method)

    # -- looking

    def records(self, kind=None):
        found = [r.event for r in read.records(Path(self.config["audit"]["folder"]))]
        return [event for event in found if kind in (None, event["type"])]

    def verdicts(self):
        return [event["effect"] for event in self.records("decision")]
