"""Launchers for interpreters: code that a model wrote, under a manifest that a policy was rendered to.

    from tappass_host.runners import run
    result = run("manifest.json", "sum(input)", input=[1, 2, 3])

The code runs in a confined child process; host functions run here, on the trusted side, and every call is
judged here. Engines lie in `engines`, one module each. A warm pool would be another way to make the child
that `session` talks to; until then each run pays for a fresh one, and tenants share nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tappass_host.runners.launch import arun, run
    from tappass_host.runners.result import Result

__all__ = ["Result", "arun", "run"]

_WHERE = {"Result": "result", "arun": "launch", "run": "launch"}


def __getattr__(name: str) -> Any:
    """Load on first use: the child imports this package too, and must stay small."""
    import importlib

    if name not in _WHERE:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
