import ipaddress
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tappass_host.policy.errors import GrammarError
from tappass_host.policy.grammar.addresses import CidrRule, canonical_ip, local_kind, parse_cidr, unwrap

V4 = st.integers(0, 2**32 - 1)
SPELLED = st.tuples(
    st.integers(0, 300), st.sampled_from(["{}", "0{:o}", "0x{:x}", "0X{:X}", "{:o}", "00{:o}"])
)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("10.257", "10.0.1.1"),
        ("1.2.257", "1.2.1.1"),
        ("0", "0.0.0.0"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("::ffff:7f00:1", "127.0.0.1"),
        ("0:0:0:0:0:FFFF:7F00:1", "127.0.0.1"),
        ("64:ff9b::7f00:1", "127.0.0.1"),
        ("64:ff9b::169.254.169.254", "169.254.169.254"),
        ("2002:7f00:1::", "127.0.0.1"),
        ("2001:db8::5", "2001:db8::5"),
    ],
)
def test_canonical_ip(text, address):
    assert canonical_ip(text) == ipaddress.ip_address(address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "1.2.3.4.5",
        "256.1.1.1",
        "1.2.3.256",
        "1.2.65536",
        "4294967296",
        "08",
        "0x",
        "1..2",
        "1.",
        ".1",
        "fe80::1%eth0",
        "1.2.3.4%lo",
        "1.2.3.4 ",
        " 1.2.3.4",
        "[1.2.3.4]",
        "[::1",
        "٣.1.1.1",
        "1.2.3.4\0",
        "9" * 99,
    ],
)
def test_no_address(text):
    assert canonical_ip(text) is None


@settings(deadline=None, max_examples=300)
@given(st.lists(SPELLED, min_size=1, max_size=5))
def test_agrees_with_inet_aton(parts):
    text = ".".join(form.format(value) for value, form in parts)
    try:
        expected = ipaddress.IPv4Address(socket.inet_aton(text))
    except OSError:
        expected = None
    assert canonical_ip(text) == expected


@settings(deadline=None)
@given(V4, st.sampled_from(["{}", "0{:o}", "0x{:x}"]))
def test_whole_numbers_agree_with_inet_aton(value, form):
    text = form.format(value)
    assert canonical_ip(text) == ipaddress.IPv4Address(socket.inet_aton(text))


@settings(deadline=None)
@given(V4, st.sampled_from(["::ffff:{}", "64:ff9b::{}"]))
def test_every_carrier_is_unwrapped(value, form):
    v4 = ipaddress.IPv4Address(value)
    assert canonical_ip(form.format(v4)) == v4
    assert unwrap(ipaddress.IPv6Address((0x2002 << 112) | (value << 80))) == v4
    assert local_kind(ipaddress.IPv6Address(form.format(v4))) == local_kind(v4)


@settings(deadline=None)
@given(st.text(max_size=70))
def test_canonical_ip_is_total(text):
    found = canonical_ip(text)
    assert found is None or canonical_ip(str(found)) == found


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("127.9.9.9", "loopback"),
        ("::1", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("::", "unspecified"),
        ("169.254.1.1", "link_local"),
        ("fe80::1", "link_local"),
        ("169.254.169.254", "metadata"),
        ("169.254.170.2", "metadata"),
        ("fd00:ec2::254", "metadata"),
        ("100.100.100.200", "metadata"),
        ("168.63.129.16", "metadata"),
        ("10.0.0.1", "private"),
        ("172.31.255.255", "private"),
        ("172.32.0.0", None),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "private"),
        ("198.18.0.1", "private"),
        ("fd12::1", "private"),
        ("fec0::1", "private"),
        ("::10.0.0.1", "private"),
        ("64:ff9b:1::1", "private"),
        ("240.0.0.1", "private"),
        ("224.0.0.1", "multicast"),
        ("255.255.255.255", "multicast"),
        ("ff02::1", "multicast"),
        ("93.184.216.34", None),
        ("2606:4700::1111", None),
    ],
)
def test_local_kind(text, kind):
    assert local_kind(canonical_ip(text)) == kind


