"""One tool call on its way to a verdict: what a dialect reads out of a harness's own message."""

from typing import Any, NamedTuple

import msgspec

from tappass_host.decision.payload import canonical
from tappass_host.policy import actions as a
from tappass_host.policy.canonical import digest


class Call(NamedTuple):
    """What is asked.

    Attributes:
        dialect: it was asked in.
        tool: as the harness calls it.
        what: the call in a few words, for people; not escaped yet.
        args: as the harness sent them.
        actions: what the call does, in the policy's words; paths as the agent wrote them. All are judged.
        trees: folders that are read whole.
        cwd: folder that relative paths start from.
        counts: it is a call of a tool, and counted as one.
        session: the harness's own name of the session, for the record only.
        call_id: the harness's own name of the call, for the record only.
    """

    dialect: str
    tool: str
    what: str
    args: dict[str, Any]
    actions: tuple[a.Action, ...]
    trees: tuple[str, ...] = ()
    cwd: str = ""
    counts: bool = True
    session: str = ""
    call_id: str = ""


def digest_of(parts: object) -> str:
    """The name of plain values by their content."""
    return digest(canonical(parts).encode())


def binding(sandbox: str, policy: str, actions: tuple[a.Action, ...]) -> str:
    """What an answer of a person holds for: this sandbox, these very arguments, this policy; nothing else."""
    return digest_of([sandbox, policy, [msgspec.to_builtins(action) for action in actions]])
