"""Run by test_egress_network.py inside private user, mount and network namespaces: `egress_world.py FOLDER`.

A host with real public addresses on its loopback, a real proxy process, and inside a second, empty network
namespace the bridge with a client that tries everything. Prints what each attempt came to, as JSON.
"""

import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
from pathlib import Path

ADDRESSES = ("203.0.113.10", "203.0.113.66")
CLIENT = """
import http.client, json, socket, ssl, sys

context = ssl.create_default_context(cafile=sys.argv[1])

def https(host, sni=None):
    tunnel = socket.create_connection(("127.0.0.1", 3128), 5)
    tunnel.sendall(f"CONNECT {host}:443 HTTP/1.1\\r\\n\\r\\n".encode())
    answer = b""
    while not answer.endswith(b"\\r\\n\\r\\n"):
        piece = tunnel.recv(1)
        if not piece:
            raise OSError(answer)
        answer += piece
    if b" 200 " not in answer:
        raise OSError(answer)
    secure = context.wrap_socket(tunnel, server_hostname=sni or host)
    secure.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
    return secure.makefile("rb").read().endswith(b"hello")

def http_get(url):
    connection = http.client.HTTPConnection("127.0.0.1", 3128, timeout=5)
    connection.request("GET", url)
    return connection.getresponse().read() == b"hello"

def direct(kind, address, port):
    with socket.socket(socket.AF_INET, kind) as raw:
        raw.settimeout(2)
        raw.connect((address, port))
        raw.send(b"x")
    return True

ATTEMPTS = {
    "https good.test": lambda: https("good.test"),
    "http good.test": lambda: http_get("http://good.test/"),
    "https evil.test": lambda: https("evil.test"),
    "http evil.test": lambda: http_get("http://evil.test/"),
    "tls to evil.test through a tunnel to good.test": lambda: https("good.test", "evil.test"),
    "http to a name that leads to loopback": lambda: http_get("http://inner.test/"),
    "http 127.0.0.1": lambda: http_get("http://127.0.0.1/"),
    "http 2130706433": lambda: http_get("http://2130706433/"),
    "http to the address of good.test": lambda: http_get("http://203.0.113.10/"),
    "tcp without the proxy": lambda: direct(socket.SOCK_STREAM, "203.0.113.10", 443),
    "udp": lambda: direct(socket.SOCK_DGRAM, "203.0.113.10", 53),
}

def attempt(action):
    try:
        return bool(action())
    except OSError:
        return False

print(json.dumps({name: attempt(action) for name, action in ATTEMPTS.items()}))
"""


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        pass


def serve(address, port, certificate=None):
    server = http.server.ThreadingHTTPServer((address, port), Hello)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def attempts(folder, config):
    """Start the proxy from one configuration and let the client try everything from within."""
    reading, writing = os.pipe()
    command = [
        sys.executable,
        "-m",
        "tappass_host.dataplane.egress",
        "--config",
        str(config),
        "--ready-fd",
        str(writing),
    ]
    with subprocess.Popen(command, pass_fds=(writing,), stderr=subprocess.DEVNULL) as proxy:
        os.close(writing)
        with os.fdopen(reading) as ready:
            socket_path = json.loads(ready.readline())["unix"]
        bridge = Path(sys.argv[2])
        inside = f"ip link set lo up && exec {sys.executable} -I -S {bridge} --listen 127.0.0.1:3128 --to {socket_path} -- "
        script = inside + f"{sys.executable} -I {folder}/client.py {folder}/lab.pem"
        done = subprocess.run(
            ["unshare", "-n", "sh", "-c", script], capture_output=True, timeout=60, check=False
        )
        proxy.terminate()
    if done.returncode:
        sys.exit(done.stderr.decode())
    return json.loads(done.stdout)


def main(folder):
    for address in ADDRESSES:
        subprocess.run(["ip", "addr", "add", f"{address}/32", "dev", "lo"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    (folder / "hosts").write_text("203.0.113.10 good.test\n203.0.113.66 evil.test\n127.0.0.1 inner.test\n")
    subprocess.run(["mount", "--bind", folder / "hosts", "/etc/hosts"], check=True)
    (folder / "client.py").write_text(CLIENT)
    for address in ADDRESSES:
        serve(address, 443, folder / "lab.pem")
        serve(address, 80)
    serve("127.0.0.1", 80)
    results = {name: attempts(folder, folder / f"{name}.json") for name in ("policy", "control")}
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
