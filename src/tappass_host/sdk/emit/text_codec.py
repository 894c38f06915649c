"""Text as it is, for formats that another serializer has written already."""

from tappass_host.policy.errors import RenderError


def dump(doc: object) -> bytes:
    """Encode a string as UTF-8.

    Raises:
        RenderError: not a string.
    """
    if not isinstance(doc, str):
        raise RenderError("a text document is a string")
    return doc.encode()
