"""Host functions on the trusted side: which may be called, with what, how often; every attempt recorded."""

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tappass_host.policy.canonical import digest
from tappass_host.runners.arguments import objection
from tappass_host.runners.engines import Kind
from tappass_host.runners.plain import to_plain
from tappass_host.runners.result import Call
from tappass_host.sdk.configs.interpreter import HostFunction, Manifest

HostCallable = Callable[..., Any]
Settle = Callable[[Awaitable[Any]], Any]
Answer = dict[str, Any]

# The one host function the runner brings itself; see `http_get`.
HTTP_GET = "http_get"

# A record of more says no more; the rest is counted.
MAX_RECORDED = 1000
_MAX_NAME = 256
_MAX_MESSAGE = 2000


class RefusedError(Exception):
    """The policy does not permit this call. Host functions may raise it too."""


class HostCalls:
    """Answers the calls of one run.

    Args:
        manifest: says what is declared.
        functions: what the launcher provides, by name.
        settle: waits for an awaitable.
    """

    def __init__(self, manifest: Manifest, functions: Mapping[str, HostCallable], settle: Settle) -> None:
        self._declared = {function.name: function for function in manifest.host_functions}
        self._functions = functions
        self._settle = settle
        self._observe = manifest.mode == "observe"
        self._version = manifest.policy.version
        self._made: dict[str, int] = {}
        self.records: list[Call] = []
        self.dropped = 0

    def kinds(self) -> dict[str, Kind]:
        """Return the names the code can call, each `sync` or `async`."""
        return {
            name: "async" if inspect.iscoroutinefunction(self._functions[name]) else "sync"
            for name in self._declared
            if name in self._functions
        }

    def call(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Answer:
        """Judge and make one call; the answer is what the child will return or raise."""
        seen = _args_digest(args, kwargs)
        declared, function = self._declared.get(name), self._functions.get(name)
        if declared is None or function is None:
            why = "not declared as a host function" if declared is None else "declared, but not provided here"
            self.record(name, seen, "deny", why)
            return _raises("NameError", f"name '{name}' is not defined: {why}")
        reason = self._objection(declared, function, args, kwargs)
        if reason and not self._observe:
            return self._refuse(name, seen, reason)
        try:
            answer = self._make(name, function, args, kwargs)
        except RefusedError as refused:
            return self._refuse(name, seen, str(refused))
        self.record(name, seen, "observe" if reason else "allow", reason)
        return answer

    def record(self, name: str, args_digest: str, verdict: str, reason: str) -> None:
        """Keep one attempt for the result."""
        if len(self.records) >= MAX_RECORDED:
            self.dropped += 1
        else:
            self.records.append(Call(name[:_MAX_NAME], args_digest, verdict, reason[:_MAX_MESSAGE]))

    def _objection(
        self, declared: HostFunction, function: HostCallable, args: list[Any], kwargs: dict[str, Any]
    ) -> str:
        if declared.max_calls is not None and self._made.get(declared.name, 0) >= declared.max_calls:
            return f"no more than {declared.max_calls} calls are allowed"
        return objection(function, args, kwargs, declared.constraints) if declared.constraints else ""

    def _refuse(self, name: str, args_digest: str, reason: str) -> Answer:
        self.record(name, args_digest, "deny", reason)
        return _raises("PermissionError", f"{name} denied by policy version {self._version}: {reason}")

    def _make(self, name: str, function: HostCallable, args: list[Any], kwargs: dict[str, Any]) -> Answer:
        self._made[name] = self._made.get(name, 0) + 1
        try:
            value = function(*args, **kwargs)
            if inspect.isawaitable(value):
                value = self._settle(value)
            return {"value": to_plain(value)}
        except RefusedError:
            raise
        except Exception as error:  # noqa: BLE001  whatever a host function raises belongs inside the sandbox
            return _raises(*_as_builtin(error))


def _as_builtin(error: Exception) -> tuple[str, str]:
    """Name the nearest builtin class: an engine knows no others."""
    kind = next(each.__name__ for each in type(error).__mro__ if each.__module__ == "builtins")
    own = type(error).__name__
    return kind, str(error) if kind == own else f"{own}: {error}"


def _args_digest(args: list[Any], kwargs: dict[str, Any]) -> str:
    return digest(json.dumps([args, kwargs], sort_keys=True, separators=(",", ":")).encode())


def _raises(kind: str, message: str) -> Answer:
    return {"type": kind, "message": message[:_MAX_MESSAGE]}
