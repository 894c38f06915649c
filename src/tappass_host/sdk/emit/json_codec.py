"""JSON: two spaces, keys in the order the provider set them, a newline at the end."""

import msgspec


def dump(doc: object) -> bytes:
    """Encode any plain value."""
    return msgspec.json.format(msgspec.json.encode(doc), indent=2) + b"\n"
