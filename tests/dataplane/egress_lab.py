"""A running egress proxy in a small world of its own: a name service, a dialler, real servers on loopback.

The resolver gives public addresses (TEST-NET, never routed); the dialler maps them to loopback ports.
So `local: deny` stays in force, and every look-up and every dial is on record.
"""

import asyncio
import datetime as dt
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

import msgspec

from tappass_host.dataplane.egress.server import EgressProxy
from tappass_host.sdk.configs.egress import EgressConfig, decode

PUBLIC = "203.0.113.10"
OTHER_PUBLIC = "203.0.113.66"
BASE = {
    "schema": "tappass.egress-proxy/v1",
    "policy": {"digest": "sha256:" + "ab" * 32, "version": 7, "expires_at": "2099-01-01T00:00:00Z"},
    "sandbox": "sb-1",
    "mode": "enforce",
    "listen": {"unix": "/nowhere"},
    "default": "deny",
    "allow": ["*.example.com", "good.test", "api.x.test:8443", "raw.test:22"],
    "deny": ["bad.example.com"],
    "category_deny": [{"category": "webhooks", "domains": ["hooks.example.com"]}],
    "allow_cidrs": ["203.0.113.66/32", "198.51.100.0/24:9000"],
    "local": "deny",
    "opaque": ["raw.test:22"],
    "limits": {"handshake_s": 2},
}


def config(**changes: object) -> EgressConfig:
    """The base configuration with top-level fields replaced, as it would come off the disk."""
    return decode(msgspec.json.encode({**BASE, **changes}))


def client_hello(
    names: tuple[bytes, ...] | None = (b"good.test",),
    *,
    extensions: tuple[tuple[int, bytes], ...] = (),
    name_kind: int = 0,
    tail: bytes = b"",
) -> bytes:
    """A handshake message; `names=None`: without the server_name extension."""
    listed = list(extensions)
    if names is not None:
        entries = b"".join(bytes([name_kind]) + len(n).to_bytes(2) + n for n in names)
        listed.insert(0, (0, len(entries).to_bytes(2) + entries))
    block = b"".join(kind.to_bytes(2) + len(data).to_bytes(2) + data for kind, data in listed)
    body = (
        b"\x03\x03"
        + bytes(32)
        + b"\x00"
        + b"\x00\x02\x13\x01"
        + b"\x01\x00"
        + len(block).to_bytes(2)
        + block
        + tail
    )
    return b"\x01" + len(body).to_bytes(3) + body


def records(message: bytes, size: int = 2**14) -> bytes:
    """The message cut into TLS records of at most `size` bytes."""
    pieces = [message[i : i + size] for i in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + len(p).to_bytes(2) + p for p in pieces)


def self_signed(folder: Path, *names: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a server with a fresh certificate and of a client that trusts it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "lab")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "lab.pem"
    plain = serialization.NoEncryption()
    encoded = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    pem.write_bytes(encoded + certificate.public_bytes(serialization.Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    client = ssl.create_default_context(cafile=str(pem))
    return server, client


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Lab:
    """Use as `async with Lab(tmp_path) as lab`.

    Args:
        folder: where sockets go.
        changes: fields of the configuration that differ from BASE.
    """

    def __init__(self, folder: Path, **changes: object) -> None:
        self.folder = folder
        listen = changes.pop("listen", {"unix": str(folder / "egress.sock")})
        self.config = config(listen=listen, **changes)
        self.names: dict[str, list[str]] = {
            "good.test": [PUBLIC],
            "a.example.com": [PUBLIC],
            "raw.test": [PUBLIC],
        }
        self.routes: dict[tuple[str, int], int] = {}
        self.events: list[dict[str, object]] = []
        self.lookups: list[str] = []
        self.dials: list[tuple[str, int]] = []
        self.received: list[bytes] = []
        self.options: dict[str, object] = {}
        self.record: Callable[[dict[str, object]], None] = self.events.append
        self._servers: list[asyncio.Server] = []
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        options = {
            "record": self._note,
            "resolve": self._resolve,
            "dial": self._dial,
            **self.options,
        }
        self.proxy = EgressProxy(self.config, **options)
        self.bound = await self.proxy.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.proxy.close()
        for one in (*self._servers, *self._writers):
            one.close()
        await asyncio.sleep(0.01)  # connections close in the next turns of the loop

    def _note(self, event: dict[str, object]) -> None:
        self.record(event)  # looked up at each call: a test may break it half-way

    async def _resolve(self, host: str) -> list[str]:
        self.lookups.append(host)
        if host not in self.names:
            raise OSError("no such name")
        return self.names[host]

    async def _dial(self, make: Callable[[], asyncio.BaseProtocol], address: str, port: int) -> object:
        self.dials.append((address, port))
        if (address, port) not in self.routes:
            raise ConnectionRefusedError("nothing there")
        target = self.routes[address, port]
        _, channel = await asyncio.get_running_loop().create_connection(make, "127.0.0.1", target)
        return channel

    async def serve(
        self, handler: Handler, *, at: tuple[str, int], tls: ssl.SSLContext | None = None
    ) -> None:
        """Run a server and let a public address lead to it."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._writers.append(writer)
            await handler(reader, writer)

        server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
        self._servers.append(server)
        self.routes[at] = server.sockets[0].getsockname()[1]

    async def serve_http(self, *answers: bytes, at: tuple[str, int] = (PUBLIC, 80)) -> None:
        """A server that reads one request, keeps it in `received`, and sends the answers."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            data = b""
            while b"\r\n\r\n" not in data and (piece := await reader.read(65536)):
                data += piece
            self.received.append(data)
            for answer in answers:
                writer.write(answer)
                await asyncio.sleep(0)
            while piece := await reader.read(65536):
                self.received[-1] += piece
            writer.close()

        await self.serve(handle, at=at)

    async def serve_echo(
        self, at: tuple[str, int] = (PUBLIC, 443), tls: ssl.SSLContext | None = None
    ) -> None:
        """A server that sends back whatever comes, and keeps it."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.received.append(b"")
            while data := await reader.read(65536):
                self.received[-1] += data
                writer.write(data)
            writer.close()

        await self.serve(handle, at=at, tls=tls)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if "unix" in self.bound:
            reader, writer = await asyncio.open_unix_connection(self.bound["unix"])
        else:
            host, _, port = self.bound["tcp"].rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
        self._writers.append(writer)
        return reader, writer

    async def ask(self, data: bytes, wait_s: float = 5) -> bytes:
        """Send bytes, read until the proxy closes."""
        reader, writer = await self.connect()
        writer.write(data)
        try:
            async with asyncio.timeout(wait_s):
                return await reader.read(-1)
        except ConnectionResetError:
            return b"<reset>"
        finally:
            writer.close()

    async def tunnel(
        self, target: str, first: bytes = b"", head: str = ""
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
        """CONNECT and, if that worked, send `first`; the third value is the head of the proxy's answer."""
        reader, writer = await self.connect()
        writer.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{head}\r\n".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        if answer.startswith(b"HTTP/1.1 200"):
            writer.write(first)
        return reader, writer, answer

    def verdicts(self) -> list[str]:
        return [str(event["verdict"]) for event in self.events]


async def closed(reader: asyncio.StreamReader, wait_s: float = 5) -> bytes:
    """What still arrives until the connection ends."""
    async with asyncio.timeout(wait_s):
        try:
            return await reader.read(-1)
        except ConnectionResetError:
            return b"<reset>"
