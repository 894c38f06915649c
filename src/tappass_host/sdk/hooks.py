"""How a harness is made to ask the decision service: the command of its hook, and what to pin with it.

    settings.add("/hooks/PreToolUse", {"hooks": [{"type": "command", "command": argv[0], "args": argv[1:]}]})

A provider of a harness takes the socket from `target.offers["decision-service"].unix` and the client from
`know("program", HOOK_PROGRAM)`.
"""

from collections.abc import Iterable
from typing import Final

from tappass_host.sdk.contract import Need

SERVICE: Final = "decision-service"
# Asked of the host: where the hook client of this package lies, as a file of root.
HOOK_PROGRAM: Final = "tappass-hook"
PYTHON: Final = "/usr/bin/python3"
# The client ends by itself this long before the harness would end it: a hook that is ended opens.
SLACK_S: Final = 10

# What a user's settings must not hand to the hook: each of these makes a program load or read something of
# theirs before its first line. Pinned empty in the managed environment of the harness.
PINNED_ENV: Final = (
    "BASH_ENV",
    "CURL_HOME",
    "DYLD_INSERT_LIBRARIES",
    "DYLD_LIBRARY_PATH",
    "ENV",
    "GCONV_PATH",
    "GLIBC_TUNABLES",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "PYTHONHOME",
    "PYTHONINSPECT",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONUSERBASE",
)
PINNED_PATH: Final = "/usr/bin:/bin"


def hook_argv(
    *, socket: str, client: str, dialect: str, uids: Iterable[int], timeout_s: int, outside: bool = False
) -> tuple[str, ...]:
    """The command of a hook, by absolute paths, for a harness that takes a list.

    Args:
        socket: of the decision service, as the harness sees it.
        client: path of the hook client, as the harness sees it.
        dialect: what is spoken.
        uids: of the service as a process of the harness sees it; 65534 for one outside of its user namespace.
        timeout_s: when the client gives up, which is a denial.
        outside: the service has to be outside of the harness's process namespace.
    """
    who = tuple(word for uid in uids for word in ("--uid", str(uid)))
    fixed = ("--socket", socket, "--dialect", dialect, "--timeout", str(timeout_s))
    return (PYTHON, "-I", "-S", client, *fixed, *who, *(("--outside",) if outside else ()))


def hook_needs(client: str) -> tuple[Need, ...]:
    """What running the client takes inside a sandbox, the socket apart."""
    return (
        Need("exec", PYTHON, "runs the hook client"),
        Need("read", "/usr/lib", "what that interpreter loads"),
        Need("read", client, "the hook client"),
    )
