"""The filters, run as the kernel runs them, on both architectures."""

import pytest

from tappass_host.policy.errors import RenderError
from tappass_host.providers.kernel.bubblewrap import bpf
from tappass_host.providers.kernel.bubblewrap.seccomp import filter_bytes

UNIX, INET, INET6, NETLINK, PACKET, VSOCK, ALG = 1, 2, 10, 16, 17, 40, 38
STREAM, DATAGRAM, RAW, SEQUENCE, CLOEXEC = 1, 2, 3, 5, 0o2000000

#        call, arguments, plain filter, families only, no unix sockets
CALLS = [
    ("socket", (UNIX, STREAM), True, True, False),
    ("socket", (UNIX, DATAGRAM | CLOEXEC), True, True, False),
    ("socket", (INET, STREAM), True, True, True),
    ("socket", (INET6, DATAGRAM), True, True, True),
    ("socket", (NETLINK, RAW), True, True, True),
    ("socket", (PACKET, RAW), True, False, False),
    ("socket", (VSOCK, STREAM), True, False, False),
    ("socket", (ALG, SEQUENCE), True, False, False),
    ("socketpair", (UNIX, STREAM), True, True, True),
    ("socketpair", (UNIX, SEQUENCE | CLOEXEC), True, True, True),
    ("socketpair", (UNIX, DATAGRAM), True, True, False),
    ("socketpair", (UNIX, DATAGRAM | CLOEXEC), True, True, False),
    ("socketpair", (UNIX, RAW), True, True, False),
]


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
@pytest.mark.parametrize("row", CALLS, ids=[f"{row[0]}{row[1]}" for row in CALLS])
def test_sockets(arch, row):
    call, arguments, *expected = row
    filters = (
        filter_bytes(arch),
        filter_bytes(arch, families=True),
        filter_bytes(arch, families=True, unix=False),
    )
    assert [bpf.allows(code, call, *arguments) for code in filters] == expected


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_a_filter_is_for_one_architecture(arch):
    assert bpf.arch_of(filter_bytes(arch)) == arch


def test_an_unknown_architecture_has_no_filter():
    with pytest.raises(KeyError):
        filter_bytes("riscv64")


@pytest.mark.parametrize("code", [b"", b"1234567", b"\0" * 8, filter_bytes()[:-8], filter_bytes() * 100])
def test_what_the_kernel_would_not_take_is_refused(code):
    with pytest.raises(RenderError):
        bpf.arch_of(code)
