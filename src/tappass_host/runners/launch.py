"""Run code under a manifest: `run` for ordinary callers, `arun` for those with an event loop."""

import os
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from typing import Any, NoReturn

import msgspec

from tappass_host.policy.errors import SchemaError, TappassError
from tappass_host.runners.calls import HTTP_GET, HostCallable, Settle
from tappass_host.runners.frames import MAX_TO_CHILD
from tappass_host.runners.gate import admit, read_manifest
from tappass_host.runners.process import Child
from tappass_host.runners.result import PolicyUsed, Result, TargetUsed, refusal
from tappass_host.runners.session import Request, Session, policy_used

MAX_CODE = 1 << 20
ManifestLike = bytes | str | os.PathLike[str]


def run(
    manifest: ManifestLike,
    code: str,
    *,
    input: Any = None,  # noqa: A002  the name under which the code finds it
    host_functions: Mapping[str, HostCallable] | None = None,
    now: float | None = None,
    active_digests: Collection[str] | None = None,
    on_stdout: Callable[[str], None] | None = None,
) -> Result:
    """Run `code` in the engine of `manifest` and return what came of it.

    Nothing the code or the manifest does raises here: it is all in the result.

    Args:
        manifest: the bytes of an interpreter manifest, or the path of one.
        code: the text; its last expression is the result.
        input: a JSON value the code finds as `input`.
        host_functions: callables by name; only those the manifest declares can be called.
        now: Unix seconds; by default the clock.
        active_digests: `sha256:<hex>` of every manifest of the active generation; None takes any manifest.
        on_stdout: called with each piece of output as it comes.
    """
    request = Request(code, input, dict(host_functions or {}), on_stdout)
    return _execute(manifest, request, now, active_digests, settle=_no_loop, started=lambda _: None)


async def arun(
    manifest: ManifestLike,
    code: str,
    *,
    input: Any = None,  # noqa: A002  the name under which the code finds it
    host_functions: Mapping[str, HostCallable] | None = None,
    now: float | None = None,
    active_digests: Collection[str] | None = None,
    on_stdout: Callable[[str], None] | None = None,
) -> Result:
    """Like `run`, for event loops. Cancelling it kills the child before it returns.

    Coroutine functions among `host_functions` run on the caller's loop and are cancelled when the run's time
    is over; plain ones, and `on_stdout`, run in the thread that serves the child.
    """
    import asyncio
    import threading

    loop = asyncio.get_running_loop()
    children: list[Child] = []
    cancelled = threading.Event()

    def started(child: Child) -> None:
        children.append(child)
        if cancelled.is_set():
            child.kill()

    def settle(awaitable: Awaitable[Any]) -> Any:
        waiting = asyncio.run_coroutine_threadsafe(_awaited(awaitable), loop)
        children[0].on_kill.append(waiting.cancel)
        if children[0].killed:
            waiting.cancel()
        return waiting.result()

    request = Request(code, input, dict(host_functions or {}), on_stdout)
    work = partial(_execute, manifest, request, now, active_digests, settle=settle, started=started)
    future = loop.run_in_executor(None, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        cancelled.set()
        for child in children:
            child.kill()
        await asyncio.wait([future])
        raise


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _execute(
    manifest: ManifestLike,
    request: Request,
    now: float | None,
    active: Collection[str] | None,
    *,
    settle: Settle,
    started: Callable[[Child], None],
) -> Result:
    policy, target = PolicyUsed(), TargetUsed()
    try:
        admitted = admit(read_manifest(manifest), now=time.time() if now is None else now, active=active)
        policy, target = policy_used(admitted.manifest), TargetUsed(admitted.manifest.target.id)
        _check_request(request)
        session = Session(admitted, request, settle)
        started(session.child)
        return session.serve()
    except TappassError as error:
        return refusal(error, policy=policy, target=target)


def _check_request(request: Request) -> None:
    if len(request.code.encode("utf-8", "replace")) > MAX_CODE:
        raise SchemaError(f"longer than {MAX_CODE} bytes", source="code")
    if HTTP_GET in request.functions:
        raise SchemaError(
            f"{HTTP_GET} is the runner's own: it holds the network policy", source="host_functions"
        )
    try:
        size = len(msgspec.json.encode(request.input))
    except (TypeError, ValueError, RecursionError) as error:
        raise SchemaError(f"not a JSON value: {error}", source="input") from None
    if size > MAX_TO_CHILD // 2:
        raise SchemaError("larger than the runner takes", source="input")


def _no_loop(awaitable: Awaitable[Any]) -> NoReturn:
    close = getattr(awaitable, "close", None)
    if close:
        close()
    raise TypeError("the host function is asynchronous: use arun()")
