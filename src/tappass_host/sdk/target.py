"""The half of a provider that meets the real target: its module `target`, every part of it optional.

It may do I/O, and neither `provider` nor `reader` imports it. It never runs as root: what it runs is a
program that somebody else may have put there.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol


class Found(NamedTuple):
    """A target that is here.

    Attributes:
        version: as the target says it.
        program: real path of what was asked, and would be started; empty where the target is no program.
    """

    version: str
    program: str = ""


class Detector(Protocol):
    """A module that finds its target."""

    def detect(self) -> Found | None:
        """The target, or None if it is not here."""
        ...


class Validator(Protocol):
    """A module that has a rendering looked at by the vendor's own parser, schema or program."""

    def validate(self, files: Mapping[str, bytes]) -> list[str]:
        """What the vendor objects to; empty if it takes everything.

        Args:
            files: place (`root/path`) -> bytes, as a rendering is written.

        Raises:
            MissingTargetError: what would look at it is not here.
        """
        ...
