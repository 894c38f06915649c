"""Meets Slack's SDK on this machine: which Bolt is installed here. May do I/O."""

from importlib.metadata import PackageNotFoundError, version


def detect() -> str:
    """The version of Bolt for Python in this environment; empty if there is none."""
    try:
        return version("slack-bolt")
    except PackageNotFoundError:
        return ""
