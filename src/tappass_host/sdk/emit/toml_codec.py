"""TOML 1.0, tables in the order the provider set them."""

from typing import Any

from tappass_host.policy.errors import RenderError

# TOML integers are signed 64-bit (TOML 1.0, "Integer"); the general limit is unsigned.
_MAX = 2**63 - 1


def dump(doc: Any) -> bytes:
    """Encode a mapping.

    Raises:
        RenderError: not a mapping, or it holds null, which TOML has no word for.
    """
    import tomli_w

    if not isinstance(doc, dict):
        raise RenderError("a TOML document is a mapping")
    _check(doc)
    return str(tomli_w.dumps(doc)).encode()


def _check(value: object) -> None:
    if value is None:
        raise RenderError("TOML has no null: leave the key out")
    if isinstance(value, int) and value > _MAX:
        raise RenderError("integer beyond what TOML holds")
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for member in members:
        _check(member)
