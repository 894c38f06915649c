"""One run from the trusted side: what the child is told, what it may ask, how its end is read."""

import math
import os
import signal
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from tappass_host.policy.errors import MissingTargetError
from tappass_host.runners import messages as m
from tappass_host.runners.calls import HTTP_GET, Answer, HostCallable, HostCalls, Settle
from tappass_host.runners.confine import ResourceCaps
from tappass_host.runners.engines import Spec, Status, version_matches
from tappass_host.runners.frames import MAX_ARGUMENTS, MAX_TO_CHILD, ClosedError, FrameError, encode
from tappass_host.runners.gate import Admitted
from tappass_host.runners.process import Child, End
from tappass_host.runners.result import ErrorInfo, PolicyUsed, Result, TargetUsed
from tappass_host.sdk.configs.interpreter import Manifest

# Beside its payload a frame holds a few field names.
_FRAME_SLACK = 1 << 16
# What an honest child may send beyond what it was granted: a refusal before the start, an empty print.
_COUNT_SLACK = 16
# The child needs descriptors for its engine and its folders, and for nothing else.
_OPEN_FILES = 64
# Starting Python and the engine costs time that is not the code's.
_STARTUP_CPU_S = 2
# RLIMIT_FSIZE is about offsets, and a file that is appended to may be large already.
_EXISTING_FILE = 1 << 30


class Request(Struct, frozen=True):
    """What the caller wants, beside the manifest."""

    code: str
    input: Any
    functions: dict[str, HostCallable]
    on_stdout: Callable[[str], None] | None


def policy_used(manifest: Manifest) -> PolicyUsed:
    """Name the policy a manifest was rendered from."""
    return PolicyUsed(manifest.policy.digest, manifest.policy.version)


