"""Reads a bubblewrap rendering back, strictly, and says what a process inside may do.

Written from the manual: options apply in order, a later mount hides what an earlier one put there, and a path
under no mount lies in an empty root that can be written to until it is made read-only. It knows nothing of
how the files were made.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from tappass_host.policy import actions as a
from tappass_host.policy.effect import Effect
from tappass_host.policy.errors import RenderError
from tappass_host.providers.kernel.bubblewrap import bpf
from tappass_host.sdk.artifacts import Artifact, ArtifactPath, Launch, SecretRef
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
_MOUNTS: Final = ("--bind", "--ro-bind", "--tmpfs", "--proc", "--dev")
_SEALED: Final = Ruling(Effect.DENY, "args#/args[--unshare-net]")
_RLIMITS: Final = {"process.max_open_files": "nofile", "process.max_processes": "nproc"}
_AF_UNIX, _SOCK_STREAM, _SOCK_DGRAM = 1, 1, 2
_INIT: Final = "/proc/1"


class _Mount(NamedTuple):
    """One mount. A private one holds nothing of the host, so made read-only it holds nothing at all."""

    target: str
    readable: bool
    writable: bool
    private: bool
    locator: str

    def touch(self, *, write: bool) -> Ruling:
        allowed = self.writable if write or self.private else self.readable
        return Ruling(Effect.ALLOW if allowed else Effect.DENY, self.locator)


class Native:
    """What one sandbox permits."""

    def __init__(self, artifacts: dict[str, Artifact], options: list[list[str]]) -> None:
        self._mounts = _mounts(options)
        self._flags = {o[0]: o[1] if len(o) > 1 else "" for o in options if o[0] not in _MOUNTS}
        launch = artifacts["launch"].doc if "launch" in artifacts else None
        self._launch = launch if isinstance(launch, Launch) else None
        self._filters = _filters(artifacts, self._launch)

    def permits(self, action: a.Action) -> Ruling | None:
        """The ruling on an action, or None where system calls do not show it."""
        rule = _RULES.get(type(action))
        return rule(self, action) if rule else None

    def file(self, action: a.File) -> Ruling:
        """Reading and writing by the mount that a path lies in; for a move see `_move`."""
        if action.op == "move":
            return self._move(action.path, action.to)
        return self._mount(action.path).touch(write=action.op == "write")

    def _move(self, source: str, target: str) -> Ruling:
        """A move writes at both ends, and a mount point stays where it is.

        Within one mount a folder takes along what is mounted below it. Into another mount things are copied,
        which what is shut or read-only below the source does not survive.
        """
        ends = (self._mount(source), self._mount(target))
        denied = [ruling for end in ends if (ruling := end.touch(write=True)).effect is Effect.DENY]
        held = [m for m in self._mounts if m.target in (source, target)]
        if ends[0] is not ends[1]:
            held += [m for m in self._mounts if _inside(m.target, source) and not m.writable]
        denied += [Ruling(Effect.DENY, mount.locator) for mount in held[-1:]]
        return denied[0] if denied else ends[0].touch(write=True)

    def _mount(self, path: str) -> _Mount:
        return next(m for m in reversed(self._mounts) if _inside(path, m.target))

    def connect(self, action: a.Connect) -> Ruling:
        """Without a network of the host there is nothing to connect to directly."""
        del action
        return _SEALED if "--unshare-net" in self._flags else Ruling(Effect.ALLOW, "args#")

    def unix(self, action: a.UnixConnect) -> Ruling:
        """A socket is reached through any mount that shows it, by whoever can make one."""
        for name, code in self._filters:
            if self._binds(name) and not _makes_unix_sockets(code):
                return Ruling(Effect.DENY, f"{name}#")
        return self._mount(action.path).touch(write=False)

    def _binds(self, name: str) -> bool:
        """Whether a filter binds all that runs inside: the inner one misses the first process."""
        return name == "seccomp" or (not self._mount(_INIT).writable and self._mount(_INIT).target == _INIT)

    def env(self, action: a.EnvRead) -> Ruling | None:
        """The launch lists the whole environment; plain text in it is ours, not what the host has.

        Code in an interpreter does not inherit it.
        """
        if self._launch is None or action.surface == "code":
            return None
        if isinstance(self._launch.env.get(action.name), SecretRef):
            return Ruling(Effect.ALLOW, f"launch#/env/{action.name}")
        return Ruling(Effect.DENY, "launch#/env")

    def use(self, action: a.Use) -> Ruling | None:
        """Resource limits of the launch."""
        name = _RLIMITS.get(action.resource, "")
        limit = self._launch.rlimits.get(name) if self._launch else None
        if limit is None:
            return None
        return Ruling(Effect.ALLOW if action.amount <= limit else Effect.DENY, f"launch#/rlimits/{name}")

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
        RenderError: an option is unknown, has the wrong number of arguments, a path is not absolute, or a
            filter is none.
    """
    found = {artifact.id: artifact for artifact in artifacts}
    words = [word for group in found["args"].doc["args"] for word in group]  # type: ignore[index]
    return Native(found, _options(words))


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


def _mounts(options: list[list[str]]) -> tuple[_Mount, ...]:
    """The mounts in order, above the empty root that bwrap begins with."""
    mounts = [_Mount("/", readable=True, writable=True, private=True, locator="args#")]
    for option in options:
        locator = f"args#/args[{' '.join(option)}]"
        if option[0] == "--remount-ro":
            at = _last(mounts, option[1])
            mounts[at] = mounts[at]._replace(writable=False, locator=locator)
        elif option[0] in _MOUNTS:
            mounts.append(_mount(option, locator))
    return tuple(mounts)


def _mount(option: list[str], locator: str) -> _Mount:
    name, source, target = option[0], option[1], option[-1]
    if not target.startswith("/") or ".." in target.split("/"):
        raise RenderError(f"{name} needs an absolute path, not {target!r}")
    # bwrap mounts without devices, so a bound device cannot be opened.
    shut = source == "/dev/null" and target != "/dev/null"
    private = name in ("--tmpfs", "--dev")
    writable = name in ("--bind", "--tmpfs", "--dev") and not shut
    return _Mount(target, readable=not shut, writable=writable, private=private, locator=locator)


def _last(mounts: list[_Mount], target: str) -> int:
    for at in range(len(mounts) - 1, -1, -1):
        if mounts[at].target == target:
            return at
    raise RenderError(f"--remount-ro {target}: nothing is mounted there")


def _filters(artifacts: dict[str, Artifact], launch: Launch | None) -> list[tuple[str, bytes]]:
    """Filters that are loaded: by bwrap itself, and by the bridge that it starts."""
    loaded = ["seccomp"]
    words = launch.args if launch else ()
    if "--filter" in words and launch is not None:
        source = launch.fds.get(str(words[words.index("--filter") + 1]))
        loaded += [source.id] if isinstance(source, ArtifactPath) else []
    found = [(name, bytes.fromhex(str(artifacts[name].doc))) for name in loaded if name in artifacts]
    for _name, code in found:
        bpf.arch_of(code)
    return found


def _makes_unix_sockets(code: bytes) -> bool:
    """A connected pair of datagram sockets serves as well as a socket: it can be sent anywhere."""
    calls = (("socket", _AF_UNIX, _SOCK_STREAM), ("socketpair", _AF_UNIX, _SOCK_DGRAM))
    return any(bpf.allows(code, name, *arguments) for name, *arguments in calls)


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
