"""Attack 17: somebody else talks to the proxy of a sandbox."""

import os

import pytest

BROWSER = b"POST /x HTTP/1.1\r\nHost: %s\r\nOrigin: https://evil.test\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


def listen_tcp(tmp_path):
    token = tmp_path / "token"
    token.write_text("s3cret")
    token.chmod(0o600)
    return {"tcp": "127.0.0.1:0", "token_ref": f"file:{token}"}


@pytest.mark.parametrize("host", [b"127.0.0.1:3128", b"good.test", b"rebound.evil.test"])
@pytest.mark.parametrize("credentials", [b"", b"Proxy-Authorization: Bearer s3cret\r\n"])
async def test_17_a_page_in_a_browser_posts_to_the_listener(egress, tmp_path, host, credentials):
    async with egress.Lab(tmp_path, listen=listen_tcp(tmp_path)) as lab:
        request = (BROWSER % host).replace(b"Origin", credentials + b"Origin")
        assert (await lab.ask(request)).startswith(b"HTTP/1.1 403 ")
        assert lab.dials == []


async def test_17_another_process_has_no_token(egress, tmp_path):
    async with egress.Lab(tmp_path, listen=listen_tcp(tmp_path)) as lab:
        await lab.serve_http(OK)
        for request in (b"GET http://good.test/ HTTP/1.1\r\n\r\n", b"CONNECT good.test:443 HTTP/1.1\r\n\r\n"):
            assert (await lab.ask(request)).startswith(b"HTTP/1.1 407 ")
        assert lab.dials == []


async def test_17_control_the_token_opens_and_goes_no_further(egress, tmp_path):
    async with egress.Lab(tmp_path, listen=listen_tcp(tmp_path)) as lab:
        await lab.serve_http(OK)
        answer = await lab.ask(
            b"GET http://good.test/ HTTP/1.1\r\nProxy-Authorization: Bearer s3cret\r\n\r\n"
        )
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"s3cret" not in b"".join(lab.received)
        assert b"s3cret" not in repr(lab.events).encode()


async def test_17_another_uid_on_the_unix_socket(egress, tmp_path):
    listen = {"unix": str(tmp_path / "egress.sock"), "uids": [os.geteuid() + 4242]}
    async with egress.Lab(tmp_path, listen=listen) as lab:
        await lab.serve_http(OK)
        answer = await lab.ask(b"GET http://good.test/ HTTP/1.1\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert lab.dials == []
        assert lab.events[0]["why"] == "this socket belongs to another user"


async def test_17_a_flood_of_connections_stays_within_its_limit(egress, tmp_path):
    async with egress.Lab(tmp_path, limits={"connections": 8, "handshake_s": 20}) as lab:
        open_ones = [await lab.connect() for _ in range(60)]
        assert lab.proxy.open_visits() <= 8
        assert (await lab.ask(b"")).startswith(b"HTTP/1.1 503 ")
        for _, writer in open_ones:
            writer.close()
