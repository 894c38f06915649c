"""Reads a bubblewrap argv file back, strictly, and says what a process inside may do.

Written from the manual: options apply in order, a later mount hides what an earlier one put there, and a path
under no mount does not exist. It knows nothing of how the file was made.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from tappass_host.policy import actions as a
from tappass_host.policy.effect import Effect
from tappass_host.policy.errors import RenderError
from tappass_host.sdk.artifacts import Artifact, Launch
from tappass_host.sdk.reader import Ruling

# Option -> number of arguments, from bwrap(1) 0.8.0; anything else is refused.
_ARITY: Final = {
    "--unshare-user": 0,
    "--unshare-ipc": 0,
    "--unshare-pid": 0,
    "--unshare-net": 0,
    "--unshare-uts": 0,
    "--unshare-cgroup-try": 0,
    "--disable-userns": 0,
    "--die-with-parent": 0,
    "--new-session": 0,
    "--cap-drop": 1,
    "--uid": 1,
    "--gid": 1,
    "--seccomp": 1,
    "--bind": 2,
    "--ro-bind": 2,
    "--tmpfs": 1,
    "--remount-ro": 1,
    "--proc": 1,
    "--dev": 1,
    "--symlink": 2,
}
_CLOSED: Final = Ruling(Effect.DENY, "args#")
_SEALED: Final = Ruling(Effect.DENY, "args#/args[--unshare-net]")
_LAUNCH: Final = "launch#"
_RLIMITS: Final = {"process.max_open_files": "nofile", "process.max_processes": "nproc"}


class _Mount(NamedTuple):
    target: str
    readable: bool
    writable: bool
    locator: str


class Native:
    """What one sandbox permits."""

    def __init__(self, mounts: tuple[_Mount, ...], flags: dict[str, str], launch: Launch | None) -> None:
        self._mounts = mounts
        self._flags = flags
        self._launch = launch

    def permits(self, action: a.Action) -> Ruling | None:
        """The ruling on an action, or None where system calls do not show it."""
        rule = _RULES.get(type(action))
        return rule(self, action) if rule else None

    def file(self, action: a.File) -> Ruling:
        """A move writes at both ends, and a mount point cannot be renamed; a folder above one can."""
        if action.op != "move":
            return self._touch(action.path, write=action.op == "write")
        ends = (self._touch(action.path, write=True), self._touch(action.to, write=True))
        held = [m for m in self._mounts if m.target == action.path]
        denied = [r for r in ends if r.effect is Effect.DENY]
        if held:
            denied.append(Ruling(Effect.DENY, held[-1].locator))
        return denied[0] if denied else ends[0]

    def _touch(self, path: str, *, write: bool) -> Ruling:
        mount = next((m for m in reversed(self._mounts) if _inside(path, m.target)), None)
        if mount is None:
            return _CLOSED
        allowed = mount.writable if write else mount.readable
        return Ruling(Effect.ALLOW if allowed else Effect.DENY, mount.locator)

    def connect(self, action: a.Connect) -> Ruling:
        """Without a network of the host there is nothing to connect to directly."""
        del action
        return _SEALED if "--unshare-net" in self._flags else Ruling(Effect.ALLOW, "args#")

    def unix(self, action: a.UnixConnect) -> Ruling:
        """A socket is reached through a mount that shows it."""
        return self._touch(action.path, write=False)

    def env(self, action: a.EnvRead) -> Ruling | None:
        """The launch lists the whole environment."""
        if self._launch is None:
            return None
        return Ruling(Effect.ALLOW if action.name in self._launch.env else Effect.DENY, _LAUNCH)

    def use(self, action: a.Use) -> Ruling | None:
        """Resource limits of the launch."""
        limit = self._launch.rlimits.get(_RLIMITS.get(action.resource, "")) if self._launch else None
        if limit is None:
            return None
        return Ruling(Effect.ALLOW if action.amount <= limit else Effect.DENY, _LAUNCH)

    def run_as(self, action: a.RunAs) -> Ruling | None:
        """The uid seen inside."""
        uid = self._flags.get("--uid")
        if uid is None:
            return None
        return Ruling(Effect.ALLOW if str(action.uid) == uid else Effect.DENY, f"args#/args[--uid {uid}]")


_RULES: Final[dict[type, Callable[..., Ruling | None]]] = {
    a.File: Native.file,
    a.Connect: Native.connect,
    a.UnixConnect: Native.unix,
    a.EnvRead: Native.env,
    a.Use: Native.use,
    a.RunAs: Native.run_as,
}


def read(artifacts: Sequence[Artifact]) -> Native:
    """Parse a rendering.

    Raises:
        RenderError: an option is unknown, has the wrong number of arguments, or a path is not absolute.
    """
    found = {artifact.id: artifact for artifact in artifacts}
    words = [word for group in found["args"].doc["args"] for word in group]  # type: ignore[index]
    mounts: list[_Mount] = []
    flags: dict[str, str] = {}
    for option in _options(words):
        name, values = option[0], option[1:]
        if name == "--remount-ro":
            mounts[_last(mounts, values[0])] = mounts[_last(mounts, values[0])]._replace(writable=False)
        elif (mount := _mount(option)) is not None:
            mounts.append(mount)
        else:
            flags[name] = values[0] if values else ""
    launch = found["launch"].doc if "launch" in found else None
    return Native(tuple(mounts), flags, launch if isinstance(launch, Launch) else None)


def _options(words: list[str]) -> list[list[str]]:
    options: list[list[str]] = []
    at = 0
    while at < len(words):
        name = words[at]
        if name not in _ARITY:
            raise RenderError(f"bwrap has no option {name!r}")
        values = words[at + 1 : at + 1 + _ARITY[name]]
        if len(values) < _ARITY[name] or any("\0" in v for v in values):
            raise RenderError(f"{name} takes {_ARITY[name]} arguments")
        options.append([name, *values])
        at += 1 + _ARITY[name]
    return options


def _mount(option: list[str]) -> _Mount | None:
    name, values = option[0], option[1:]
    locator = f"args#/args[{' '.join(option)}]"
    if name not in ("--bind", "--ro-bind", "--tmpfs", "--proc", "--dev"):
        return None
    target = values[-1]
    if not target.startswith("/") or ".." in target.split("/"):
        raise RenderError(f"{name} needs an absolute path, not {target!r}")
    if values[0] == "/dev/null" and target != "/dev/null":
        return _Mount(target, readable=False, writable=False, locator=locator)
    hidden = name == "--tmpfs"
    # An empty private file system shows nothing of the host; /tmp is the one that is meant to be used.
    usable = hidden and target == "/tmp"  # noqa: S108
    return _Mount(target, readable=not hidden or usable, writable=name == "--bind" or usable, locator=locator)


def _last(mounts: list[_Mount], target: str) -> int:
    for at in range(len(mounts) - 1, -1, -1):
        if mounts[at].target == target:
            return at
    raise RenderError(f"--remount-ro {target}: nothing is mounted there")


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