class Session:
    """Starts the child at once; `serve` must follow, since only it ends the child.

    Args:
        admitted: the manifest and its engine.
        request: the code and what it gets.
        settle: waits for an awaitable of a host function.
    """

    def __init__(self, admitted: Admitted, request: Request, settle: Settle) -> None:
        self._manifest = admitted.manifest
        self._engine = admitted.engine
        self._request = request
        self._calls = HostCalls(self._manifest, self._functions(), settle)
        self._stdout: list[str] = []
        self._said = self._asked = 0
        self._version = ""
        self._handed_over = False
        limits = self._manifest.limits
        self._expires_first = admitted.valid_s < limits.wall_ms / 1000
        self._frame_limit = max(limits.result_bytes, MAX_ARGUMENTS) + _FRAME_SLACK
        self.child = Child(min(admitted.valid_s, limits.wall_ms / 1000))

    def _functions(self) -> dict[str, HostCallable]:
        if all(each.name != HTTP_GET for each in self._manifest.host_functions):
            return self._request.functions
        from tappass_host.runners.http_get import HttpGet

        observed = self._observed if self._manifest.mode == "observe" else None
        return {**self._request.functions, HTTP_GET: HttpGet(self._manifest.network, observed=observed)}

    def serve(self) -> Result:
        """Answer the child until it ends.

        Raises:
            MissingTargetError: the engine is not installed, or in a version the manifest is not for.
        """
        done: m.Done | None = None
        broken = ""
        try:
            done = self._talk()
        except (m.ProtocolError, FrameError) as error:
            broken = str(error)
        except ClosedError:
            pass  # Its exit says why.
        finally:
            if done is None:
                self.child.kill()
            end = self.child.finish()
        status, failure = (done.status, done.error) if done else self._no_end(broken, end)
        return Result(
            status=status,
            ran=done.ran if done else self._handed_over,
            result=done.result if done and status == "ok" else None,
            stdout="".join(self._stdout),
            error=failure,
            calls=tuple(self._calls.records),
            calls_dropped=self._calls.dropped,
            usage=end.usage,
            policy=policy_used(self._manifest),
            target=TargetUsed(self._engine.id, self._version),
        )

    def _talk(self) -> m.Done | None:
        channel = self.child.channel
        channel.send({"engine": self._engine.id, "parent": os.getpid(), "caps": self._caps()})
        first = self._next()
        if first is None:
            return None
        self._greet(first)
        self._handed_over = True
        channel.send(dict(self._spec()))
        while (message := self._next()) is not None:
            if isinstance(message, m.Done):
                return message
            self._serve_one(message)
        return None

    def _greet(self, message: m.Message) -> None:
        target = self._manifest.target
        versions = target.versions or ",".join(self._engine.versions)
        if isinstance(message, m.Missing):
            remedy = f"pip install 'tappass-host[{target.id}]'"
            raise MissingTargetError(f"{target.id} cannot be loaded: {message.reason}", remedy=remedy)
        if not isinstance(message, m.Hello):
            raise m.ProtocolError("the child did not start")
        if not version_matches(message.version, versions):
            raise MissingTargetError(
                f"{target.id} {message.version} is installed, the manifest is for {versions}",
                remedy="install that version, or render the policy for this one",
            )
        self._version = message.version

    def _serve_one(self, message: m.Message) -> None:
        if isinstance(message, m.Print):
            self._print(message.text)
        elif isinstance(message, m.Call):
            self._count_question()
            self._answer(self._calls.call(message.name, message.args, message.kwargs))
        elif isinstance(message, m.Refused):
            self._count_question()
            self._calls.record(message.name, "", "deny", message.reason)
        else:
            raise m.ProtocolError("out of turn")

    def _print(self, text: str) -> None:
        self._said += max(1, len(text.encode()))
        if self._said > self._manifest.limits.stdout_bytes + _COUNT_SLACK:
            raise m.ProtocolError("the child printed more than it may")
        self._stdout.append(text)
        if self._request.on_stdout:
            self._request.on_stdout(text)

    def _observed(self, reason: str) -> None:
        self._calls.record(HTTP_GET, "", "observe", reason)

    def _count_question(self) -> None:
        self._asked += 1
        if self._asked > self._manifest.limits.suspensions + _COUNT_SLACK:
            raise m.ProtocolError("the child asked more often than it may")

    def _answer(self, answer: Answer) -> None:
        if len(encode(answer)) > MAX_TO_CHILD:
            answer = {"type": "MemoryError", "message": "the host function returned too much"}
        self.child.channel.send(answer)

    def _next(self) -> m.Message | None:
        payload = self.child.channel.receive(self._frame_limit)
        return None if payload is None else m.decode(payload)

    def _caps(self) -> ResourceCaps:
        limits = self._manifest.limits
        written = [mount.write_bytes for mount in self._manifest.mounts if mount.mode == "rw"]
        return {
            "cpu_s": math.ceil(limits.cpu_time_ms / 1000) + _STARTUP_CPU_S,
            "file_bytes": max(written) + _EXISTING_FILE if written else 0,
            "open_files": _OPEN_FILES + len(self._manifest.mounts),
            "address_space": self._engine.address_space(limits.memory_bytes),
        }

    def _spec(self) -> Spec:
        manifest, request = self._manifest, self._request
        limits = manifest.limits
        observe = manifest.mode == "observe"
        return {
            "code": request.code,
            "input": request.input,
            "limits": {name: getattr(limits, name) for name in limits.__struct_fields__},
            "mounts": [
                {"host": each.host, "guest": each.guest, "mode": each.mode, "write_bytes": each.write_bytes}
                for each in manifest.mounts
            ],
            "env": manifest.env,
            "functions": self._calls.kinds(),
            # Observing, an allow list only tells; explicit denies stay.
            "imports_allow": None
            if manifest.imports.allow is None or observe
            else list(manifest.imports.allow),
            "imports_deny": list(manifest.imports.deny),
        }

    def _no_end(self, broken: str, end: End) -> tuple[Status, ErrorInfo]:
        """Say what became of a child that did not report."""
        if self.child.timed_out and self._expires_first:
            return "timeout", ErrorInfo("ExpiredError", "the policy expired during the run")
        if self.child.timed_out:
            return "timeout", ErrorInfo("TimeoutError", "wall_ms exceeded")
        if broken:
            return "crashed", ErrorInfo("ProtocolError", broken)
        if end.exit_code == -signal.SIGXCPU:
            return "timeout", ErrorInfo("TimeoutError", "cpu_time_ms exceeded")
        said = end.last_words.strip().rpartition("\n")[2]
        return "crashed", ErrorInfo(
            "ChildCrashedError", f"exit code {end.exit_code}" + (f": {said}" if said else "")
        )
