"""`/v1/decide`: an action in the policy's own words, for whoever needs no dialect.

{"action": {"kind": "tool", "name": "Bash", "args": {"command": "ls"}}, "cwd": "/ws"}
"""

from typing import Any, Final

import msgspec

from tappass_host.decision.call import Call
from tappass_host.policy import actions as a
from tappass_host.policy.decode import convert

DIALECT: Final = "decide"
_COUNTED: Final = (a.Tool, a.McpCall)
Judged = a.Tool | a.McpCall | a.File | a.Connect | a.UnixConnect


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a request."""

    action: Judged
    cwd: str = ""
    session: str = ""
    call: str = ""


def read(payload: dict[str, Any]) -> Call:
    """The call in a request.

    Raises:
        SchemaError: an action that this service does not judge, or an unknown field.
    """
    question = convert(payload, Question)
    action = question.action
    plain = msgspec.to_builtins(action)
    kind = plain.pop("kind")
    plain.pop("surface")
    return Call(
        dialect=DIALECT,
        tool=str(plain.get("name") or plain.get("tool") or kind),
        what=f"{kind} " + " ".join(str(value) for value in plain.values() if isinstance(value, str)),
        args=plain,
        actions=(action,),
        cwd=question.cwd,
        counts=isinstance(action, _COUNTED),
        session=question.session,
        call_id=question.call,
    )
