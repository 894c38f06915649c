import contextlib
import http.server
import socket
import ssl
import subprocess
import threading
import time

import pytest

from tappass_host.runners import http_get as module
from tappass_host.runners.calls import RefusedError
from tappass_host.runners.http_get import HttpGet
from tappass_host.sdk.configs.interpreter import HostFunction, Network


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append((self.headers["Host"], self.path, dict(self.headers)))
        status, headers, body = self.server.routes.get(self.path, (404, {}, b"nothing"))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def _serve(routes, context=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.routes, server.seen = routes, []
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    return server, thread


@pytest.fixture
def server():
    routes = {
        "/": (200, {"Content-Type": "text/plain; charset=iso-8859-1"}, b"hell\xf6"),
        "/big": (200, {}, b"x" * (module.MAX_BODY + 1)),
    }
    server, thread = _serve(routes)
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def port(server):
    return server.server_address[1]


def resolver(table):
    """A resolver that knows these names only, and counts look-ups."""

    def resolve(host, port, **_):
        resolve.asked.append(host)
        if host not in table:
            raise socket.gaierror(f"{host} unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in table[host]]

    resolve.asked = []
    return resolve


@pytest.fixture
def getter(port):
    """An `http_get` that may reach api.example.com at the server's port."""

    def make(*, table=None, **fields):
        fields = {"mode": "allowlist", "allow": (f"api.example.com:{port}",), "local": "allow"} | fields
        names = ("api.example.com", "evil.example.com", "example.com")
        return HttpGet(Network(**fields), resolve=resolver(table or {name: ["127.0.0.1"] for name in names}))

    return make


def test_an_allowed_name_is_fetched(getter, server, port):
    got = getter()(f"http://api.example.com:{port}/", {"X-Test": "1"})
    assert (got["status"], got["text"], got["url"]) == (200, "hell\xf6", f"http://api.example.com:{port}/")
    host, path, headers = server.seen[0]
    assert (host, path, headers["X-Test"]) == (f"api.example.com:{port}", "/", "1")


REFUSED = [
    ("other name", "http://evil.example.com:{port}/", {}),
    ("apex of a wildcard", "http://example.com:{port}/", {"allow": ("*.example.com:{port}",)}),
    ("other port", "http://api.example.com:1/", {}),
    ("no port named, default 80", "http://api.example.com/", {}),
    ("deny beats allow", "http://api.example.com:{port}/", {"deny": ("*.example.com",)}),
    ("network off", "http://api.example.com:{port}/", {"mode": "off"}),
    ("address not listed", "http://192.0.2.1/", {}),
    ("loopback under local deny", "http://127.0.0.1:{port}/", {"local": "deny"}),
    ("loopback listed, local deny", "http://127.0.0.1:{port}/", {"local": "deny", "allow_cidrs": ("127.0.0.1:{port}",)}),
    ("decimal loopback", "http://2130706433:{port}/", {"local": "deny"}),
    ("octal loopback", "http://0177.0.0.1:{port}/", {"local": "deny"}),
    ("short loopback", "http://127.1:{port}/", {"local": "deny"}),
    ("mapped loopback", "http://[::ffff:127.0.0.1]:{port}/", {"local": "deny"}),
    ("localhost", "http://localhost:{port}/", {"local": "deny", "allow": ("localhost:{port}",)}),
    ("metadata", "http://169.254.169.254/latest/", {"local": "deny"}),
    ("a name that resolves to loopback", "http://api.example.com:{port}/", {"local": "deny"}),
    ("trailing dot does not matter to deny", "http://api.example.com.:{port}/", {"deny": ("api.example.com",)}),
]  # fmt: skip


@pytest.mark.parametrize(("url", "fields"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_what_the_policy_does_not_allow_is_not_contacted(getter, server, port, url, fields):
    fields = {
        key: tuple(each.format(port=port) for each in value) if isinstance(value, tuple) else value
        for key, value in fields.items()
    }
    with pytest.raises(RefusedError):
        getter(**fields)(url.format(port=port))
    assert server.seen == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://api.example.com/",
        "file:///etc/passwd",
        "gopher://api.example.com/",
        "http://",
        "http:///etc/passwd",
        "http://api.example.com@evil.example.com/",
        "http://user:pass@api.example.com/",
        "http://evil.example.com\\.api.example.com/",
        "http://api.example.com:99999/",
        "http://api.example.com:port/",
        "http://[::1%25lo]/",
        "http://a b/",
        "//api.example.com/",
        "",
    ],
)
def test_odd_urls_are_no_urls(getter, server, url):
    with pytest.raises((ValueError, RefusedError)):
        getter()(url)
    assert server.seen == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil"},
        {"transfer-encoding": "chunked"},
        {"Proxy-Authorization": "x"},
        {"A": "b\r\nX: y"},
        {"A\r\nB": "c"},
        {"A": 1},
    ],
)
def test_headers_cannot_change_the_message(getter, server, port, headers):
    with pytest.raises((ValueError, TypeError)):
        getter()(f"http://api.example.com:{port}/", headers)
    assert server.seen == []


def test_a_path_cannot_smuggle_a_second_request(getter, server, port):
    getter()(f"http://api.example.com:{port}/a b\u2028\x7f?q=\xfc#frag")
    assert server.seen[0][1] == "/a%20b%E2%80%A8%7F?q=%C3%BC"
    getter()(f"http://api.example.com:{port}/x\r\nGET /y HTTP/1.1\r\nHost: z\r\n\r\n")
    assert len(server.seen) == 2
    assert "\n" not in server.seen[1][1]


