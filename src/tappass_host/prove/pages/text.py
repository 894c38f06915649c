"""Text from others, made harmless to read: in a page, and in one line."""

import html


def printable(text: str) -> str:
    """Control and bidi characters, which fake what a line says, are shown as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def escaped(text: str) -> str:
    """Text for HTML, in an element or in a quoted attribute."""
    return html.escape(printable(text), quote=True)
