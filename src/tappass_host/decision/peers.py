"""Who is at the other end of a unix socket: the kernel says so, nobody else is believed."""

import os
import socket
import stat
import struct
from pathlib import Path
from typing import Final, NamedTuple

from tappass_host.policy.errors import MissingTargetError, SchemaError
from tappass_host.sdk.configs.decision import Admin

_UCRED: Final = struct.Struct("3i")  # pid, uid, gid: unix(7), SO_PEERCRED
_PEERCRED: Final = getattr(socket, "SO_PEERCRED", None)
_NAMESPACES: Final = ("mnt", "pid", "user")
_BACKLOG: Final = 128


class Peer(NamedTuple):
    """The process that connected."""

    pid: int
    uid: int


def peer_of(connection: socket.socket) -> Peer:
    """Ask the kernel.

    Raises:
        MissingTargetError: this system cannot tell.
    """
    if _PEERCRED is None:
        raise MissingTargetError("this system has no SO_PEERCRED")
    pid, uid, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, _PEERCRED, _UCRED.size))
    return Peer(pid, uid)


def may_ask(peer: Peer, uids: tuple[int, ...]) -> bool:
    """Whether this is the sandbox."""
    return peer.uid in (uids or (os.geteuid(),))


def why_not_admin(peer: Peer, admin: Admin) -> str:
    """Why this one may not answer; empty if he may."""
    if peer.uid not in (admin.uids or (os.geteuid(),)):
        return f"uid {peer.uid} may not answer"
    if admin.apart == "namespace" and not shares_namespaces(peer):
        return "it comes from inside a sandbox"
    if admin.cgroup and _in_cgroup(peer, admin.cgroup):
        return "it comes from the control group of the sandbox"
    return ""


def shares_namespaces(peer: Peer) -> bool:
    """Whether a process sees what this service sees; false where that cannot be known."""
    try:
        return all(_namespace(str(peer.pid), kind) == _namespace("self", kind) for kind in _NAMESPACES)
    except OSError:
        return False


def is_confined(peer: Peer) -> bool:
    """Whether a process is in namespaces of its own, for sure."""
    try:
        return all(_namespace(str(peer.pid), kind) != _namespace("self", kind) for kind in ("mnt", "pid"))
    except OSError:
        return False


def _namespace(process: str, kind: str) -> str:
    return str(Path(f"/proc/{process}/ns/{kind}").readlink())


def _in_cgroup(peer: Peer, group: str) -> bool:
    """At or below a control group; true where that cannot be known."""
    try:
        lines = Path(f"/proc/{peer.pid}/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return True
    places = (line.split(":", 2)[2] for line in lines)
    top = group.rstrip("/")
    return any(place == top or place.startswith(f"{top}/") for place in places)


def listen(path: str, uids: tuple[int, ...]) -> socket.socket:
    """Bind a unix socket in a folder where nobody else can put one.

    Raises:
        SchemaError: the folder is open to others, or something that is no socket of ours is in the way.
        MissingTargetError: this system cannot tell who connects.
    """
    if _PEERCRED is None:
        raise MissingTargetError("this system has no SO_PEERCRED")
    place = Path(path)
    _check_folder(place.parent)
    _remove_stale(place)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    # Connecting needs write permission. With other users it is for all, and the peer check decides.
    place.chmod(0o600 if set(uids or (os.geteuid(),)) == {os.geteuid()} else 0o666)
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener


def _check_folder(folder: Path) -> None:
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    info = folder.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid not in (0, os.geteuid()) or info.st_mode & 0o022:
        what = f"{folder} is a folder that others may write"
        raise SchemaError(what, pointer="/listen/unix", remedy="chmod go-w, and own it")


def _remove_stale(path: Path) -> None:
    try:
        info = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(info.st_mode) or info.st_uid != os.geteuid():
        raise SchemaError(f"{path} exists and is no socket of ours", remedy="remove it")
    path.unlink()