def test_redirects_are_judged_anew(getter, server, port):
    server.routes |= {
        "/good": (302, {"Location": "/"}, b""),
        "/evil": (302, {"Location": f"http://evil.example.com:{port}/"}, b""),
        "/file": (302, {"Location": "file:///etc/passwd"}, b""),
        "/loop": (302, {"Location": "/loop"}, b""),
    }
    get = getter()
    assert get(f"http://api.example.com:{port}/good")["text"] == "hell\xf6"
    server.seen.clear()
    with pytest.raises(RefusedError):
        get(f"http://api.example.com:{port}/evil")
    assert [path for _, path, _ in server.seen] == ["/evil"]
    with pytest.raises(ValueError, match="only http"):
        get(f"http://api.example.com:{port}/file")
    with pytest.raises(OSError, match="redirects"):
        get(f"http://api.example.com:{port}/loop")


def test_a_redirect_to_an_address_is_judged_as_an_address(getter, server, port):
    server.routes["/out"] = (302, {"Location": "http://192.0.2.1/"}, b"")
    with pytest.raises(RefusedError, match="no range"):
        getter()(f"http://api.example.com:{port}/out")


def test_headers_do_not_follow_to_another_origin(getter, server, port):
    server.routes["/away"] = (302, {"Location": f"http://other.example.com:{port}/"}, b"")
    server.routes["/here"] = (302, {"Location": "/"}, b"")
    get = getter(
        allow=(f"*.example.com:{port}",),
        table={"api.example.com": ["127.0.0.1"], "other.example.com": ["127.0.0.1"]},
    )
    get(f"http://api.example.com:{port}/here", {"Authorization": "secret"})
    assert [h.get("Authorization") for _, _, h in server.seen] == ["secret", "secret"]
    server.seen.clear()
    get(f"http://api.example.com:{port}/away", {"Authorization": "secret"})
    assert [h.get("Authorization") for _, _, h in server.seen] == ["secret", None]


def test_the_connection_goes_to_an_address_that_was_judged(getter, server, port):
    """A name that answers with a forbidden address beside a good one; asked once only, so it cannot change its mind."""
    get = HttpGet(
        Network(mode="allowlist", allow=(f"api.example.com:{port}",)),
        resolve=resolver({"api.example.com": ["127.0.0.1", "10.0.0.1", "169.254.169.254"]}),
    )
    with pytest.raises(RefusedError, match="local address"):
        get(f"http://api.example.com:{port}/")
    assert server.seen == []
    resolve = resolver({"api.example.com": ["127.0.0.1"]})
    HttpGet(Network(mode="allowlist", allow=(f"api.example.com:{port}",), local="allow"), resolve=resolve)(
        f"http://api.example.com:{port}/"
    )
    assert resolve.asked == ["api.example.com"]


def test_too_large_a_response(getter, port):
    with pytest.raises(OSError, match="larger"):
        getter()(f"http://api.example.com:{port}/big")


def test_a_server_that_drips_is_cut_off(getter, monkeypatch):
    monkeypatch.setattr(module, "TOTAL_S", 0.5)
    listener = socket.create_server(("127.0.0.1", 0))

    def drip():
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            for _ in range(60):
                time.sleep(0.05)
                connection.sendall(b"x")

    thread = threading.Thread(target=drip)
    thread.start()
    port = listener.getsockname()[1]
    started = time.monotonic()
    with pytest.raises(OSError):
        getter(allow=(f"api.example.com:{port}",))(f"http://api.example.com:{port}/")
    assert time.monotonic() - started < 2
    thread.join()
    listener.close()


@pytest.fixture
def certificate(tmp_path):
    """A self-signed certificate for api.example.com."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    try:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=api.example.com",
             "-addext", "subjectAltName=DNS:api.example.com"],
            check=True, capture_output=True,
        )  # fmt: skip
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    return key, cert


def test_tls_is_verified_against_the_name(certificate):
    key, cert = certificate
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(cert, key)
    server, thread = _serve({"/": (200, {}, b"secure")}, theirs)
    port = server.server_address[1]
    network = Network(mode="allowlist", allow=(f"*.example.com:{port}",), local="allow")
    resolve = resolver({"api.example.com": ["127.0.0.1"], "other.example.com": ["127.0.0.1"]})
    ours = ssl.create_default_context(cafile=cert)
    try:
        get = HttpGet(network, resolve=resolve, context=ours)
        assert get(f"https://api.example.com:{port}/")["text"] == "secure"
        with pytest.raises(ssl.SSLCertVerificationError):
            get(f"https://other.example.com:{port}/")
        with pytest.raises(ssl.SSLCertVerificationError):
            HttpGet(network, resolve=resolve)(f"https://api.example.com:{port}/")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_inside_the_interpreter(run_code, server, port):
    declared = (HostFunction(name="http_get"),)
    code = f"http_get('http://127.0.0.1:{port}/')['text']"
    open_network = Network(mode="allowlist", local="allow")
    assert run_code(code, declared=declared, network=open_network).result == "hell\xf6"
    assert len(server.seen) == 1
    for network in (Network(), Network(mode="allowlist")):
        result = run_code(code, declared=declared, network=network)
        assert (result.status, result.error.type) == ("denied", "PermissionError")
        assert [(c.name, c.verdict) for c in result.calls] == [("http_get", "deny")]
    assert run_code(code, network=open_network).error.type == "NameError"
    assert len(server.seen) == 1


def test_observe_records_and_lets_through(run_code, server, port):
    declared = (HostFunction(name="http_get"),)
    result = run_code(f"http_get('http://127.0.0.1:{port}/')['status']", declared=declared, mode="observe")
    assert result.result == 200
    assert [c.verdict for c in result.calls] == ["observe", "allow"]
