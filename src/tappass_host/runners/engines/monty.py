"""The monty engine: pydantic-monty, a Python interpreter in Rust whose code runs in a worker process.

Written against the API of pydantic-monty 1.4.0, read 2026-11. The worker starts with nothing and suspends for
everything: each call of an unknown function, look-up of an unknown name, file operation, sleep and unknown
import arrives here as a snapshot and is answered or refused.

Snapshots are answered and thrown away. `load_session` and `load_snapshot` are never used: a dump carries its
own limits and is not signed, so loading one could revive the limits of an older policy.
"""

import time
from typing import TYPE_CHECKING, Any, Final

from tappass_host.runners.engines import Failure, Host, HostCallError, MountSpec, Outcome, Spec, Status
from tappass_host.runners.plain import to_plain

if TYPE_CHECKING:
    from pydantic_monty import OSPolicy, ResourceLimits

# VmPeak of the 1.4.0 worker is 178 MiB and of the client 234 MiB before any code runs (measured 2026-11);
# the allocator's arenas need the rest.
_BASE_ADDRESS_SPACE = 640 << 20
_SLEEPS = ("system.sleep", "system.async_sleep")

# The texts of limits that monty 1.4 enforces from outside the code. Code can raise the same types itself,
# and may lie about its own end; it cannot go on after a real one, because these cannot be caught.
_LIMITS: Final[tuple[tuple[str, str, Status], ...]] = (
    ("TimeoutError", "feed time limit exceeded", "timeout"),
    ("TimeoutError", "sleep limit exceeded", "timeout"),
    ("MemoryError", "memory limit exceeded", "memory"),
    ("MemoryError", "the worker exceeded its memory limit", "memory"),
    ("RuntimeError", "suspension limit", "denied"),
)


class MontyEngine:
    """See `tappass_host.runners.engines.Engine`."""

    id = "monty"
    versions = ("1.4",)

    def load(self) -> str:
        """Import the client, look for its worker binary, return the version they share."""
        from importlib.metadata import version

        import pydantic_monty
        from pydantic_monty._binary import find_monty_binary

        try:
            find_monty_binary()
        except FileNotFoundError as error:
            raise ImportError(str(error)) from error
        client, worker = str(pydantic_monty.__version__), version("pydantic-monty-runtime")
        if client != worker:
            raise ImportError(f"pydantic-monty-client {client} and pydantic-monty-runtime {worker} differ")
        return client

    def address_space(self, memory_bytes: int) -> int | None:
        """Leave room for the worker itself beside what the code may use."""
        return _BASE_ADDRESS_SPACE + memory_bytes

    def run_child(self, spec: Spec, host: Host) -> Outcome:
        """Run the code in one fresh worker that serves nothing else."""
        import pydantic_monty as pm

        wall_s = spec["limits"]["wall_ms"] / 1000
        try:
            with (
                pm.Monty(min_processes=1, max_processes=1, request_timeout=wall_s) as pool,
                pool.checkout(limits=_limits(spec["limits"]), os_policy=_os_policy()) as session,
            ):
                return _Run(spec, host).drive(session)
        except pm.MontyCrashedError as error:
            failure = Failure("MontyCrashedError", str(error))
            return Outcome("timeout" if error.timed_out else "crashed", error=failure)


def _limits(limits: dict[str, int]) -> "ResourceLimits":
    return {
        "max_feed_duration_secs": limits["cpu_time_ms"] / 1000,
        "max_memory": limits["memory_bytes"],
        "max_recursion_depth": limits["recursion"],
        "max_suspensions": limits["suspensions"],
        "max_total_sleep_secs": limits["sleep_ms"] / 1000,
    }


def _os_policy() -> "OSPolicy":
    # Below its cap monty shortens a long sleep without a word; without the cap the total limit refuses it.
    return {"sleep": "system", "sleep_system_max": float("inf"), "process_time": "zero"}


def _mount(mount: MountSpec) -> Any:
    import pydantic_monty as pm

    return pm.MountDir(
        host_path=mount["host"],
        virtual_path=mount["guest"],
        mode="read-write" if mount["mode"] == "rw" else "read-only",
        write_bytes_limit=mount["write_bytes"] if mount["mode"] == "rw" else 0,
    )


