"""The contract's own version: what a provider package says it was written for."""

from typing import Final

# Raised in the minor for additions, in the major for anything a provider has to change for.
SDK_VERSION: Final = "1.0"


def supports(wanted: str) -> bool:
    """True if a provider written for SDK `wanted` (`major.minor`) runs on this one."""
    major, _, minor = wanted.partition(".")
    ours_major, _, ours_minor = SDK_VERSION.partition(".")
    return major == ours_major and int(minor or 0) <= int(ours_minor)
