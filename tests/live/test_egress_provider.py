"""The egress proxy as rendered, behind a real sandbox: every place it claims, with both controls."""

import json
import textwrap
from datetime import UTC, datetime, timedelta

import pytest

from tappass_host.policy.model import Credentials, Filesystem, Network, Secret
from tappass_host.prove.lab import UPSTREAM, Command
from tappass_host.providers.host.egress_proxy import provider, target
from tappass_host.sdk.claims import Reach

pytestmark = pytest.mark.live

PROVEN = set()

# What a program with a proxy in its environment does: plain HTTP by absolute form, all else by CONNECT.
CLIENT = textwrap.dedent("""
    import os, socket, sys, urllib.parse
    def ask(way, target, headers=""):
        host, _, port = target.rpartition(":")
        proxy = urllib.parse.urlsplit(os.environ.get("HTTP_PROXY", f"//{host}:{port}"))
        with socket.create_connection((proxy.hostname, proxy.port), 5) as s:
            s.settimeout(5)
            direct = "HTTP_PROXY" not in os.environ
            line = f"CONNECT {target}" if way == "connect" else "GET /" if direct else f"GET http://{target}/"
            if not (direct and way == "connect"):
                s.sendall(f"{line} HTTP/1.1\\r\\nHost: {target}\\r\\n{headers}Connection: close\\r\\n\\r\\n".encode())
            answer = b"HTTP/1.1 200" if direct and way == "connect" else s.recv(65536)
            if way == "connect" and b" 200" in answer[:13]:
                s.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
                answer = s.recv(65536)
            while piece := s.recv(65536): answer += piece
        return answer.decode(errors="replace")
    for way, target, *headers in eval(sys.argv[1]):
        try: answer = ask(way, target, *headers)
        except OSError as e: answer = f"failed {e!r}"
        print((answer.split(" ", 2)[1] if answer.startswith("HTTP") else answer) + " " + answer.rpartition("\\r\\n\\r\\n")[2].split("\\n")[0])
""")
# Answers with the header it was sent.
ECHO = textwrap.dedent("""
    import http.server, sys
    class Echo(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = ("saw " + self.headers.get("Authorization", "nothing")).encode()
            self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
            self.wfile.write(body)
        def log_message(self, *_): pass
    server = http.server.HTTPServer((sys.argv[1], int(sys.argv[2])), Echo)
    print("up", flush=True)
    server.serve_forever()
""")


def proves(probe):
    """Mark the test that stands for a probe of the provider's claims."""
    PROVEN.add(f"egress-proxy/{probe}")
    return lambda test: test


@pytest.fixture
def ask(bench):
    """Requests behind the proxy of a policy, and the same ones without it."""

    def asked(requests, *, hosts, ports=(80,), extra=(), options=None, **fields):
        filesystem = Filesystem(workspace=str(bench.world.workspace), read_only=("/usr",))
        stage = bench.stage("kernel", "egress", filesystem=filesystem, options=options, **fields)
        lab = {"hosts": hosts, "ports": ports, "extra": extra}
        return bench.inside(stage, CLIENT, repr(requests), **lab), bench.bare(CLIENT, repr(requests), **lab)

    return asked


def codes(lines):
    return [line.split(" ")[0] for line in lines]


@proves("domains")
def test_domains(ask):
    network = Network(
        allow_domains=("*.wild.test", "exact.test", "port.test:8080"),
        deny_domains=("bad.wild.test",),
        deny_categories=("tunnels",),
        category_domains={"tunnels": ("tunnel.wild.test",)},
        allow_cidrs=(f"{UPSTREAM}/32:8080",),
    )
    permitted = ["exact.test:80", "a.wild.test:80", "b.a.wild.test:80", f"{UPSTREAM}:8080"]
    denied = [
        "wild.test:80",
        "bad.wild.test:80",
        "tunnel.wild.test:80",
        "other.test:80",
        "exact.test:8080",
        "port.test:80",
        "notexact.test:80",
        f"{UPSTREAM}:80",
    ]
    hosts = [t.rpartition(":")[0] for t in (*permitted[:3], *denied[:7]) if not t[0].isdigit()]
    requests = [("get", target) for target in (*permitted, *denied)]
    behind, bare = ask(
        requests, hosts=dict.fromkeys((*hosts, "port.test")), ports=(80, 8080), network=network
    )
    assert codes(bare) == ["200"] * len(requests)
    assert codes(behind) == ["200"] * len(permitted) + ["403"] * len(denied), behind


