"""What a well-behaved client gets."""

import asyncio

import pytest

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


async def test_tls_through_a_tunnel(egress, tls, tmp_path):
    server, client = tls
    async with egress.Lab(tmp_path) as lab:
        await lab.serve_echo(tls=server)
        reader, writer, answer = await lab.tunnel("good.test:443")
        assert answer == b"HTTP/1.1 200 Connection Established\r\n\r\n"
        await writer.start_tls(client, server_hostname="good.test")
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        writer.close()
        assert lab.verdicts() == ["allow"]
        assert lab.events[0]["rule"] == "network.allow_domains[good.test]"
        assert lab.events[0]["address"] == egress.PUBLIC


async def test_a_tunnel_to_a_listed_port_is_opaque_and_either_side_may_speak_first(egress, tmp_path):
    async def greet(reader, writer):
        writer.write(b"220 hello\r\n")
        writer.write(await reader.readexactly(4))
        writer.close()

    async with egress.Lab(tmp_path) as lab:
        await lab.serve(greet, at=(egress.PUBLIC, 22))
        reader, writer, _ = await lab.tunnel("raw.test:22")
        assert await reader.readexactly(11) == b"220 hello\r\n"
        writer.write(b"EHLO")
        assert await egress.closed(reader) == b"EHLO"
        writer.close()


async def test_each_direction_of_a_tunnel_closes_by_itself(egress, tmp_path):
    async def count(reader, writer):
        writer.write(b"%d" % len(await reader.read(-1)))
        writer.close()

    async with egress.Lab(tmp_path) as lab:
        await lab.serve(count, at=(egress.PUBLIC, 22))
        reader, writer, _ = await lab.tunnel("raw.test:22", b"x" * 300_000)
        writer.write_eof()
        assert await egress.closed(reader) == b"300000"
        writer.close()


@pytest.mark.parametrize("pieces", [1, 7])
async def test_a_get_in_any_pieces(egress, tmp_path, pieces):
    async with egress.Lab(tmp_path) as lab:
        await lab.serve_http(OK)
        request = b"GET http://good.test/x?y HTTP/1.1\r\nHost: good.test\r\nAccept: */*\r\n\r\n"
        reader, writer = await lab.connect()
        step = len(request) // pieces + 1
        for start in range(0, len(request), step):
            writer.write(request[start : start + step])
            await asyncio.sleep(0.01)
        assert (
            await egress.closed(reader)
            == b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi"
        )
        writer.close()
        assert lab.received == [
            b"GET /x?y HTTP/1.1\r\nhost: good.test\r\naccept: */*\r\nconnection: close\r\n\r\n"
        ]


BODIES = {
    "length": (b"Content-Length: 5\r\n\r\nhello", b"hello"),
    "chunked": (
        b"Transfer-Encoding: chunked\r\n\r\n3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\nX-Trailer: 1\r\n\r\n",
        b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
    ),
}


@pytest.mark.parametrize("case", BODIES)
async def test_a_post_reaches_the_server_framed_anew(egress, tmp_path, case):
    sent, arrives = BODIES[case]

    async def answer_after_body(reader, writer):
        lab.received.append(await reader.readuntil(arrives))
        writer.write(OK)
        await writer.drain()
        writer.close()

    async with egress.Lab(tmp_path) as lab:
        await lab.serve(answer_after_body, at=(egress.PUBLIC, 80))
        assert (await lab.ask(b"POST http://good.test/ HTTP/1.1\r\n" + sent)).endswith(b"\r\n\r\nhi")
        assert lab.received[0].endswith(b"\r\n\r\n" + arrives)


ANSWERS = {
    "until close": (b"HTTP/1.1 200 OK\r\n\r\nall of it", b"\r\n\r\nall of it"),
    "chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
    ),
    "no body": (b"HTTP/1.1 204 No Content\r\n\r\n", b"\r\nconnection: close\r\n\r\n"),
    "interim first": (
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi",
    ),
}


