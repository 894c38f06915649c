"""Attack 18: ways around the domain rules of the egress proxy. After each: what reached a server, and what was dialled."""

import pytest

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
TLS_DENIED = b"\x15\x03\x03\x00\x02\x02\x31"

TUNNELS = {
    "plain HTTP in the tunnel": lambda e: b"GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n",
    "SSH in the tunnel": lambda e: b"SSH-2.0-x\r\n",
    "another name in the hello": lambda e: e.records(e.client_hello((b"evil.test",))),
    "the name in a shorter form": lambda e: e.records(e.client_hello((b"test",))),
    "no name in the hello": lambda e: e.records(e.client_hello(None)),
    "an empty list of names": lambda e: e.records(e.client_hello(())),
    "two names in the hello": lambda e: e.records(e.client_hello((b"good.test", b"evil.test"))),
    "server_name twice": lambda e: e.records(
        e.client_hello(extensions=((0, b"\x00\x0c\x00\x00\x09evil.test"),))
    ),
    "encrypted hello (ECH)": lambda e: e.records(e.client_hello(extensions=((0xFE0D, b"\x00" * 40),))),
    "encrypted name of the draft (ESNI)": lambda e: e.records(
        e.client_hello(extensions=((0xFFCE, b"\x00" * 40),))
    ),
    "another name, one byte per record": lambda e: e.records(e.client_hello((b"evil.test",)), 1),
    "the right name, then a second hello": lambda e: e.records(
        e.client_hello() + e.client_hello((b"evil.test",))
    ),
    "the name with a NUL and more": lambda e: e.records(e.client_hello((b"good.test\0.evil.test",))),
    "a hello that never ends": lambda e: b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc" + b"\x00" * 20_000,
    "an SSLv2 hello": lambda e: b"\x80\x2e\x01\x03\x01" + b"\x00" * 40,
}


@pytest.mark.parametrize("attack", TUNNELS)
async def test_18_nothing_but_the_right_hello_passes_a_tunnel(egress, tmp_path, attack):
    async with egress.Lab(tmp_path) as lab:
        await lab.serve_echo()
        reader, writer, answer = await lab.tunnel("good.test:443", TUNNELS[attack](egress))
        assert b" 200 " in answer
        assert await egress.closed(reader) in (TLS_DENIED, b"<reset>")
        writer.close()
        assert lab.received in ([], [b""])
        assert lab.verdicts() == ["allow", "deny"]


async def test_18_control_the_right_hello_passes(egress, tmp_path):
    hello = egress.records(egress.client_hello(), 7)
    async with egress.Lab(tmp_path) as lab:
        await lab.serve_echo()
        reader, writer, _ = await lab.tunnel("good.test:443", hello)
        assert await reader.readexactly(len(hello)) == hello
        writer.close()


async def test_18_control_ech_passes_where_it_is_listed(egress, tmp_path):
    hello = egress.records(egress.client_hello(extensions=((0xFE0D, b"\x00" * 40),)))
    async with egress.Lab(tmp_path, ech=["good.test"]) as lab:
        await lab.serve_echo()
        reader, writer, _ = await lab.tunnel("good.test:443", hello)
        assert await reader.readexactly(len(hello)) == hello
        writer.close()


async def test_18_a_silent_tunnel_ends(egress, tmp_path):
    async with egress.Lab(tmp_path, limits={"handshake_s": 1}) as lab:
        await lab.serve_echo()
        reader, writer, _ = await lab.tunnel("good.test:443")
        assert await egress.closed(reader) == TLS_DENIED
        writer.close()


async def test_18_a_port_that_is_not_listed_as_opaque_carries_tls_only(egress, tmp_path):
    async with egress.Lab(tmp_path, opaque=[]) as lab:
        await lab.serve_echo(at=(egress.PUBLIC, 22))
        reader, writer, _ = await lab.tunnel("raw.test:22", b"SSH-2.0-x\r\n")
        assert await egress.closed(reader) == TLS_DENIED
        writer.close()


NAMELESS = {"no name": (None, True), "a name for an address": ((b"evil.test",), False)}


@pytest.mark.parametrize("case", NAMELESS)
async def test_18_a_tunnel_to_an_allowed_address_names_nobody(egress, tmp_path, case):
    names, good = NAMELESS[case]
    hello = egress.records(egress.client_hello(names))
    async with egress.Lab(tmp_path) as lab:
        await lab.serve_echo(at=(egress.OTHER_PUBLIC, 443))
        reader, writer, _ = await lab.tunnel(f"{egress.OTHER_PUBLIC}:443", hello)
        assert (await reader.read(1) == hello[:1]) == good
        writer.close()