def test_what_is_no_tls_is_tunnelled_to_a_listed_port_only(ask):
    network = Network(allow_domains=("opaque.test:8080", "plain.test"))
    requests = [("connect", "opaque.test:8080"), ("connect", "plain.test:443"), ("connect", "plain.test:80")]
    behind, bare = ask(requests, hosts=["opaque.test", "plain.test"], ports=(80, 443, 8080), network=network)
    assert codes(bare) == ["200"] * 3
    assert behind[0].startswith("200")
    assert "answered" not in behind[1] + behind[2]


@proves("default")
def test_default(ask):
    requests = [("get", "unlisted.test:80")]
    closed, bare = ask(requests, hosts=["unlisted.test"], network=Network())
    assert (codes(closed), codes(bare)) == (["403"], ["200"])


def test_a_denial_names_policy_rule_and_host(ask):
    network = Network(allow_domains=("*.wild.test",), deny_domains=("bad.wild.test",))
    lines, _ = ask([("get", "bad.wild.test:80")], hosts=["bad.wild.test"], network=network)
    assert "bad.wild.test" in lines[0]


@proves("local")
def test_local(ask):
    """A name may be allowed, an address in this machine or beside it still is not, in whatever spelling."""
    places = ["127.0.0.1:80", "2130706433:80", "0x7f000001:80", "169.254.169.254:80", "localhost:80"]
    requests = [("get", place) for place in places]
    network = Network(allow_domains=("exact.test",))
    behind, _ = ask(requests, hosts=["exact.test"], network=network)
    assert codes(behind) == ["403"] * len(places)
    opened, bare = ask(requests, hosts=["exact.test"], network=Network(local="allow"))
    assert codes(opened) == ["200"] * len(places)
    assert codes(bare)[0] == "200"


@proves("expiry")
def test_expiry(ask):
    now = datetime.now(UTC)
    past, future = ((now + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ") for hours in (-1, 1))
    fields = {"network": Network(allow_domains=("exact.test",)), "hosts": ["exact.test"]}
    requests = [("get", "exact.test:80")]
    assert codes(ask(requests, expires_at=past, **fields)[0]) == ["403"]
    assert codes(ask(requests, expires_at=future, **fields)[0]) == ["200"]
    # A policy that is retained goes on until then.
    retained = {"on_expiry": "retain", "retain_until": future, "expires_at": past}
    assert codes(ask(requests, **retained, **fields)[0]) == ["200"]


@proves("secrets")
def test_secrets(ask, bench):
    """The sandbox sends what it holds; only requests to the secret's own domains leave with the secret."""
    place = bench.root / "token"
    place.write_text("THE-SECRET\n")
    place.chmod(0o600)
    secret = Secret(env="TOKEN", ref=f"file:{place}", domains=("api.test:8080",))
    headers = "Authorization: Bearer tappass-placeholder-TOKEN\r\n"
    requests = [("get", "api.test:8080", headers), ("get", "other.test:8081", headers)]
    echo = [
        Command(argv=("/usr/bin/python3", "-I", "-c", ECHO, UPSTREAM, port), env={}, cwd="/", background=True)
        for port in ("8080", "8081")
    ]
    behind, bare = ask(
        requests,
        hosts=["api.test", "other.test"],
        extra=echo,
        network=Network(allow_domains=("api.test:8080", "other.test:8081")),
        credentials=Credentials(secrets=(secret,)),
    )
    assert behind == ["200 saw Bearer THE-SECRET", "200 saw Bearer tappass-placeholder-TOKEN"]
    assert bare == ["200 saw Bearer tappass-placeholder-TOKEN"] * 2


def test_observing_lets_through_and_records(bench):
    """Without the sandbox around it, which observes nothing: what is denied gets through, and is written down."""
    stage = bench.stage("egress", network=Network(), mode="observe")
    (proxy,) = stage.services()
    socket_path = json.loads(stage.path("egress", "egress").read_bytes())["listen"]["unix"]
    client = (
        "import socket, sys\ns = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect(sys.argv[1])\n"
        "s.sendall(b'GET http://unlisted.test/ HTTP/1.1\\r\\nHost: unlisted.test\\r\\nConnection: close\\r\\n\\r\\n')\n"
        "print(s.recv(65536).split(b' ')[1].decode())"
    )
    assert bench.bare(client, socket_path, extra=[proxy], hosts=["unlisted.test"]) == ["200"]
    enforcing = bench.stage("egress", network=Network())
    assert bench.bare(client, socket_path, extra=enforcing.services(), hosts=["unlisted.test"]) == ["403"]


def test_the_proxy_takes_what_is_rendered(bench):
    stage = bench.stage("egress", network=Network(allow_domains=("exact.test",)))
    assert target.validate({"run/default/egress.json": stage.path("egress", "egress").read_bytes()}) == []


def test_every_claimed_place_is_tried():
    claimed = {r.evidence.probe for r in vars(provider).values() if isinstance(r, Reach)}
    assert claimed == PROVEN
