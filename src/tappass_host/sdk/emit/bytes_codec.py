"""Bytes, held in the document as lower-case hexadecimal text."""

from tappass_host.policy.errors import RenderError


def dump(doc: object) -> bytes:
    """Decode hexadecimal text.

    Raises:
        RenderError: not hexadecimal text, or not its one spelling.
    """
    try:
        data = bytes.fromhex(doc) if isinstance(doc, str) else None
    except ValueError:
        data = None
    if data is None or data.hex() != doc:
        raise RenderError("a bytes document is lower-case hexadecimal text")
    return data
