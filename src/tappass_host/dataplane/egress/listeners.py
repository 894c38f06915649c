"""The two doors: a unix socket whose peer the kernel vouches for, and TCP, where a token must do."""

import os
import socket
import stat
import struct
from pathlib import Path

from tappass_host.policy.errors import MissingTargetError, SchemaError
from tappass_host.sdk.configs.parts import Listen

_BACKLOG = 1024
_UCRED = struct.Struct("3i")  # pid, uid, gid: unix(7), SO_PEERCRED
_PEERCRED = getattr(socket, "SO_PEERCRED", None)


def unix_socket(listen: Listen) -> socket.socket:
    """Bind the unix socket; a stale one of ours is replaced, anything else at the path is refused.

    Raises:
        SchemaError: something that is no socket of ours is in the way.
        MissingTargetError: this system cannot tell who the peer is.
    """
    if _PEERCRED is None:
        raise MissingTargetError("this system has no SO_PEERCRED", remedy="listen on tcp with a token")
    path = Path(listen.unix)
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(listen.unix)
    # Connecting needs write permission. With other users it is for all, and the peer check decides.
    path.chmod(0o600 if set(_uids(listen)) == {os.geteuid()} else 0o666)
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener


def tcp_socket(listen: Listen) -> socket.socket:
    """Bind the TCP listener.

    Raises:
        SchemaError: not `address:port`.
    """
    host, _, port = listen.tcp.rpartition(":")
    if not host or not port.isdecimal():
        raise SchemaError(f"listen.tcp {listen.tcp!r} is not address:port", pointer="/listen/tcp")
    address = host.strip("[]")
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, int(port)))
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener


def peer_allowed(connection: socket.socket, listen: Listen) -> bool:
    """Ask the kernel for the uid of the process that connected."""
    if _PEERCRED is None:
        return False
    _, uid, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, _PEERCRED, _UCRED.size))
    return uid in _uids(listen)


def _uids(listen: Listen) -> tuple[int, ...]:
    return listen.uids or (os.geteuid(),)


def _remove_stale(path: Path) -> None:
    try:
        info = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(info.st_mode) or info.st_uid != os.geteuid():
        what = f"{path} exists and is no socket of ours"
        raise SchemaError(what, pointer="/listen/unix", remedy="remove it")
    path.unlink()