TARGETS = [
    "127.0.0.1:443", "2130706433:443", "0x7f000001:443", "0x7f.1:443", "0177.1:443", "127.1:443", "0:443", "0.0.0.0:443",
    "[::1]:443", "[::]:443", "[::ffff:127.0.0.1]:443", "[::ffff:7f00:1]:443", "[64:ff9b::7f00:1]:443", "[2002:7f00:1::]:443",
    "169.254.169.254:443", "2852039166:443", "[fd00:ec2::254]:443", "[fe80::1]:443", "10.0.0.1:443", "192.168.0.1:443",
    "203.0.113.10:443", "3405803786:443", "[::ffff:203.0.113.10]:443", "[2001:db8::1]:443", "203.0.113.66:22",
    "localhost:443", "a.localhost:443", "evil.test:443", "good.test:22", "good.test:8443", "test:443", ".good.test:443",
    "example.com:443", "bad.example.com:443", "BAD.example.com:443", "bad.example.com.:443", "hooks.example.com:443",
    "good.test.evil.test:443", "evilgood.test:443", "xn--good-.test:443", "good.test%00.evil.test:443", "good.test@evil.test:443",
    "good.test\\.evil.test:443", "good.test:443:22", "good.test:0443443", "good.test: 443", "good.test\t:443", "good_test:443",
]  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
async def test_18_no_other_spelling_leads_out(egress, tmp_path, target):
    async with egress.Lab(tmp_path) as lab:
        lab.names |= {
            host: [egress.PUBLIC]
            for host in ("localhost", "evil.test", "test", "bad.example.com", "example.com")
        }
        answer = await lab.ask(f"CONNECT {target} HTTP/1.1\r\n\r\n".encode("latin-1"))
        assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 403")
        assert lab.lookups == lab.dials == []


REBINDING = {
    "loopback": ["127.0.0.1"],
    "metadata": ["169.254.169.254"],
    "private": ["10.0.0.1"],
    "loopback v6": ["::1"],
    "mapped loopback": ["::ffff:127.0.0.1"],
    "NAT64 loopback": ["64:ff9b::7f00:1"],
    "this host": ["0.0.0.0"],
    "link-local with a zone": ["fe80::1%lo"],
    "a public one first": ["203.0.113.10", "127.0.0.1"],
    "a public one last": ["127.0.0.1", "203.0.113.10"],
    "far down the list": ["203.0.113.10"] * 9 + ["10.0.0.1"],
    "no address at all": ["good.test"],
}


