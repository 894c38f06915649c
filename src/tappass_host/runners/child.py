"""The child process: confine first, then load one engine, run one text, report, end.

Started by `tappass_host.runners.process` as `python -I -m tappass_host.runners.child FD`. It is no boundary
against the runner: whatever it sends is judged there. Standard library only, apart from the engine.
"""

import json
import os
import socket
import sys
from typing import Any

from tappass_host.runners.confine import confine
from tappass_host.runners.engines import Engine, Failure, HostCallError, Outcome, Spec, get_engine
from tappass_host.runners.frames import MAX_ARGUMENTS, MAX_TO_CHILD, Channel, encode
from tappass_host.runners.imports import ImportRefusedError, check_imports

# A character takes at most six bytes in JSON, and a frame must stay below its limit.
_PIECE = 1 << 14


class _Host:
    """Implements `Host` over the channel."""

    def __init__(self, channel: Channel, stdout_bytes: int) -> None:
        self._channel = channel
        self._left = stdout_bytes

    def call(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        if len(encode([args, kwargs])) > MAX_ARGUMENTS:
            raise HostCallError(Failure("ValueError", f"the arguments have more than {MAX_ARGUMENTS} bytes"))
        self._channel.send({"op": "call", "name": name, "args": args, "kwargs": kwargs})
        answer = _receive(self._channel)
        if "type" in answer:
            raise HostCallError(Failure(answer["type"], answer["message"]))
        return answer["value"]

    def write(self, text: str) -> None:
        """Send what still fits. One byte more ends this process: an engine may not stop at an error."""
        data = text.encode("utf-8", "replace")
        kept = data[: self._left]
        self._left -= len(kept)
        shown = kept.decode("utf-8", "ignore")
        for at in range(0, len(shown), _PIECE):
            self._channel.send({"op": "print", "text": shown[at : at + _PIECE]})
        if len(kept) < len(data):
            message = "the code printed more than stdout_bytes"
            _report(self._channel, Outcome("memory", error=Failure("OutputLimitError", message)))
            os._exit(0)

    def refused(self, name: str, reason: str) -> None:
        self._channel.send({"op": "refused", "name": name, "reason": reason})


def main() -> None:
    """Serve one run on the inherited socket whose number is the only argument."""
    sock = socket.socket(fileno=int(sys.argv[1]))
    # The engine's own processes must not inherit the way to the trusted side.
    sock.set_inheritable(False)
    channel = Channel(sock)
    first = _receive(channel)
    confine(first["caps"], first["parent"])
    engine = get_engine(first["engine"])
    try:
        channel.send({"op": "hello", "version": engine.load()})
    except ImportError as error:
        channel.send({"op": "missing", "reason": str(error)})
        return
    spec: Spec = _receive(channel)
    _serve(engine, spec, channel)


def _serve(engine: Engine, spec: Spec, channel: Channel) -> None:
    host = _Host(channel, spec["limits"]["stdout_bytes"])
    try:
        check_imports(spec["code"], spec["imports_allow"], spec["imports_deny"])
    except ImportRefusedError as error:
        host.refused(f"import {error.name}", error.reason)
        _report(channel, Outcome("denied", error=Failure("ImportError", str(error))), ran=False)
    except SyntaxError as error:
        _report(channel, Outcome("error", error=Failure("SyntaxError", str(error))), ran=False)
    else:
        _report(channel, _bounded(engine.run_child(spec, host), spec["limits"]["result_bytes"]))


def _bounded(outcome: Outcome, limit: int) -> Outcome:
    size = len(encode(outcome.result))
    if size <= limit:
        return outcome
    return Outcome(
        "memory", error=Failure("ResultLimitError", f"the result has {size} bytes, the limit is {limit}")
    )


def _report(channel: Channel, outcome: Outcome, *, ran: bool = True) -> None:
    status, result, failure = outcome
    error = failure._asdict() if failure else None
    channel.send({"op": "done", "status": status, "ran": ran, "result": result, "error": error})


def _receive(channel: Channel) -> Any:
    payload = channel.receive(MAX_TO_CHILD)
    if payload is None:
        raise SystemExit(0)
    return json.loads(payload)


if __name__ == "__main__":
    main()
