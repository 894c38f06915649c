"""A launch description: JSON, and nothing in it that a process could not be started with."""

from typing import Any

from tappass_host.policy.errors import RenderError
from tappass_host.sdk.emit import json_codec


def dump(doc: Any) -> bytes:
    """Encode a resolved Launch.

    Raises:
        RenderError: a NUL in a word, or a variable that is not a name; execve would cut or confuse them.
    """
    if not isinstance(doc, dict) or "program" not in doc:
        raise RenderError("a launch artifact holds a Launch")
    for word in (doc["program"], *doc["args"], *doc["env"].values()):
        if "\0" in word:
            raise RenderError(f"{word!r} holds NUL")
    for name in doc["env"]:
        if not name or "=" in name or "\0" in name:
            raise RenderError(f"{name!r} is not the name of a variable")
    return json_codec.dump(doc)
