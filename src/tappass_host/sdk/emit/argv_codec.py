"""Arguments, each ended by NUL: the form that `bwrap --args FD` and `xargs -0` read.

Ended and not separated, so that an empty last argument is still one.
"""

from collections.abc import Iterator

from tappass_host.policy.errors import RenderError
from tappass_host.sdk.emit.values import listed


def dump(doc: object) -> bytes:
    """Encode a list of words (or several, in a mapping); lists within are flattened.

    Raises:
        RenderError: not a list, or a word that is not text or holds NUL.
    """
    return "".join(f"{word}\0" for word in _words(listed(doc, "an argv"))).encode()


def _words(values: list[object]) -> Iterator[str]:
    for value in values:
        if isinstance(value, list):
            yield from _words(value)
        elif isinstance(value, str) and "\0" not in value:
            yield value
        else:
            raise RenderError(f"{value!r} is not an argument")
