"""The policy in force changes, ends, or only observes."""

import asyncio

import pytest

from tappass_host.dataplane.egress.deadline import Deadline
from tappass_host.policy.errors import SchemaError


async def echo_works(reader, writer):
    writer.write(b"ping")
    return await reader.read(4) == b"ping"


async def two_tunnels(lab, egress):
    await lab.serve_echo(at=(egress.PUBLIC, 22))
    lab.names["other.test"] = [egress.PUBLIC]
    return await lab.tunnel("raw.test:22"), await lab.tunnel("other.test:22")


TWO = {"allow": ["raw.test:22", "other.test:22"], "opaque": ["raw.test:22", "other.test:22"]}


async def test_a_reload_cuts_the_removed_domain_and_keeps_the_other(egress, tmp_path):
    async with egress.Lab(tmp_path, **TWO) as lab:
        (kept, kept_writer, _), (cut, cut_writer, _) = await two_tunnels(lab, egress)
        fewer = {"allow": ["raw.test:22"], "opaque": ["raw.test:22"], "listen": {"unix": lab.bound["unix"]}}
        assert lab.proxy.reload(egress.config(**fewer)) == 1
        assert await egress.closed(cut) in (b"", b"<reset>")
        assert await echo_works(kept, kept_writer)
        assert b"403" in await lab.ask(b"CONNECT other.test:22 HTTP/1.1\r\n\r\n")
        assert lab.verdicts() == ["allow", "allow", "cut", "deny"]
        kept_writer.close()
        cut_writer.close()


CUTTING = {
    "now denied by name": {**TWO, "deny": ["other.test"]},
    "now in a denied category": {**TWO, "category_deny": [{"category": "c", "domains": ["other.test"]}]},
    "no longer opaque": {**TWO, "opaque": ["raw.test:22"]},
}


@pytest.mark.parametrize("case", CUTTING)
async def test_a_reload_cuts_what_a_new_rule_denies(egress, tmp_path, case):
    async with egress.Lab(tmp_path, **TWO) as lab:
        (_, kept_writer, _), (cut, cut_writer, _) = await two_tunnels(lab, egress)
        assert lab.proxy.reload(egress.config(**CUTTING[case], listen={"unix": lab.bound["unix"]})) == 1
        assert await egress.closed(cut) in (b"", b"<reset>")
        kept_writer.close()
        cut_writer.close()


async def test_a_reload_cuts_a_local_connection_when_local_becomes_denied(egress, tmp_path):
    async with egress.Lab(tmp_path, **TWO, local="allow") as lab:
        lab.names["raw.test"] = ["10.0.0.5"]
        await lab.serve_echo(at=("10.0.0.5", 22))
        reader, writer, answer = await lab.tunnel("raw.test:22")
        assert b" 200 " in answer
        assert lab.proxy.reload(egress.config(**TWO, listen={"unix": lab.bound["unix"]})) == 1
        assert await egress.closed(reader) in (b"", b"<reset>")
        writer.close()


async def test_a_reload_while_dialling_cuts_too(egress, tmp_path):
    async with egress.Lab(tmp_path, **TWO) as lab:
        dialling, release = asyncio.Event(), asyncio.Event()
        real = lab._dial

        async def slow(*arguments):
            dialling.set()
            await release.wait()
            return await real(*arguments)

        lab.proxy._session._dial = slow
        await lab.serve_echo(at=(egress.PUBLIC, 22))
        asking = asyncio.create_task(lab.ask(b"CONNECT raw.test:22 HTTP/1.1\r\n\r\nhello"))
        await dialling.wait()
        lab.proxy.reload(egress.config(allow=[], opaque=[], listen={"unix": lab.bound["unix"]}))
        release.set()
        assert await asking in (b"", b"<reset>")
        await asyncio.sleep(0.05)
        assert lab.received in ([], [b""])


async def test_a_reload_while_resolving_dials_nobody(egress, tmp_path):
    async with egress.Lab(tmp_path, **TWO) as lab:
        resolving, release = asyncio.Event(), asyncio.Event()

        async def slow(host):
            resolving.set()
            await release.wait()
            return [egress.PUBLIC]

        lab.proxy.gate._resolve = slow
        asking = asyncio.create_task(lab.ask(b"CONNECT raw.test:22 HTTP/1.1\r\n\r\n"))
        await resolving.wait()
        lab.proxy.reload(egress.config(allow=[], opaque=[], listen={"unix": lab.bound["unix"]}))
        release.set()
        assert await asking in (b"", b"<reset>")
        await asyncio.sleep(0.05)
        assert lab.dials == []
        assert lab.verdicts() == ["cut"]


FOREIGN = {"another sandbox": {"sandbox": "sb-2"}, "another socket": {"listen": {"unix": "/elsewhere"}}}


@pytest.mark.parametrize("case", FOREIGN)
async def test_a_reload_for_another_place_is_refused_and_changes_nothing(egress, tmp_path, case):
    async with egress.Lab(tmp_path) as lab:
        here = {"listen": {"unix": lab.bound["unix"]}}
        foreign = egress.config(**{**here, **FOREIGN[case]}, allow=["evil.test"], opaque=[])
        with pytest.raises(SchemaError):
            lab.proxy.reload(foreign)
        assert b"403" in await lab.ask(b"CONNECT evil.test:443 HTTP/1.1\r\n\r\n")
        lab.proxy.reload(egress.config(**here, allow=["evil.test"], opaque=[]))
        assert b"does not resolve" in await lab.ask(b"CONNECT evil.test:443 HTTP/1.1\r\n\r\n")


