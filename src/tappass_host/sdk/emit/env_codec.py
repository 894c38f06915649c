"""`NAME=value` lines, read alike by shells, systemd and container engines.

Their quoting rules contradict each other, so nothing is quoted: a value that would need it is refused.
"""

import re
from typing import Final

from tappass_host.policy.errors import RenderError

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
# No blank, quote, backslash, `$`, `#`, `~` or `;`: to some reader each of them is syntax.
_VALUE: Final = re.compile(r"[A-Za-z0-9_@%+=:,./-]*", re.ASCII)


def dump(doc: object) -> bytes:
    """Encode a mapping of names to text or whole numbers.

    Raises:
        RenderError: a name that is none, or a value that would need quotes.
    """
    if not isinstance(doc, dict):
        raise RenderError("an env document is a mapping")
    return "".join(f"{_name(name)}={_value(value)}\n" for name, value in doc.items()).encode()


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise RenderError(f"{name!r} is not the name of a variable")
    return name


def _value(value: object) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _VALUE.fullmatch(text):
        raise RenderError(f"{value!r} cannot be written without quotes")
    return text
