"""The forwarder inside a sandbox, run as it is run there: alone, by `python -I -S`."""

import contextlib
import ctypes
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import tappass_host.dataplane

BRIDGE = str(Path(tappass_host.dataplane.__file__).with_name("bridge.py"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def argv(pairs, command):
    options = [word for port, path in pairs for word in ("--listen", f"127.0.0.1:{port}", "--to", str(path))]
    return [sys.executable, "-I", "-S", BRIDGE, *options, "--", *command]


def python(code):
    return [sys.executable, "-I", "-c", code]


@pytest.fixture
def server(tmp_path):
    """A unix socket; each connection gets a handler thread. Yields `(path, handlers)`; the last handler is used."""
    path = tmp_path / "egress.sock"
    handlers = [echo]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(128)

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=quietly, args=(handlers[-1], connection), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield path, handlers
        listener.shutdown(socket.SHUT_RDWR)


def quietly(handler, connection):
    with connection, contextlib.suppress(OSError):  # a test that leaves early is no fault of the server
        handler(connection)


def echo(connection):
    with connection:
        while data := connection.recv(65536):
            connection.sendall(data)


def count(connection):
    total = 0
    with connection:
        while data := connection.recv(65536):
            total += len(data)
        connection.sendall(b"%d" % total)


@pytest.fixture
def bridged(server):
    """A bridge whose command waits until it is told to end; yields port, socket path and handlers."""
    path, handlers = server
    port = free_port()
    command = argv([(port, path)], python("import sys; sys.stdin.read()"))
    with subprocess.Popen(command, stdin=subprocess.PIPE) as running:
        try:
            wait_for(lambda: talks(port))
            yield port, path, handlers
        finally:
            running.stdin.close()
            running.wait(5)
    wait_for(lambda: not forwarders(path))


def talks(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def wait_for(condition, limit_s=5.0):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def forwarders(path):
    """Process ids of forwarders: leaders of their own sessions, with the bridge's command line still."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        pid = int(entry.parent.name)
        try:
            line = entry.read_bytes()
            leads = os.getsid(pid) == pid
        except OSError:
            continue
        if leads and BRIDGE.encode() in line and str(path).encode() in line:
            found.append(pid)
    return found


def the_forwarder(path):
    """Its process id, as soon as it is there: the port is bound a moment before."""
    wait_for(lambda: len(forwarders(path)) == 1)
    return forwarders(path)[0]


def call(port, data, *, end=True):
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(data)
        if end:
            connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("code", [0, 1, 7, 255])
def test_the_exit_code_is_the_commands(server, code):
    done = subprocess.run(
        argv([(free_port(), server[0])], python(f"raise SystemExit({code})")), timeout=10, check=False
    )
    assert done.returncode == code


def test_the_command_has_our_pid_our_pipes_and_no_child(server):
    code = "import os; print(os.getpid()); print(open('/proc/self/stat').read().split()[5])\nprint(input())\ntry: os.wait()\nexcept ChildProcessError: print('alone')"
    process = subprocess.Popen(
        argv([(free_port(), server[0])], python(code)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    output, _ = process.communicate("typed\n", timeout=10)
    assert output.split() == [str(process.pid), str(os.getsid(0)), "typed", "alone"]


def test_signals_reach_the_command(server):
    code = "import signal,sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(42)); print('up', flush=True); signal.pause()"
    with subprocess.Popen(argv([(free_port(), server[0])], python(code)), stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"up\n"
        process.terminate()
        assert process.wait(5) == 42


def test_death_by_signal_is_seen_as_such(server):
    code = "import os; os.kill(os.getpid(), 9)"
    done = subprocess.run(argv([(free_port(), server[0])], python(code)), timeout=10, check=False)
    assert done.returncode == -signal.SIGKILL


def test_no_signal_is_left_ignored(server):
    command = ["/bin/grep", "SigIgn", "/proc/self/status"]
    bare = subprocess.run(command, capture_output=True, check=True).stdout
    done = subprocess.run(
        argv([(free_port(), server[0])], command), capture_output=True, timeout=10, check=True
    )
    assert done.stdout == bare


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_bytes_pass_both_ways(bridged, size):
    port, _, _ = bridged
    data = os.urandom(size)
    received = []
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        reading = threading.Thread(
            target=lambda: received.append(b"".join(iter(lambda: connection.recv(65536), b"")))
        )
        reading.start()
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        reading.join(10)
    assert received == [data]


def test_each_direction_closes_by_itself(bridged):
    port, _, handlers = bridged
    handlers.append(count)
    assert call(port, b"x" * 1_000_000) == b"1000000"


def test_a_server_that_closes_first_is_passed_on(bridged):
    port, _, handlers = bridged
    handlers.append(lambda connection: (connection.sendall(b"bye"), connection.close()))
    assert call(port, b"", end=False) == b"bye"


def test_an_answer_is_passed_on_though_the_server_left_without_reading(bridged):
    port, _, handlers = bridged
    handlers.append(lambda connection: (connection.recv(1), connection.sendall(b"no" * 1000)))
    for _ in range(20):
        assert call(port, b"x" * 1000, end=False) == b"no" * 1000


def test_many_connections_at_once(bridged):
    port, _, _ = bridged
    open_ones = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(100)]
    for number, connection in enumerate(open_ones):
        connection.sendall(b"%d" % number)
    assert [connection.recv(10) for connection in open_ones] == [b"%d" % number for number in range(100)]
    for connection in open_ones:
        connection.close()


def test_a_reader_that_stops_holds_back_the_writer_and_costs_no_time(bridged):
    port, path, _ = bridged
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.setblocking(False)
        sent = refused = 0
        while refused < 30 and sent < 200_000_000:
            try:
                sent += connection.send(bytes(65536))
                refused = 0
            except BlockingIOError:
                refused += 1
                time.sleep(0.01)
        assert sent < 200_000_000
        assert idles(the_forwarder(path))


def test_a_half_closed_connection_costs_no_time(bridged):
    port, path, handlers = bridged
    handlers.append(lambda connection: time.sleep(1))
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.shutdown(socket.SHUT_WR)
        assert idles(the_forwarder(path))


def idles(pid):
    """Less than 50 ms of processor time in 200 ms."""

    def ticks():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = ticks()
    time.sleep(0.2)
    return ticks() - before < 0.05 * os.sysconf("SC_CLK_TCK")


def test_the_forwarder_keeps_nothing_of_the_caller(server):
    path, _ = server
    port = free_port()
    reading, writing = os.pipe()
    process = subprocess.Popen(
        argv([(port, path)], python("input()")), stdin=subprocess.PIPE, stdout=writing, pass_fds=(writing,)
    )
    os.close(writing)
    wait_for(lambda: talks(port))
    the_forwarder(path)
    process.communicate(b"\n", timeout=5)
    assert os.read(reading, 1) == b""  # nobody else holds the pipe
    os.close(reading)
    wait_for(lambda: not forwarders(path))
    assert not talks(port)


def test_two_pairs_lead_to_two_places(tmp_path, server):
    path, _ = server
    other = tmp_path / "other.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(other))
        listener.listen()
        ports = free_port(), free_port()
        code = f"import socket\nfor p in {ports}:\n s=socket.create_connection(('127.0.0.1',p)); s.sendall(b'hi'); print(s.recv(9).decode())"

        def greet():
            listener.accept()[0].close()  # the probe at the start
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"other")

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        command = argv([(ports[0], path), (ports[1], other)], python(code))
        assert subprocess.run(command, capture_output=True, timeout=10, check=True).stdout.split() == [
            b"hi",
            b"other",
        ]
        thread.join(5)


FAULTS = {
    "no socket": (["--listen", "127.0.0.1:{port}", "--to", "/does/not/exist", "--", "{mark}"], 125),
    "not loopback": (["--listen", "0.0.0.0:{port}", "--to", "{path}", "--", "{mark}"], 125),
    "no port": (["--listen", "127.0.0.1", "--to", "{path}", "--", "{mark}"], 125),
    "no command": (["--listen", "127.0.0.1:{port}", "--to", "{path}", "--"], 2),
    "no pair": (["--", "{mark}"], 2),
    "option without value": (["--listen", "127.0.0.1:{port}", "--to", "--", "{mark}"], 2),
    "no such command": (["--listen", "127.0.0.1:{port}", "--to", "{path}", "--", "/does/not/exist"], 127),
    "a folder for a command": (["--listen", "127.0.0.1:{port}", "--to", "{path}", "--", "/tmp"], 126),
}


@pytest.mark.parametrize("case", FAULTS)
def test_without_what_it_needs_the_command_does_not_start(server, tmp_path, case):
    options, code = FAULTS[case]
    mark = tmp_path / "mark.sh"
    mark.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    mark.chmod(0o755)
    words = [word.format(port=free_port(), path=server[0], mark=mark) for word in options]
    done = subprocess.run(
        [sys.executable, "-I", "-S", BRIDGE, *words], capture_output=True, timeout=10, check=False
    )
    assert done.returncode == code
    assert b"Traceback" not in done.stderr
    assert done.stderr
    assert not (tmp_path / "started").exists()
    wait_for(lambda: not forwarders(server[0]))


def test_a_port_in_use_is_a_fault(server):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = argv([(taken.getsockname()[1], server[0])], ["/bin/true"])
        assert subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 125


def test_it_imports_next_to_nothing():
    code = (
        "import sys; before = set(sys.modules)\n"
        f"exec(compile(open({BRIDGE!r}).read(), 'bridge', 'exec'), {{'__name__': 'x'}})\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    command = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    loaded = set(done.stdout.split())
    assert loaded >= {"_socket", "select"}
    assert not loaded & {
        "socket",
        "selectors",
        "signal",
        "enum",
        "re",
        "typing",
        "threading",
        "argparse",
        "site",
    }


# Filters: classic BPF that answers EPERM to socket(AF_UNIX), on x86_64 and aarch64.
def no_unix_sockets():
    def op(code, value, true=0, false=0):
        return struct.pack("<HBBI", code, true, false, value)

    numbers = {"x86_64": 41, "aarch64": 198}
    return b"".join(
        [
            op(0x20, 0),
            op(0x15, numbers[os.uname().machine], false=3),
            op(0x20, 16),
            op(0x15, socket.AF_UNIX, false=1),
            op(0x06, 0x00050000 | 1),
            op(0x06, 0x7FFF0000),
        ]
    )


def filtered(server_path, port, code, data, tmp_path):
    """Run code behind a bridge that loads a filter, as bubblewrap starts it: without new privileges."""
    file = tmp_path / "filter"
    file.write_bytes(data)
    command = argv([(port, server_path)], python(code))
    with file.open("rb") as stream:
        command[4:4] = ["--filter", str(stream.fileno())]
        return subprocess.run(
            command,
            pass_fds=[stream.fileno()],
            preexec_fn=lambda: ctypes.CDLL(None).prctl(38, 1, 0, 0, 0),
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )


UNIX = "import socket\ntry: socket.socket(socket.AF_UNIX); print('made')\nexcept PermissionError: print('refused')\n"


@pytest.mark.parametrize(
    ("data", "said"), [(no_unix_sockets(), "refused"), (struct.pack("<HBBI", 6, 0, 0, 0x7FFF0000), "made")]
)
def test_a_filter_binds_the_command_and_not_the_forwarder(server, tmp_path, data, said):
    port = free_port()
    talk = f"s = socket.create_connection(('127.0.0.1', {port}), 5); s.sendall(b'hello'); print(s.recv(5).decode())"
    done = filtered(server[0], port, UNIX + talk, data, tmp_path)
    assert (done.stdout.split(), done.stderr) == ([said, "hello"], "")


@pytest.mark.parametrize("data", [b"", b"1234567", no_unix_sockets()[:-8], b"\0" * 8 * 4097])
def test_without_a_filter_that_the_kernel_takes_nothing_starts(server, tmp_path, data):
    done = filtered(server[0], free_port(), "print('started')", data, tmp_path)
    assert (done.returncode, done.stdout) == (125, "")
    wait_for(lambda: not forwarders(server[0]))


def test_the_command_cannot_see_the_filters_descriptor(server, tmp_path):
    code = "import os; print(len(os.listdir('/proc/self/fd')))"
    assert filtered(server[0], free_port(), code, no_unix_sockets(), tmp_path).stdout == "4\n"
