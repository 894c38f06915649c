"""Programs run with mapped paths; the machine stays as it was."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tappass_host.policy.errors import MissingTargetError
from tappass_host.prove.sandbox import run_mapped

ENV = {"PATH": "/usr/bin:/bin", "MARK": "set"}
WITHOUT_MOUNT_RIGHTS = """
import sys
from pathlib import Path
from tappass_host.prove.sandbox import run_mapped
source = Path(sys.argv[1])
done = run_mapped(["cat", "/etc/tappass-test/a"], binds={"/etc/tappass-test": source}, env={"PATH": "/usr/bin:/bin"}, cwd=source, timeout=10)
sys.stdout.write(done.stdout)
sys.stderr.write(done.stderr)
"""


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "managed"
    folder.mkdir()
    (folder / "a").write_text("mapped")
    return folder


@pytest.fixture
def shell(source):
    """Run a shell line with the folder mapped to a place that does not exist."""

    def run(line, **more):
        options = {"binds": {"/etc/tappass-test": source}, "env": ENV, "cwd": source, "timeout": 10, **more}
        return run_mapped(["sh", "-c", line], **options)

    return run


@pytest.mark.parametrize(
    ("line", "out"),
    [
        ("cat /etc/tappass-test/a", "mapped"),
        ("cat /etc/tappass-test/b 2>/dev/null || echo none", "none\n"),
        ("test -f /etc/passwd && echo there", "there\n"),
        ("echo x 2>/dev/null > /etc/tappass-test/new || echo refused", "refused\n"),
        ("echo $MARK$HOME; pwd | sed 's,.*/,,'", "set\nmanaged\n"),
        ("ls -d /proc/[0-9]* | wc -l | grep -qx '[1-9]' && echo own processes only", "own processes only\n"),
    ],
)
def test_what_the_program_sees(shell, line, out):
    done = shell(line)
    assert (done.rc, done.stdout, done.timed_out) == (0, out, False)


def test_real_folder_is_untouched(shell):
    before = sorted(Path("/etc").iterdir())
    shell("touch /etc/tappass-new")
    assert sorted(Path("/etc").iterdir()) == before


def test_existing_target_file_and_writable_source(shell, source, tmp_path):
    (tmp_path / "real").write_text("real")
    binds = {str(tmp_path / "real"): source / "a", "/etc/tappass-test/deep/file": source / "a"}
    line = f"cat {tmp_path}/real /etc/tappass-test/deep/file; echo new > {tmp_path}/real"
    assert shell(line, binds=binds, readonly=False).stdout == "mappedmapped"
    assert (source / "a").read_text() == "new\n"
    assert (tmp_path / "real").read_text() == "real"


@pytest.mark.parametrize(("line", "rc"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)])
def test_exit_code(shell, line, rc):
    assert shell(line).rc == rc


def test_streams_and_stdin(shell):
    done = shell("cat; echo err >&2", stdin="in")
    assert (done.stdout, done.stderr) == ("in", "err\n")


@pytest.mark.parametrize("ends", ["sleep 60", "exit 0"])
def test_nothing_outlives_the_run(shell, source, ends):
    line = f"(while :; do date +%N > {source}/beat; sleep 0.02; done) & setsid sleep 60 & {ends}"
    started = time.monotonic()
    done = shell(line, timeout=0.4)
    assert done.timed_out == (ends == "sleep 60")
    assert time.monotonic() - started < 5
    beat = (source / "beat").read_text()
    time.sleep(0.1)
    assert (source / "beat").read_text() == beat


def test_private_network_reaches_only_what_is_forwarded(shell, tmp_path):
    path = tmp_path / "up.sock"
    with socket.socket(socket.AF_UNIX) as listener, socket.create_server(("127.0.0.1", 0)) as host:
        listener.bind(str(path))
        listener.listen()

        def answer():
            peer, _ = listener.accept()
            with peer:
                peer.sendall(peer.recv(10).upper())

        thread = threading.Thread(target=answer)
        thread.start()
        connect = "import socket,sys; s=socket.create_connection(('127.0.0.1', int(sys.argv[1])), 2)"
        python = f'{sys.executable} -I -S -c "{connect}; '
        ask = python + "s.sendall(b'ping'); print(s.recv(10).decode())\" 4177; "
        reach = python + f'" {host.getsockname()[1]} 2>/dev/null || echo refused'
        done = shell(ask + reach, network=False, forwards={4177: path})
        thread.join(5)
    assert done.stdout == "PING\nrefused\n", done.stderr


@pytest.mark.parametrize("argv", [["no-such-program"], ["/etc/passwd"]])
def test_program_that_cannot_start(source, argv):
    with pytest.raises(MissingTargetError, match=f"cannot start {argv[0]}"):
        run_mapped(argv, binds={}, env=ENV, cwd=source, timeout=5)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_other_user(shell, tmp_path):
    done = shell("id -u; cat /proc/self/status | grep CapEff", user=(65534, 65534), cwd=Path("/"))
    assert done.stdout == "65534\nCapEff:\t0000000000000000\n"


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"), reason="the others run without rights anyway"
)
def test_without_the_right_to_mount(source):
    argv = [
        "setpriv",
        "--bounding-set",
        "-sys_admin",
        sys.executable,
        "-c",
        WITHOUT_MOUNT_RIGHTS,
        str(source),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr) == ("mapped", "")
