"""The seccomp filter handed to bubblewrap, as deterministic classic BPF bytes, without libseccomp.

bubblewrap already sets NoNewPrivs, drops capabilities and forbids further user namespaces. This takes away
what is left of the kernel's widest doors. A foreign architecture is killed, the x32 numbering and everything
on the list fail with EPERM, and clone3 with ENOSYS so that libc falls back to clone, whose flags namespaces
are already refused by `--disable-userns`.

Where the policy manages the network, only families of sockets that a network namespace holds can be opened.
A unix socket is a file to the kernel: whoever sees its name may connect, on a read-only mount too. So where
none is granted none can be made. What is left is a connected pair of streams, as between a parent and its
child; a pair of datagram sockets could still be sent anywhere.
"""

import struct
from typing import Final

# linux/bpf_common.h and linux/filter.h
_LOAD_ABS: Final = 0x20
_AND: Final = 0x54
_JUMP_EQ: Final = 0x15
_JUMP_GE: Final = 0x35
_JUMP_ALWAYS: Final = 0x05
_RETURN: Final = 0x06

# linux/seccomp.h
_ALLOW: Final = 0x7FFF0000
_KILL: Final = 0x80000000
_ERRNO: Final = 0x00050000
_EPERM: Final = 1
_ENOSYS: Final = 38

# offsets in struct seccomp_data; of an argument its lower half, which is all that these calls look at
_NR: Final = 0
_ARCH: Final = 4
_FIRST: Final = 16
_SECOND: Final = 24

_X32: Final = 0x40000000
_CLONE3: Final = 435

# linux/socket.h, linux/net.h
_AF_UNIX: Final = 1
_AF_INET: Final = 2
_AF_INET6: Final = 10
_AF_NETLINK: Final = 16
_TYPE_MASK: Final = 0xF
_SOCK_DGRAM: Final = 2
# To the kernel a raw unix socket is a datagram socket (net/unix/af_unix.c).
_SOCK_RAW: Final = 3
_SOCKET: Final = (41, 198)
_SOCKETPAIR: Final = (53, 199)

_ARCHES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# Numbers from the kernel's own syscall tables (arch/x86/entry/syscalls/syscall_64.tbl and
# include/uapi/asm-generic/unistd.h): (x86_64, aarch64). From 424 on they agree.
DENIED: Final[dict[str, tuple[int, int]]] = {
    "ptrace": (101, 117),
    "syslog": (103, 116),
    "personality": (135, 92),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "acct": (163, 89),
    "mount": (165, 40),
    "umount2": (166, 39),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "init_module": (175, 105),
    "delete_module": (176, 106),
    "quotactl": (179, 60),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "unshare": (272, 97),
    "perf_event_open": (298, 241),
    "fanotify_init": (300, 262),
    "open_by_handle_at": (304, 265),
    "setns": (308, 268),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "finit_module": (313, 273),
    "kexec_file_load": (320, 294),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "pidfd_getfd": (438, 438),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
}


def filter_bytes(arch: str = "x86_64", *, families: bool = False, unix: bool = True) -> bytes:
    """The filter for one architecture.

    Args:
        arch: `x86_64` or `aarch64`.
        families: open sockets of the internet families, netlink and unix only.
        unix: whether unix sockets are among them.

    Raises:
        KeyError: the architecture is not known.
    """
    if arch not in _ARCHES:
        raise KeyError(arch)
    place = list(_ARCHES).index(arch)
    numbers = sorted(pair[place] for pair in DENIED.values())
    program = [
        _op(_LOAD_ABS, _ARCH),
        _op(_JUMP_EQ, _ARCHES[arch], true=1),
        _op(_RETURN, _KILL),
        _op(_LOAD_ABS, _NR),
    ]
    if arch == "x86_64":
        program += [_op(_JUMP_GE, _X32, false=1), _op(_RETURN, _ERRNO | _EPERM)]
    program += [_op(_JUMP_EQ, _CLONE3, false=1), _op(_RETURN, _ERRNO | _ENOSYS)]
    # The list comes as one jump each to the EPERM behind it; whatever is not on it jumps over that.
    program += [_op(_JUMP_EQ, number, true=len(numbers) - i) for i, number in enumerate(numbers)]
    program += [_op(_JUMP_ALWAYS, 1), _op(_RETURN, _ERRNO | _EPERM)]
    if families:
        program += _sockets(place, unix=unix)
    program += [_op(_RETURN, _ALLOW)]
    return b"".join(program)


def _sockets(place: int, *, unix: bool) -> list[bytes]:
    """Checks of socket(2) by its family and of socketpair(2) by its type; each ends in a verdict."""
    families = (_AF_INET, _AF_INET6, _AF_NETLINK, *((_AF_UNIX,) if unix else ()))
    opened = _verdict(_FIRST, families, _ALLOW, _ERRNO | _EPERM)
    program = [_op(_JUMP_EQ, _SOCKET[place], false=len(opened)), *opened]
    if not unix:
        paired = _verdict(_SECOND, (_SOCK_DGRAM, _SOCK_RAW), _ERRNO | _EPERM, _ALLOW, mask=_TYPE_MASK)
        program += [_op(_JUMP_EQ, _SOCKETPAIR[place], false=len(paired)), *paired]
    return program


def _verdict(
    offset: int, values: tuple[int, ...], found: int, otherwise: int, *, mask: int = 0
) -> list[bytes]:
    """Load an argument; `found` if it is one of the values."""
    program = [_op(_LOAD_ABS, offset), *([_op(_AND, mask)] if mask else [])]
    program += [_op(_JUMP_EQ, value, true=len(values) - i) for i, value in enumerate(values)]
    return [*program, _op(_RETURN, otherwise), _op(_RETURN, found)]


def _op(code: int, value: int, *, true: int = 0, false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, true, false, value)
