"""One value a line. There is no quoting, so a value that holds a line break is refused."""

from tappass_host.policy.errors import RenderError
from tappass_host.sdk.emit.values import listed


def dump(doc: object) -> bytes:
    """Encode a list of strings (or several, in a mapping), each ended by a newline.

    Raises:
        RenderError: not a list of strings, or a value that some reader would take for two.
    """
    return "".join(f"{_line(value)}\n" for value in listed(doc, "a lines")).encode()


def _line(value: object) -> str:
    if not isinstance(value, str):
        raise RenderError(f"{value!r} is not a line of text")
    # `splitlines` knows every separator of Unicode, a reader may know any of them.
    if "\0" in value or (value and value.splitlines() != [value]):
        raise RenderError(f"{value!r} holds a line break or NUL")
    return value