class _Run:
    """One run: answers every suspension until the code ends."""

    def __init__(self, spec: Spec, host: Host) -> None:
        self._spec = spec
        self._host = host
        self._settled: dict[int, Any] = {}
        self._denied = False

    def drive(self, session: Any) -> Outcome:
        import pydantic_monty as pm

        try:
            step = session.feed_start(
                self._spec["code"],
                inputs={} if self._spec["input"] is None else {"input": self._spec["input"]},
                print_callback=self._print,
                mount=[_mount(mount) for mount in self._spec["mounts"]] or None,
            )
            while not isinstance(step, pm.MontyComplete):
                step = self._answer(step)
            return self._completed(step.output)
        except (pm.MontyRuntimeError, pm.MontySyntaxError, pm.MontyConversionError) as error:
            return self._failed(error)

    def _completed(self, output: object) -> Outcome:
        try:
            return Outcome("ok", result=to_plain(output))
        except TypeError as error:
            return Outcome("error", error=Failure("TypeError", f"the result cannot be returned: {error}"))

    def _failed(self, error: Any) -> Outcome:
        inner = error.exception()
        failure = Failure(type(inner).__name__, str(inner))
        for kind, text, status in _LIMITS:
            if failure.type == kind and failure.message.startswith(text):
                return Outcome(status, error=failure)
        denied = self._denied and failure.type == "PermissionError"
        return Outcome("denied" if denied else "error", error=failure)

    def _print(self, _stream: str, text: str) -> None:
        # An exception in a print callback does not stop monty 1.4, so the host ends the run there and then.
        self._host.write(text)

    def _answer(self, step: Any) -> Any:
        import pydantic_monty as pm

        if isinstance(step, pm.NameLookupSnapshot):
            return self._name(step)
        if isinstance(step, pm.FutureSnapshot):
            return step.resume({each: self._settled.pop(each) for each in step.pending_call_ids})
        return self._system(step) if step.is_os_function else self._call(step)

    def _name(self, step: Any) -> Any:
        """A declared function read as a value; anything else stays undefined and is recorded."""
        name = step.variable_name
        if step.object_id is None and name in self._spec["functions"]:
            return step.resume(value=_stub(name))
        self._host.refused(name, "not declared as a host function")
        return step.resume()

    def _call(self, step: Any) -> Any:
        answer = self._ask_host(step)
        # `await f()` needs a future, `f()` needs the value; the worker says which it is about to do.
        if step.allow_eager_await or self._spec["functions"].get(step.function_name) == "async":
            self._settled[step.call_id] = answer
            return step.resume({"future": ...})
        return step.resume(answer)

    def _ask_host(self, step: Any) -> dict[str, Any]:
        try:
            args = [to_plain(each) for each in step.args]
            kwargs = {name: to_plain(each) for name, each in step.kwargs.items()}
            return {"return_value": self._host.call(step.function_name, args, kwargs)}
        except TypeError as error:
            return {"exception": TypeError(str(error))}
        except HostCallError as error:
            self._denied |= error.type == "PermissionError"
            return _exception(error)

    def _system(self, step: Any) -> Any:
        name, args = str(step.function_name), step.args
        if name in _SLEEPS:
            # The pool has charged it against `max_total_sleep_secs` before asking.
            time.sleep(max(0.0, float(args[0])))
            return self._settle(step, None)
        if name == "os.environ":
            return step.resume({"return_value": dict(self._spec["env"])})
        if name == "os.getenv":
            return step.resume({"return_value": self._spec["env"].get(args[0], args[1])})
        if name == "import":
            self._host.refused(f"import {args[0]}", "the interpreter has no such module")
            return step.resume_not_handled()
        self._denied = True
        return step.resume_auto()

    def _settle(self, step: Any, value: object) -> Any:
        if str(step.function_name) == "system.async_sleep":
            self._settled[step.call_id] = {"return_value": value}
            return step.resume({"future": ...})
        return step.resume({"return_value": value})


def _stub(name: str) -> Any:
    """A callable that only carries the name across; calls of it come back as snapshots."""

    def stub(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("host functions are called through the runner")

    stub.__name__ = stub.__qualname__ = name
    return stub


def _exception(error: HostCallError) -> dict[str, Any]:
    from typing import get_args

    import pydantic_monty as pm

    if error.type in get_args(pm.ExcType):
        return {"exc_type": error.type, "message": error.message}
    return {"exc_type": "RuntimeError", "message": f"{error.type}: {error.message}"}


ENGINE = MontyEngine()
