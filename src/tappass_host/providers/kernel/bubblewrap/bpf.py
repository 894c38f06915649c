"""Runs a seccomp filter as the kernel would, far enough to know what becomes of one system call.

Written from the kernel's description of classic BPF (https://docs.kernel.org/networking/filter.html, read
2026-11-23). It knows nothing of how the filter was made.
"""

import struct
from collections.abc import Mapping
from typing import Final

from tappass_host.policy.errors import RenderError

_SIZE: Final = 8
_MOST: Final = 4096
_ALLOW: Final = 0x7FFF0000
# offset in struct seccomp_data of the architecture and of the first argument
_ARCH: Final = 4
_ARGUMENTS: Final = 16
# architecture word -> numbers of the calls that are asked about
CALLS: Final[dict[str, tuple[int, dict[str, int]]]] = {
    "x86_64": (0xC000003E, {"socket": 41, "socketpair": 53}),
    "aarch64": (0xC00000B7, {"socket": 198, "socketpair": 199}),
}


def parse(data: bytes) -> tuple[tuple[int, int, int, int], ...]:
    """The instructions of a filter.

    Raises:
        RenderError: the kernel would not take it.
    """
    if not data or len(data) % _SIZE or len(data) > _MOST * _SIZE:
        raise RenderError("not a seccomp filter", remedy="render it again")
    return tuple(struct.iter_unpack("<HBBI", data))


def arch_of(data: bytes) -> str:
    """The architecture that a filter lets live.

    Raises:
        RenderError: none, or more than one.
    """
    found = [name for name in CALLS if _run(parse(data), _call(name, "socket", ())) >> 16 != _KILLED]
    if len(found) != 1:
        raise RenderError(f"the filter is for {found or 'no architecture'}")
    return found[0]


_KILLED: Final = 0x8000


def allows(data: bytes, call: str, *arguments: int) -> bool:
    """Whether a filter lets a system call pass."""
    return _run(parse(data), _call(arch_of(data), call, arguments)) == _ALLOW


def _call(arch: str, call: str, arguments: tuple[int, ...]) -> Mapping[int, int]:
    """What the filter sees (struct seccomp_data), word by word; upper halves of arguments are zero."""
    word, numbers = CALLS[arch]
    placed = {_ARGUMENTS + 8 * index: value for index, value in enumerate(arguments)}
    return {0: numbers[call], _ARCH: word, **placed}


def _run(program: tuple[tuple[int, int, int, int], ...], data: Mapping[int, int]) -> int:
    accumulator, at = 0, 0
    while at < len(program):
        code, true, false, value = program[at]
        at += 1
        match code:
            case 0x20:
                accumulator = data.get(value, 0)
            case 0x54:
                accumulator &= value
            case 0x15:
                at += true if accumulator == value else false
            case 0x35:
                at += true if accumulator >= value else false
            case 0x05:
                at += value
            case 0x06:
                return value
            case _:
                raise RenderError(f"the filter has an instruction {code:#x}")
    raise RenderError("the filter does not end")
