"""The inner half of `sandbox.py`: enters the namespaces, maps the paths, runs the program.

Run as a script by path with `python -I -S`, so it imports the standard library only. It says what
went wrong on the file descriptor named in its order, and nothing when the program was started.
"""

import contextlib
import ctypes
import errno
import json
import os
import selectors
import signal
import socket
import struct
import sys
import threading
from fcntl import ioctl
from pathlib import Path
from typing import Any

# linux/sched.h, linux/mount.h, linux/prctl.h, linux/sockios.h
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
PR_SET_PDEATHSIG = 1
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
SIOCSIFADDR, SIOCSIFNETMASK = 0x8916, 0x891C
UNPRIVILEGED_PORTS = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
_CHUNK = 65536

_libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *args: Any) -> None:
    """Call libc and raise what it says.

    Raises:
        OSError: the call failed.
    """
    if getattr(_libc, name)(*args) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}{args[:2]}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Attach a file system, or change how it is attached."""
    call("mount", source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode())


def enter(*, network: bool) -> None:
    """New mount and process namespaces; a user namespace only for who may not make them otherwise."""
    flags = CLONE_NEWNS | CLONE_NEWPID | (0 if network else CLONE_NEWNET)
    uid, gid = os.geteuid(), os.getegid()
    try:
        call("unshare", flags)
    except OSError as refused:
        if refused.errno != errno.EPERM:
            raise
        call("unshare", flags | CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1", encoding="ascii")
    mount("none", "/", "none", MS_REC | MS_PRIVATE)


def raise_loopback() -> None:
    """A new network namespace has its loopback down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16xh14x", ioctl(control, SIOCGIFFLAGS, request))[0]
        ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def give_addresses(addresses: list[str]) -> None:
    """Put addresses on loopback, so that servers of a laboratory are at places that are not local."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for place, address in enumerate(addresses, start=1):
            name = f"lo:{place}".encode()
            for request, value in ((SIOCSIFADDR, address), (SIOCSIFNETMASK, "255.255.255.255")):
                spelled = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(value))
                ioctl(control, request, struct.pack("16s16s8x", name, spelled))
    if addresses:
        # The laboratory's servers answer on 80 and 443 although nobody there is root.
        UNPRIVILEGED_PORTS.write_text("0", encoding="ascii")


def overlay(folder: str, skeleton: str) -> None:
    """Show the entries of `skeleton` in `folder` too: mount points that the real folder lacks."""
    lower = ":".join(part.replace("\\", "\\\\").replace(":", "\\:") for part in (skeleton, folder))
    mount("overlay", folder, "overlay", MS_RDONLY, f"lowerdir={lower}")


def bind(target: str, source: str, *, readonly: bool) -> None:
    """Show `source` at `target`."""
    mount(source, target, "none", MS_BIND | MS_REC)
    if readonly:
        # A user namespace may not drop these flags of a mount that it did not make.
        kept = os.statvfs(target).f_flag & (MS_NOSUID | MS_NODEV | MS_NOEXEC)
        mount("none", target, "none", MS_BIND | MS_REMOUNT | MS_RDONLY | kept)


def forward(port: int, path: str) -> None:
    """Listen on loopback and pass every connection on to the unix socket at `path`."""
    listener = socket.create_server(("127.0.0.1", port))

    def serve() -> None:
        while True:
            client, _ = listener.accept()
            threading.Thread(target=pump, args=(client, path), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()


def pump(client: socket.socket, path: str) -> None:
    """Copy both ways until one side ends."""
    with client, socket.socket(socket.AF_UNIX) as upstream, selectors.DefaultSelector() as ready:
        try:
            upstream.connect(path)
            ready.register(client, selectors.EVENT_READ, upstream)
            ready.register(upstream, selectors.EVENT_READ, client)
            while True:
                for key, _ in ready.select():
                    data = key.fileobj.recv(_CHUNK)  # type: ignore[union-attr]
                    if not data:
                        return
                    key.data.sendall(data)
        except OSError:
            return


def first_process(order: dict[str, Any]) -> int:
    """Process 1 of the new namespace: when it ends, the kernel ends whatever the program left behind."""
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)
    # Containers mask parts of /proc and then refuse a fresh one: the old one shows more than the
    # program's own processes, which is no reason not to run it.
    with contextlib.suppress(PermissionError):
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    if not order["network"]:
        raise_loopback()
        give_addresses(order["addresses"])
    for port, path in order["forwards"]:
        forward(port, path)
    child = os.fork()
    if child == 0:
        program(order)
    os.close(order["status_fd"])
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def program(order: dict[str, Any]) -> None:
    """Become the program."""
    try:
        if order["user"]:
            uid, gid = order["user"]
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        os.chdir(order["cwd"])
        os.execvpe(order["argv"][0], order["argv"], order["env"])  # noqa: S606 - no shell is the point
    except OSError as failed:
        report(order, failed)
    os._exit(127)


def report(order: dict[str, Any], failed: OSError) -> None:
    """Say that the program was never started."""
    os.write(order["status_fd"], f"{failed}".encode())


def main() -> int:
    """Carry out the order on the command line."""
    order = json.loads(sys.argv[1])
    os.set_inheritable(order["status_fd"], False)
    try:
        enter(network=order["network"])
        for folder, skeleton in order["overlays"]:
            overlay(folder, skeleton)
        for target, source, readonly in order["binds"]:
            bind(target, source, readonly=readonly)
        first = os.fork()
        if first == 0:
            os._exit(first_process(order))
    except OSError as failed:
        report(order, failed)
        return 127
    os.close(order["status_fd"])
    return os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])


if __name__ == "__main__":
    sys.exit(main())