@settings(deadline=None, max_examples=300)
@given(V4)
def test_what_the_standard_library_calls_local_is_local(value):
    ip = ipaddress.IPv4Address(value)
    if ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved:
        assert local_kind(ip) is not None


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("192.0.2.1", "192.0.2.1/32"),
        ("10.0.0.0/8:5432", "10.0.0.0/8:5432"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("[2001:db8::/32]:443", "[2001:db8::/32]:443"),
        ("::1", "::1/128"),
    ],
)
def test_cidr_canonical_text(text, canonical):
    assert str(parse_cidr(text)) == canonical
    assert parse_cidr(canonical) == parse_cidr(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("10.0.0.1/8", "host bits"),
        ("10.0.0.0/33", "is not a CIDR"),
        ("010.0.0.0/8", "is not a CIDR"),
        ("10.0.0.0/255.0.0.0", "is not a CIDR"),
        ("example.com", "is not a CIDR"),
        ("10.0.0.0/8:", "no valid port"),
        ("10.0.0.0/8:70000", "no valid port"),
        ("[10.0.0.0/8]:1", "no IPv6 range"),
        ("[2001:db8::/32]", "no port"),
        ("[2001:db8::/32", "no port"),
        ("::ffff:10.0.0.0/104", "carries IPv4"),
        ("64:ff9b::/96", "carries IPv4"),
        ("2002:7f00::/24", "carries IPv4"),
        ("fe80::1%eth0", "is not a CIDR"),
        ("", "is empty"),
    ],
)
def test_cidr_refused(text, why):
    with pytest.raises(GrammarError, match=why) as caught:
        parse_cidr(text)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("rule", "ip", "port", "expected"),
    [
        ("10.0.0.0/8", "10.1.2.3", 443, True),
        ("10.0.0.0/8", "10.1.2.3", 80, True),
        ("10.0.0.0/8", "10.1.2.3", 22, False),
        ("10.0.0.0/8:22", "10.1.2.3", 22, True),
        ("10.0.0.0/8:22", "10.1.2.3", 443, False),
        ("10.0.0.0/8", "::ffff:10.1.2.3", 443, True),
        ("10.0.0.0/8", "11.0.0.0", 443, False),
        ("::/0", "2001:db8::1", 443, True),
        ("::/0", "10.1.2.3", 443, False),
        ("::/0", "::ffff:10.1.2.3", 443, False),
    ],
)
def test_cidr_matching(rule, ip, port, expected):
    assert parse_cidr(rule).matches(ipaddress.ip_address(ip), port) is expected


CIDRS = st.builds(
    lambda value, bits, port: CidrRule(ipaddress.IPv4Network((value, bits), strict=False), port),
    st.sampled_from([0x0A000000, 0x0A010000, 0x0A010203, 0xC0000200]),
    st.integers(0, 32),
    st.sampled_from([None, 80, 443, 22]),
)


@settings(deadline=None)
@given(CIDRS)
def test_cidr_round_trip(rule):
    assert parse_cidr(str(rule)) == rule


@settings(deadline=None)
@given(CIDRS, CIDRS, st.sampled_from(["10.0.0.1", "10.1.2.3", "192.0.2.1"]), st.sampled_from([22, 80, 443]))
def test_cidr_covers_is_sound(a, b, ip, port):
    address = ipaddress.ip_address(ip)
    assert a.covers(a)
    if a.covers(b):
        assert a.matches(address, port) >= b.matches(address, port)


@settings(deadline=None)
@given(st.text(max_size=50) | st.text("0123456789abcdef.:/[]%x", max_size=40))
def test_any_text_parses_or_is_refused(text):
    try:
        rule = parse_cidr(text)
    except GrammarError:
        return
    assert parse_cidr(str(rule)) == rule
