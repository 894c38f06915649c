import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tappass_host.dataplane.egress.refusal import RefusedError
from tappass_host.dataplane.egress.tls import Hello, HelloReader


def read(data, limit=16384):
    return HelloReader(limit).feed(data)


def real_hello(name):
    """What this Python's OpenSSL really sends."""
    context = ssl.create_default_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        connection.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize(("name", "names"), [("good.test", (b"good.test",)), ("203.0.113.10", ())])
def test_a_real_client_is_read(name, names):
    assert read(real_hello(name)) == Hello(names, hidden=False)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 50, 2**14])
def test_any_fragmentation_over_records_and_packets_reads_the_same(egress, size):
    data = egress.records(egress.client_hello((b"good.test",)), size)
    reader, seen = HelloReader(16384), bytearray()
    for position, byte in enumerate(data):
        seen.append(byte)
        hello = reader.feed(seen)
        assert (hello is None) == (position < len(data) - 1)
    assert hello == Hello((b"good.test",), hidden=False)


def test_bytes_behind_the_hello_are_none_of_its_business(egress):
    data = egress.records(egress.client_hello()) + b"\x17\x03\x03\x00\x01x"
    assert read(data) == Hello((b"good.test",), hidden=False)


HIDDEN = [0xFE0D, 0xFE08, 0xFFCE]


@pytest.mark.parametrize("kind", HIDDEN)
def test_an_encrypted_name_is_seen(egress, kind):
    assert read(egress.records(egress.client_hello(extensions=((kind, b"x"),)))).hidden


def test_two_names_are_both_reported(egress):
    data = egress.records(egress.client_hello((b"good.test", b"evil.test")))
    assert read(data).names == (b"good.test", b"evil.test")


def test_no_server_name_is_no_name(egress):
    assert read(egress.records(egress.client_hello(None))) == Hello((), hidden=False)


REFUSED = {
    "http in the tunnel": lambda e: b"GET / HTTP/1.1\r\n",
    "ssh in the tunnel": lambda e: b"SSH-2.0-OpenSSH_9\r\n",
    "one byte that is no handshake": lambda e: b"\x15",
    "sslv2 hello": lambda e: b"\x80\x2e\x01\x03\x01",
    "tls major version 2": lambda e: b"\x16\x02",
    "empty record": lambda e: b"\x16\x03\x01\x00\x00",
    "record longer than the protocol allows": lambda e: b"\x16\x03\x01\x40\x01",
    "alert record in between": lambda e: (
        e.records(e.client_hello(), 20)[:25] + b"\x15\x03\x03\x00\x02\x01\x00"
    ),
    "server hello": lambda e: e.records(b"\x02" + e.client_hello()[1:]),
    "message behind the hello in its record": lambda e: e.records(e.client_hello() + b"\x01"),
    "second hello in the same record": lambda e: e.records(e.client_hello() + e.client_hello()),
    "server_name twice": lambda e: e.records(e.client_hello(extensions=((0, b"\x00\x03\x00\x00\x00"),))),
    "extension twice": lambda e: e.records(e.client_hello(extensions=((10, b""), (10, b"")))),
    "server name of another kind": lambda e: e.records(e.client_hello(name_kind=1)),
    "bytes after the extensions": lambda e: e.records(e.client_hello(tail=b"\x00")),
    "server name list with a tail": lambda e: e.records(
        e.client_hello(None, extensions=((0, b"\x00\x00\x00"),))
    ),
    "server name longer than its list": lambda e: e.records(
        e.client_hello(None, extensions=((0, b"\x00\x03\x00\x00\x09"),))
    ),
    "server name cut off": lambda e: e.records(e.client_hello(None, extensions=((0, b"\x00"),))),
    "no room for the random": lambda e: e.records(b"\x01\x00\x00\x02\x03\x03"),
    "announces more than the limit": lambda e: b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(egress, case):
    with pytest.raises(RefusedError):
        read(REFUSED[case](egress))


def test_a_hello_longer_than_the_limit_is_refused_before_it_is_complete(egress):
    data = egress.records(egress.client_hello(extensions=((21, bytes(3000)),)), 500)
    assert read(data, 4096) is not None
    for received in (data[:2048], data):
        with pytest.raises(RefusedError, match="longer than 2048"):
            read(received, 2048)


def test_records_of_one_byte_count_with_their_headers(egress):
    data = egress.records(egress.client_hello(extensions=((21, bytes(400)),)), 1)
    for received in (data[:1024], data):
        with pytest.raises(RefusedError, match="longer than 1024"):
            read(received, 1024)


FIXED = (
    bytes.fromhex("1603010045010000410303")
    + bytes(32)
    + bytes.fromhex("0000021301010000160000000e000c000009676f6f642e74657374ff010000")
)


def test_the_hello_that_is_damaged_below_is_good_when_whole():
    assert read(FIXED) == Hello((b"good.test",), hidden=False)


@given(st.binary(max_size=200), st.integers(0, 150))
@settings(max_examples=300, deadline=None)
def test_garbage_is_refused_or_waited_for_never_anything_else(noise, at):
    data = FIXED[:at] + noise + FIXED[at + len(noise) :]
    try:
        hello = read(data)
    except RefusedError:
        return
    assert hello is None or isinstance(hello, Hello)