@pytest.mark.parametrize("case", ANSWERS)
async def test_an_answer_of_each_framing(egress, tmp_path, case):
    sent, arrives = ANSWERS[case]

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        writer.close()

    async with egress.Lab(tmp_path) as lab:
        await lab.serve(answer, at=(egress.PUBLIC, 80))
        assert (await lab.ask(b"GET http://good.test/ HTTP/1.1\r\n\r\n")).endswith(arrives)


async def test_nothing_behind_the_answers_end_reaches_the_client(egress, tmp_path):
    async with egress.Lab(tmp_path) as lab:
        await lab.serve_http(OK + b"HTTP/1.1 200 OK\r\n\r\nsmuggled")
        assert (await lab.ask(b"GET http://good.test/ HTTP/1.1\r\n\r\n")).endswith(b"\r\n\r\nhi")


async def test_an_answer_cut_short_does_not_look_complete(egress, tmp_path):
    async def cut(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        writer.close()

    async with egress.Lab(tmp_path) as lab:
        await lab.serve(cut, at=(egress.PUBLIC, 80))
        answer = await lab.ask(b"GET http://good.test/ HTTP/1.1\r\n\r\n")
        assert answer.endswith(b"content-length: 100\r\nconnection: close\r\n\r\nhalf")
        assert lab.verdicts() == ["allow", "deny"]


async def test_a_name_is_looked_up_once_and_only_its_addresses_are_dialled(egress, tmp_path):
    async with egress.Lab(tmp_path) as lab:
        lab.names["good.test"] = ["203.0.113.1", egress.PUBLIC]
        await lab.serve_http(OK)
        assert b"200 OK" in await lab.ask(b"GET http://good.test/ HTTP/1.1\r\n\r\n")
        assert lab.lookups == ["good.test"]
        assert lab.dials == [("203.0.113.1", 80), (egress.PUBLIC, 80)]


async def test_an_address_in_an_allowed_range_is_dialled_without_any_lookup(egress, tmp_path):
    async with egress.Lab(tmp_path) as lab:
        await lab.serve_http(OK, at=(egress.OTHER_PUBLIC, 80))
        assert b"200 OK" in await lab.ask(b"GET http://0xcb.0.113.66/ HTTP/1.1\r\n\r\n")
        assert lab.lookups == []
        assert lab.dials == [(egress.OTHER_PUBLIC, 80)]


UNAVAILABLE = {
    "unknown name": (b"GET http://a.example.com/ HTTP/1.1\r\n\r\n", b"502", b"does not resolve"),
    "nobody listens": (b"GET http://good.test/ HTTP/1.1\r\n\r\n", b"502", b"cannot be reached"),
    "nobody listens to the tunnel": (b"CONNECT good.test:443 HTTP/1.1\r\n\r\n", b"502", b"cannot be reached"),
    "head too long": (b"GET http://good.test/ HTTP/1.1\r\nX: " + b"a" * 40_000, b"431", b"longer than 32768"),
    "half a head": (b"GET http://good", b"408", b"in time"),
    "silence": (b"", b"408", b"in time"),
}


@pytest.mark.parametrize("case", UNAVAILABLE)
async def test_what_cannot_be_had_is_said(egress, tmp_path, case):
    request, status, why = UNAVAILABLE[case]
    async with egress.Lab(tmp_path, limits={"handshake_s": 1}) as lab:
        del lab.names["a.example.com"]
        answer = await lab.ask(request)
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert why in answer
        assert lab.verdicts()[-1] == "deny"


async def test_an_answer_of_a_server_that_is_no_http_is_a_bad_gateway(egress, tmp_path):
    async with egress.Lab(tmp_path) as lab:
        await lab.serve_http(b"220 mail.test ESMTP\r\n\r\n")
        assert (await lab.ask(b"GET http://good.test/ HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 502 ")


@pytest.mark.parametrize("host", ["evil.test", "e" * 60 + "." + "v" * 60 + "." + "i" * 60 + ".test"])
async def test_the_denial_says_what_by_which_policy_why_and_which_request(egress, tmp_path, host):
    async with egress.Lab(tmp_path) as lab:
        answer = await lab.ask(f"CONNECT {host}:443 HTTP/1.1\r\n\r\n".encode())
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain")
        assert len(body) <= 400
        text = body.decode()
        for part in (host[:50], "policy 7 (sha256:abab", "no allowed domain", str(lab.events[0]["request"])):
            assert part in text
        assert lab.events[0]["rule"] == "network.default[deny]"


async def test_an_upload_arrives_whole_though_the_answer_came_first(egress, tmp_path):
    async def answer_then_read(reader, writer):
        reader._transport.pause_reading()
        writer.write(b"early")
        writer.write_eof()
        await go.wait()
        reader._transport.resume_reading()
        while data := await reader.read(65536):
            got.append(len(data))
        done.set()

    go, done = asyncio.Event(), asyncio.Event()
    sent, got = 0, []
    async with egress.Lab(tmp_path) as lab:
        await lab.serve(answer_then_read, at=(egress.PUBLIC, 22))
        reader, writer, _ = await lab.tunnel("raw.test:22")
        upstream = next(iter(lab.proxy._visits)).upstream
        while not upstream.transport.get_write_buffer_size():  # until the system's own buffers are full
            writer.write(bytes(32768))
            sent += 32768
            await asyncio.sleep(0)
        writer.write_eof()
        assert await egress.closed(reader) == b"early"
        go.set()
        await asyncio.wait_for(done.wait(), 10)
        assert sum(got) == sent
        await asyncio.sleep(0.05)
        assert lab.proxy.open_visits() == 0


async def test_a_client_that_reads_slowly_holds_back_the_server_not_the_memory(egress, tmp_path):
    async def flood(reader, writer):
        for _ in range(512):
            writer.write(b"x" * 65536)
            await writer.drain()
            sent.append(65536)
        writer.close()

    sent: list[int] = []
    async with egress.Lab(tmp_path) as lab:
        await lab.serve(flood, at=(egress.PUBLIC, 22))
        reader, writer, _ = await lab.tunnel("raw.test:22", b"go")
        writer.transport.pause_reading()
        before = -1
        while before != sum(sent):
            before = sum(sent)
            await asyncio.sleep(0.2)
        assert before < 32 * 1024 * 1024 / 2
        visit = next(iter(lab.proxy._visits))
        assert visit.client.transport.get_write_buffer_size() <= 256 * 1024
        writer.transport.resume_reading()
        assert len(await egress.closed(reader, 20)) == 512 * 65536
        writer.close()


async def test_a_client_that_writes_ahead_of_its_tunnel_is_held_back(egress, tmp_path):
    async with egress.Lab(tmp_path) as lab:
        release = asyncio.Event()

        async def slow(host):
            await release.wait()
            return [egress.PUBLIC]

        lab.proxy.gate._resolve = slow
        await lab.serve_echo(at=(egress.PUBLIC, 22))
        _, writer = await lab.connect()
        writer.write(b"CONNECT raw.test:22 HTTP/1.1\r\n\r\n")
        for _ in range(100):
            writer.write(bytes(65536))
            await asyncio.sleep(0.002)
        (visit,) = lab.proxy._visits
        assert 0 < len(visit.client.inbox) <= 32768 + 128 * 1024
        release.set()
        for _ in range(500):
            if sum(map(len, lab.received)) == 100 * 65536:
                break
            await asyncio.sleep(0.01)
        assert sum(map(len, lab.received)) == 100 * 65536
        writer.transport.abort()


async def test_a_finished_visit_leaves_nothing_behind(egress, tls, tmp_path):
    server, client = tls
    async with egress.Lab(tmp_path) as lab:
        await lab.serve_echo(tls=server)
        for _ in range(20):
            reader, writer, _ = await lab.tunnel("good.test:443")
            await writer.start_tls(client, server_hostname="good.test")
            writer.write(b"x")
            await reader.readexactly(1)
            writer.close()
            await lab.ask(b"GET http://evil.test/ HTTP/1.1\r\n\r\n")
        await asyncio.sleep(0.1)
        assert lab.proxy.open_visits() == 0
        assert len(lab.proxy._tasks) == 1  # the sweep