@pytest.mark.parametrize("case", REBINDING)
async def test_18_a_name_that_leads_inside_is_not_dialled(egress, tmp_path, case):
    async with egress.Lab(tmp_path) as lab:
        lab.names["good.test"] = REBINDING[case]
        await lab.serve_http(OK, at=(REBINDING[case][0], 80))
        assert (await lab.ask(b"GET http://good.test/ HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 403 ")
        assert lab.dials == []


async def test_18_a_name_that_changes_between_check_and_connect_gains_nothing(egress, tmp_path):
    async with egress.Lab(tmp_path) as lab:
        await lab.serve_http(OK)
        answers = iter([[egress.PUBLIC], ["127.0.0.1"]])

        async def rebinding(host):
            lab.lookups.append(host)
            return next(answers)

        lab.proxy.gate._resolve = rebinding
        assert b"200 OK" in await lab.ask(b"GET http://good.test/ HTTP/1.1\r\n\r\n")
        assert lab.lookups == ["good.test"]
        assert lab.dials == [(egress.PUBLIC, 80)]


GET = b"GET http://good.test/ HTTP/1.1\r\n"
POST = b"POST http://good.test/ HTTP/1.1\r\n"
SMUGGLING = {
    "Content-Length and Transfer-Encoding": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n",
    "two Content-Length": POST + b"Content-Length: 0\r\nContent-Length: 30\r\n\r\n",
    "obsolete line folding": GET + b"X: a\r\n Host: evil.test\r\n\r\n",
    "two Host": GET + b"Host: good.test\r\nHost: evil.test\r\n\r\n",
    "space before the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n",
    "bare line feed": GET + b"X: a\nHost: evil.test\r\n\r\n",
    "Upgrade": GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "h2c": GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n",
    "Connection drops the length": POST + b"Connection: Content-Length\r\nContent-Length: 30\r\n\r\n",
    "another scheme": b"GET https://good.test/ HTTP/1.1\r\n\r\n",
    "another host before the at sign": b"GET http://good.test@evil.test/ HTTP/1.1\r\n\r\n",
    "a line feed in the URL": b"GET http://good.test/\nHost:evil.test HTTP/1.1\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("attack", SMUGGLING)
async def test_18_an_ambiguous_request_reaches_nobody(egress, tmp_path, attack):
    async with egress.Lab(tmp_path) as lab:
        await lab.serve_http(OK)
        assert (await lab.ask(SMUGGLING[attack]))[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 403")
        assert lab.dials == []


BAD_CHUNKS = {
    "no number": b"x\r\n",
    "signed": b"+5\r\nhello\r\n",
    "no line end behind the data": b"5\r\nhelloGET /evil\r\n",
    "bare line feed": b"5\nhello\r\n",
    "endless size": b"0" * 300,
    "too many digits": b"1" * 13 + b"\r\n",
    "endless trailers": b"0\r\n" + b"X: y\r\n" * 100 + b"\r\n",
}


@pytest.mark.parametrize("attack", BAD_CHUNKS)
async def test_18_a_bad_chunk_ends_both_sides(egress, tmp_path, attack):
    async with egress.Lab(tmp_path) as lab:
        await lab.serve_http()
        answer = await lab.ask(POST + b"Transfer-Encoding: chunked\r\n\r\n" + BAD_CHUNKS[attack])
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"evil" not in b"".join(lab.received)


async def test_18_only_one_request_passes_on_a_connection(egress, tmp_path):
    second = b"GET http://evil.test/second HTTP/1.1\r\n\r\nGET /second HTTP/1.1\r\nHost: evil.test\r\n\r\n"
    async with egress.Lab(tmp_path) as lab:
        await lab.serve_http(OK)
        assert (await lab.ask(GET + b"\r\n" + second)).count(b"HTTP/1.1") == 1
        assert lab.received == [b"GET / HTTP/1.1\r\nhost: good.test\r\nconnection: close\r\n\r\n"]


async def test_18_the_host_header_is_the_urls(egress, tmp_path):
    async with egress.Lab(tmp_path) as lab:
        await lab.serve_http(OK)
        await lab.ask(GET + b"Host: evil.test\r\nX-Forwarded-Host: evil.test\r\n\r\n")
        assert lab.received[0].startswith(b"GET / HTTP/1.1\r\nhost: good.test\r\n")


async def test_18_a_server_may_not_switch_protocols(egress, tmp_path):
    async with egress.Lab(tmp_path) as lab:
        await lab.serve_http(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nraw")
        assert (await lab.ask(GET + b"\r\n")).startswith(b"HTTP/1.1 502 ")


# -- fail closed: whatever breaks, nothing is dialled and the client hears no


async def test_18_a_verdict_that_cannot_be_recorded_is_a_denial(egress, tmp_path):
    def broken(event):
        raise OSError("disk full")

    async with egress.Lab(tmp_path) as lab:
        await lab.serve_http(OK)
        lab.record = broken
        assert (await lab.ask(GET + b"\r\n")).startswith(b"HTTP/1.1 503 ")
        assert (await lab.ask(b"CONNECT evil.test:443 HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 503 ")
        assert lab.dials == []


async def test_18_a_denied_hello_stays_denied_without_a_record(egress, tmp_path):
    async with egress.Lab(tmp_path) as lab:
        await lab.serve_echo()
        reader, writer, _ = await lab.tunnel("good.test:443")
        lab.record = lambda event: 1 / 0
        writer.write(egress.records(egress.client_hello((b"evil.test",))))
        assert await egress.closed(reader) == TLS_DENIED
        writer.close()
        assert lab.received in ([], [b""])


async def test_18_observing_needs_its_record_too(egress, tmp_path):
    async with egress.Lab(tmp_path, mode="observe") as lab:
        lab.record = lambda event: 1 / 0
        assert (await lab.ask(b"GET http://evil.test/ HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 503 ")
        assert lab.lookups == []


BREAKING = {
    "the resolver": ("gate", "_resolve"),
    "the rules": ("gate", "_rules"),
    "the clock": ("gate", "_deadline"),
    "the dialler": ("_session", "_dial"),
    "the injection": ("_session", "_inject"),
}


@pytest.mark.parametrize("part", BREAKING)
async def test_18_a_broken_part_denies(egress, tmp_path, part):
    holder, name = BREAKING[part]
    async with egress.Lab(tmp_path) as lab:
        await lab.serve_http(OK)
        setattr(getattr(lab.proxy, holder), name, object())
        assert (await lab.ask(GET + b"\r\n")).startswith(b"HTTP/1.1 502 ")
        assert b"".join(lab.received) == b""
        assert lab.verdicts()[-1] == "deny"


async def test_18_a_hostile_name_cannot_write_on_the_terminal(egress, tmp_path):
    async with egress.Lab(tmp_path) as lab:
        answer = await lab.ask("CONNECT \x1b[2Jevil\u202e:443 HTTP/1.1\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.replace(b"\r\n", b"").replace(b".\n", b"").isascii()
        assert b"\x1b" not in answer