async def test_lock_down_cuts_and_denies_until_the_next_reload(egress, tmp_path):
    async with egress.Lab(tmp_path, **TWO) as lab:
        (first, first_writer, _), (second, second_writer, _) = await two_tunnels(lab, egress)
        assert lab.proxy.lock_down("told so") == 2
        assert await egress.closed(first) in (b"", b"<reset>")
        assert await egress.closed(second) in (b"", b"<reset>")
        assert b"told so" in await lab.ask(b"CONNECT raw.test:22 HTTP/1.1\r\n\r\n")
        lab.proxy.reload(lab.config)
        reader, writer, answer = await lab.tunnel("raw.test:22")
        assert b" 200 " in answer
        assert await echo_works(reader, writer)
        for one in (first_writer, second_writer, writer):
            one.close()


class Clock:
    """A wall clock and a steady one, both settable."""

    def __init__(self, now):
        self.wall = self.steady = now

    def deadline(self, expires):
        return Deadline(expires, wall=lambda: self.wall, steady=lambda: self.steady)


END = 1_800_000_000  # 2027-01-15T08:00:00Z
ENDING = {"policy": {"digest": "sha256:cd", "version": 8, "expires_at": "2027-01-15T08:00:00Z"}}


@pytest.mark.parametrize("mode", ["enforce", "observe"])
async def test_the_end_of_the_policy_cuts_and_denies_in_every_mode(egress, tmp_path, mode):
    clock = Clock(END - 100)
    lab = egress.Lab(tmp_path, **TWO, **ENDING, mode=mode)
    lab.options["deadline"] = clock.deadline
    async with lab:
        (reader, writer, _), (_, other, _) = await two_tunnels(lab, egress)
        assert await echo_works(reader, writer)
        clock.wall = END
        assert await egress.closed(reader) in (b"", b"<reset>")
        assert b"expired" in await lab.ask(b"CONNECT raw.test:22 HTTP/1.1\r\n\r\n")
        clock.wall = END - 100
        assert b"expired" in await lab.ask(b"CONNECT raw.test:22 HTTP/1.1\r\n\r\n")
        lab.proxy.reload(lab.config)  # the same policy again revives nothing either
        assert b"expired" in await lab.ask(b"CONNECT raw.test:22 HTTP/1.1\r\n\r\n")
        writer.close()
        other.close()


CLOCKS = {
    "before the end": ((50, 50), False),
    "the wall clock says over": ((100, 50), True),
    "the wall clock was set back, the steady one says over": ((-1000, 100), True),
}


@pytest.mark.parametrize("case", CLOCKS)
def test_deadline(case):
    (wall, steady), over = CLOCKS[case]
    clock = Clock(0)
    deadline = clock.deadline(100)
    assert not deadline.over()
    clock.wall, clock.steady = wall, steady
    assert deadline.over() == over
    clock.wall = clock.steady = 0
    assert deadline.over() == over


async def test_observing_allows_and_records(egress, tmp_path):
    async with egress.Lab(tmp_path, mode="observe") as lab:
        lab.names |= {"evil.test": [egress.PUBLIC], "inner.test": ["10.0.0.5"]}
        await lab.serve_http(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        await lab.serve_http(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", at=("10.0.0.5", 80))
        await lab.serve_echo()
        for host in ("evil.test", "inner.test", "good.test"):
            assert b"200 OK" in await lab.ask(f"GET http://{host}/ HTTP/1.1\r\n\r\n".encode())
        reader, writer, _ = await lab.tunnel("good.test:443", b"no TLS at all")
        assert await reader.readexactly(13) == b"no TLS at all"
        writer.close()
        seen = [(event["host"], event["verdict"], event["rule"]) for event in lab.events]
        assert seen == [
            ("evil.test", "observe", "network.default[deny]"),
            ("inner.test", "observe", "network.default[deny]"),
            ("inner.test", "observe", "network.local[deny]"),
            ("good.test", "allow", "network.allow_domains[good.test]"),
            ("good.test", "allow", "network.allow_domains[good.test]"),
            ("good.test", "observe", ""),
        ]


async def test_observing_still_refuses_what_is_no_http(egress, tmp_path):
    async with egress.Lab(tmp_path, mode="observe") as lab:
        request = (
            b"POST http://good.test/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        assert (await lab.ask(request)).startswith(b"HTTP/1.1 400 ")
        assert lab.dials == []


async def test_idle_connections_end(egress, tmp_path):
    async with egress.Lab(tmp_path, limits={"idle_s": 1}) as lab:
        await lab.serve_echo(at=(egress.PUBLIC, 22))
        reader, writer, _ = await lab.tunnel("raw.test:22")
        assert await echo_works(reader, writer)
        assert await egress.closed(reader, 4) in (b"", b"<reset>")
        writer.close()
