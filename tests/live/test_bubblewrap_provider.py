"""bubblewrap as rendered, on the real program: every place it claims, and attacks on each, with both controls."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import msgspec
import pytest

import tappass_host.prove.probes
from tappass_host.policy.model import Credentials, Filesystem, Network, Process, Secret
from tappass_host.prove.lab import UPSTREAM
from tappass_host.providers.kernel.bubblewrap import provider, seccomp, target
from tappass_host.sdk.claims import Reach

pytestmark = pytest.mark.live

PROBES = Path(tappass_host.prove.probes.__file__).parent
AGENT = (PROBES / "agent.py").read_text()
STARTER = PROBES.parent / "start_inner.py"
PROVEN = set()

RENAME = (
    "import os, sys\ntry: os.rename(*sys.argv[1:]); print('renamed')\nexcept OSError as e: print(e.errno)"
)
READ = "import sys\ntry: print(open(sys.argv[1]).read())\nexcept OSError as e: print(e.errno)"
EPERM, ENOENT, EACCES, EBUSY, ENOSPC = "1", "2", "13", "16", "28"


def proves(probe):
    """Mark the test that stands for a probe of the provider's claims."""
    PROVEN.add(f"bubblewrap/{probe}")
    return lambda test: test


def code(text):
    return textwrap.dedent(text)


def both(bench, stage, attempts, **lab):
    """What became of each attempt, inside and without anything around it."""
    agent = f"import io, sys\nsys.stdin = io.StringIO({json.dumps(attempts)!r})\n{AGENT}"
    inside, bare = bench.inside(stage, agent, **lab), bench.bare(agent, **lab)
    return [[a if a["ok"] else a["text"] for a in map(json.loads, lines)] for lines in (inside, bare)]


def ran(said):
    return [isinstance(answer, dict) for answer in said]


@pytest.fixture
def ws(bench):
    return bench.world.workspace


def files(ws, **more):
    return Filesystem(**{"workspace": str(ws), "read_only": ("/usr",), **more})


def with_secret(ws):
    place = ws / "a/b/secret"
    place.mkdir(parents=True)
    (place / "key").write_text("TOP SECRET")
    return str(place)


def edit(stage, change, artifact="args"):
    """Render something else than the provider does: the negative control of an attack."""
    path = stage.path("kernel", artifact)
    words = path.read_bytes().split(b"\0")
    path.write_bytes(b"\0".join(change(words)))
    return stage


def without(*option):
    """Take one option out."""
    wanted = [word.encode() for word in option]

    def change(words):
        at = next(i for i in range(len(words)) if words[i : i + len(wanted)] == wanted)
        return words[:at] + words[at + len(wanted) :]

    return change


def inserted(*option):
    """Put one option in, after all mounts."""
    words_in = [word.encode() for word in option]

    def change(words):
        at = next(i for i in range(len(words)) if words[i : i + 2] == [b"--remount-ro", b"/dev"])
        return [*words[:at], *words_in, *words[at:]]

    return change


# Files.


@proves("files")
def test_files(bench, ws):
    secret = with_secret(ws)
    (ws / "vendor").mkdir()
    (ws / "vendor/lib").write_text("library")
    (ws / "note").write_text("note")
    (bench.root / "elsewhere").mkdir()
    (bench.root / "elsewhere/file").write_text("elsewhere")
    read_only = ("/usr", f"{ws}/vendor")
    stage = bench.stage("kernel", filesystem=files(ws, read_only=read_only, deny_paths=(secret,)))
    permitted = [
        ("read", f"{ws}/note"),
        ("write", f"{ws}/new"),
        ("move", f"{ws}/note", f"{ws}/moved"),
        ("read", f"{ws}/vendor/lib"),
    ]
    denied = [
        ("write", f"{ws}/vendor/lib"),
        ("write", f"{ws}/vendor/new"),
        ("read", f"{secret}/key"),
        ("write", f"{secret}/new"),
        ("move", f"{ws}/a", f"{ws}/c"),
        ("move", f"{ws}/vendor", f"{ws}/c"),
        ("read", f"{bench.root}/elsewhere/file"),
        ("write", f"{bench.root}/elsewhere/new"),
        ("read", "/etc/passwd"),
        ("write", "/usr/new"),
        ("write", "/new"),
        ("write", "/dev/new"),
    ]
    inside, bare = both(bench, stage, [*permitted, *denied])
    assert ran(bare) == [True] * len(bare)
    assert ran(inside) == [True] * len(permitted) + [False] * len(denied), inside


def test_nothing_inside_shows_what_is_denied_under_any_name(bench, ws):
    secret = with_secret(ws)
    walk = code("""
        import os
        for folder, folders, names in os.walk("/"):
            if folder == "/": folders[:] = [name for name in folders if name not in ("proc", "usr", "lib", "lib64")]
            for name in names:
                path = os.path.join(folder, name)
                try:
                    if os.path.isfile(path) and b"TOP SECRET" in open(path, "rb").read(64): print("seen at", folder)
                except OSError: pass
        print("walked")
    """)
    filesystem = files(ws, read_only=(f"{ws}/a", "/usr"), deny_paths=(secret,))
    assert bench.inside(bench.stage("kernel", filesystem=filesystem), walk) == ["walked"]
    opened = bench.stage("kernel", filesystem=msgspec.structs.replace(filesystem, deny_paths=()))
    assert bench.inside(opened, walk) == [f"seen at {secret}", "walked"]


def test_a_denied_folder_cannot_be_carried_off_for_the_next_run(bench, ws):
    """With pins the rename fails. Without them it works, and the next run finds nothing where it looks."""
    secret = with_secret(ws)
    filesystem = files(ws, deny_paths=(secret,))
    first = bench.stage("kernel", filesystem=filesystem)
    for above, beside in ((f"{ws}/a", f"{ws}/c"), (f"{ws}/a/b", f"{ws}/a/c")):
        assert bench.inside(first, RENAME, above, beside) == [EBUSY]
    for pin in (f"{ws}/a", f"{ws}/a/b"):
        edit(first, without("--bind", pin, pin))
    assert bench.inside(first, RENAME, f"{ws}/a", f"{ws}/c") == ["renamed"]
    second = bench.stage("kernel", filesystem=filesystem)
    assert bench.inside(second, READ, f"{ws}/c/b/secret/key") == ["TOP SECRET"]


def test_a_link_that_one_run_leaves_behind_opens_nothing_in_the_next(bench, ws):
    """Laid over a link, a read-only entry or a pin shows the folder of the host that the link leads to."""
    home = bench.world.home
    (home / ".git/hooks").mkdir(parents=True)
    (home / ".git/hooks/hook").write_text("HOOK")
    (home / "keys").mkdir()
    (home / "keys/key").write_text("KEY")
    # Something of the home is granted, so that the folder the link leads to exists inside.
    (home / "shown").write_text("shown")
    read_only = ("/usr", f"{home}/shown", f"{ws}/x/.git/hooks")
    filesystem = files(ws, read_only=read_only, deny_paths=(f"{ws}/x/keys",))
    plant = f"import os; os.symlink('../home', '{ws}/x'); print('planted')"
    assert bench.inside(bench.stage("kernel", filesystem=filesystem), plant) == ["planted"]
    second = bench.stage("kernel", filesystem=filesystem)
    hook, key = ".git/hooks/hook", "keys/key"
    for path in (f"{ws}/x/{hook}", f"{ws}/x/{key}", f"{home}/{hook}", f"{home}/{key}"):
        assert bench.inside(second, READ, path) == [ENOENT], path
    edit(second, inserted("--bind", f"{ws}/x", f"{ws}/x"))
    assert bench.inside(second, READ, f"{ws}/x/{key}") == ["KEY"]


def test_a_denied_path_that_does_not_exist_leaves_no_trace_on_the_host(bench, ws):
    filesystem = files(ws, deny_paths=(f"{ws}/later/secret", f"{ws}/**/.env"))
    stage = bench.stage("kernel", filesystem=filesystem)
    assert bench.inside(stage, "print('ran')") == ["ran"]
    assert not list(ws.iterdir())
    edit(stage, inserted("--tmpfs", f"{ws}/later/secret"))
    assert bench.inside(stage, "print('ran')") == ["ran"]
    assert (ws / "later/secret").is_dir()


def test_the_hosts_tmp_does_not_show_and_the_workspace_in_it_does(bench, ws):
    assert str(ws).startswith("/tmp/"), "pytest's folders lie there unless told otherwise"
    (ws / "note").write_text("NOTE")
    stage = bench.stage("kernel", filesystem=files(ws, read_write=("/tmp",)))
    listing = f"import os; print(os.listdir('/tmp')); print(open('{ws}/note').read()); open('/tmp/mine', 'w'); print('made')"
    assert bench.inside(stage, listing) == [f"['{ws.parts[2]}']", "NOTE", "made"]
    assert not Path("/tmp/mine").exists()
    for name in ("args", "bpf", "launch.json"):
        (bench.root / f"state/bubblewrap.{name}").touch()  # as an apply would have done
    shared = bench.stage(
        "kernel", filesystem=files(ws, read_write=("/tmp",)), options={"kernel": {"private_tmp": False}}
    )
    assert bench.inside(shared, "import os; print(len(os.listdir('/tmp')) > 0)") == ["True"]


# Network.


@proves("network")
def test_network(bench, ws):
    stage = bench.stage("kernel", filesystem=files(ws), network=Network())
    attempts = [
        ("connect", "allowed.test", "80"),
        ("connect", UPSTREAM, "80"),
        ("connect", "127.0.0.1", "80"),
        ("connect", "169.254.169.254", "80"),
        ("udp", UPSTREAM, "53"),
    ]
    inside, bare = both(bench, stage, attempts, hosts=["allowed.test"])
    assert ran(bare) == [True] * len(attempts)
    assert ran(inside) == [False] * len(attempts), inside
    # Names are not even asked for: there is nobody to ask.
    assert "gaierror" in inside[0]
    # The sandbox's own loopback is all there is.
    assert "ConnectionRefusedError" in inside[2]


RAW = code("""
    import socket, sys
    for family, kind in ((socket.AF_INET, socket.SOCK_RAW), (socket.AF_PACKET, socket.SOCK_RAW), (40, 1), (38, 5)):
        try: socket.socket(family, kind, 1 if family == 2 else 0); print("made")
        except OSError as e: print(e.errno)
""")


def test_sockets_that_no_network_namespace_holds_cannot_be_made(bench, ws):
    """ICMP, packets, AF_VSOCK (to a hypervisor, whatever the namespace) and AF_ALG."""
    sealed = bench.stage("kernel", filesystem=files(ws), network=Network())
    assert bench.inside(sealed, RAW) == [EPERM] * 4
    # Without a word about the network the filter says nothing of families.
    assert "made" in bench.inside(bench.stage("kernel", filesystem=files(ws)), RAW)


UNIX = code("""
    import socket, sys
    def tried(what, act):
        try: act(); print(what, "reached")
        except OSError as e: print(what, e.errno)
    def by_pair(path):
        one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        one.sendto(b"x", path)
    tried("stream", lambda: socket.socket(socket.AF_UNIX).connect(sys.argv[1]))
    tried("datagram", lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"x", sys.argv[2]))
    tried("pair", lambda: by_pair(sys.argv[2]))
    tried("own", lambda: socket.socketpair())
""")


@pytest.fixture
def listening(ws):
    """Sockets that a program outside left in the workspace."""
    with (
        socket.socket(socket.AF_UNIX) as stream,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagram,
    ):
        stream.bind(f"{ws}/s")
        stream.listen(8)
        datagram.bind(f"{ws}/d")
        yield f"{ws}/s", f"{ws}/d"


@pytest.mark.parametrize("uses", [("kernel",), ("kernel", "egress")], ids=["sealed", "with a proxy"])
def test_a_socket_in_a_granted_folder_is_out_of_reach(bench, ws, listening, uses):
    fields = {"filesystem": files(ws), "network": Network(allow_domains=("allowed.test",))}
    closed = bench.stage(*uses, **fields)
    assert bench.inside(closed, UNIX, *listening) == [
        f"stream {EPERM}",
        f"datagram {EPERM}",
        f"pair {EPERM}",
        "own reached",
    ]
    opened = bench.stage(*uses, **fields, options={"kernel": {"unix_sockets": True}})
    assert bench.inside(opened, UNIX, *listening) == [
        f"{kind} reached" for kind in ("stream", "datagram", "pair", "own")
    ]


MEMORY = code("""
    import os
    me = os.getpid()
    for pid in sorted(int(p) for p in os.listdir("/proc") if p.isdigit()):
        for name in (f"/proc/{pid}/mem", f"/proc/{pid}/task/{pid}/mem"):
            try: os.close(os.open(name, os.O_RDWR)); print("mine" if pid == me else "another's")
            except OSError as e: print(e.errno)
""")


def test_the_filter_is_not_got_round_through_the_memory_of_others(bench, ws):
    """bwrap's first process and the bridge's forwarder may make unix sockets; neither can be written to."""
    fields = {"filesystem": files(ws), "network": Network(allow_domains=("allowed.test",))}
    stage = bench.stage("kernel", "egress", **fields)
    said = bench.inside(stage, MEMORY)
    assert said.count("mine") == 2
    assert "another's" not in said
    edit(stage, without("--remount-ro", "/proc/1"))
    edit(stage, without("--tmpfs", "/proc/1"))
    assert "another's" in bench.inside(stage, MEMORY)


def test_an_allowed_host_is_reached_through_the_proxy_and_only_through_it(bench, ws):
    fields = {"filesystem": files(ws), "network": Network(allow_domains=("allowed.test",))}
    stage = bench.stage("kernel", "egress", **fields)
    attempts = [("connect", "allowed.test", "80"), ("connect", "other.test", "80"), ("udp", UPSTREAM, "53")]
    inside, bare = both(bench, stage, attempts, hosts=["allowed.test", "other.test"])
    assert ran(bare) == [True, True, True]
    assert ran(inside) == [True, False, False]
    assert " 403 " in inside[1]


# Identity, limits, environment.


@proves("identity")
def test_identity(bench, ws):
    stage = bench.stage("kernel", filesystem=files(ws), process=Process(run_as_uid=4321, run_as_gid=1234))
    who = "import os; print(os.getuid(), os.getgid())"
    assert bench.inside(stage, who) == ["4321 1234"]
    assert bench.bare(who) == [f"{os.getuid()} {os.getgid()}"]
    # On the host, files belong to whoever launched it: the claim is partial and says so.
    assert bench.inside(stage, f"open('{ws}/made', 'w'); print('made')") == ["made"]
    assert (ws / "made").stat().st_uid == os.getuid()


@proves("limits")
def test_limits(bench, ws):
    stage = bench.stage("kernel", filesystem=files(ws), process=Process(max_open_files=64, max_processes=32))
    inside, bare = both(bench, stage, [("open_files", "60"), ("open_files", "65")])
    assert (ran(inside), ran(bare)) == ([True, False], [True, True])
    limits = "import resource as r; print(r.getrlimit(r.RLIMIT_NOFILE), r.getrlimit(r.RLIMIT_NPROC))"
    assert bench.inside(stage, limits) == ["(64, 64) (32, 32)"]
    raised = "import resource as r\ntry: r.setrlimit(r.RLIMIT_NOFILE, (65, 65)); print('raised')\nexcept ValueError: print('held')"
    assert bench.inside(stage, raised) == ["held"]


ENVIRON = code("""
    import os
    seen = set()
    for pid in (p for p in os.listdir("/proc") if p.isdigit()):
        try: seen |= set(open(f"/proc/{pid}/environ", "rb").read().split(b"\\0"))
        except OSError: pass
    print(sorted(v.decode() for v in seen if b"=" in v))
""")


@proves("env")
def test_env(bench, ws):
    """Nothing of the launcher's environment is there, in no process that can be looked at."""
    secret = Secret(env="TOKEN", ref="vault:token")
    credentials = Credentials(hide_env=("AWS_KEY",), secrets=(secret,))
    stage = bench.stage("kernel", filesystem=files(ws), credentials=credentials)
    inside = json.loads(bench.inside(stage, ENVIRON)[0].replace("'", '"'))
    assert {text.partition("=")[0] for text in inside} <= {"TOKEN", "PWD", "LC_CTYPE"}
    assert "TOKEN=secret-of-vault:token" in inside
    assert "AWS_KEY=x" in bench.bare(ENVIRON, env={"AWS_KEY": "x"})[0]


@proves("placeholders")
def test_placeholders(bench, ws):
    place = bench.root / "github"
    place.write_text("THE-SECRET")
    place.chmod(0o600)
    credentials = Credentials(secrets=(Secret(env="TOKEN", ref=f"file:{place}", domains=("api.test",)),))
    fields = {
        "filesystem": files(ws),
        "network": Network(allow_domains=("api.test",)),
        "credentials": credentials,
    }
    show = "import os; print(os.environ['TOKEN'])"
    assert bench.inside(bench.stage("kernel", "egress", **fields), show) == ["tappass-placeholder-TOKEN"]
    handed = bench.stage("kernel", "egress", **fields, options={"kernel": {"hand_over_secrets": True}})
    assert bench.inside(handed, show) == [f"secret-of-file:{place}"]


# What every sandbox takes away.


def test_only_three_descriptors_reach_the_program(bench, ws):
    count = "import os; print(sorted(int(fd) for fd in os.listdir('/proc/self/fd'))[:-1])"
    fields = {"filesystem": files(ws), "network": Network(allow_domains=("allowed.test",))}
    for uses in (("kernel",), ("kernel", "egress")):
        assert bench.inside(bench.stage(*uses, **fields), count) == ["[0, 1, 2]"]


NAMESPACE = code("""
    import ctypes, os, platform
    libc = ctypes.CDLL(None, use_errno=True)
    NEWUSER, SIGCHLD = 0x10000000, 17
    clone = {"x86_64": 56, "aarch64": 220}[platform.machine()]
    pid = libc.syscall(clone, ctypes.c_ulong(NEWUSER | SIGCHLD), None, None, None, None)
    if not pid: os._exit(0)
    print("clone", 0 if pid > 0 else ctypes.get_errno())
    print("unshare", 0 if not libc.unshare(NEWUSER) else ctypes.get_errno())
""")


def test_no_user_namespace_can_be_made_inside(bench, ws):
    stage = bench.stage("kernel", filesystem=files(ws))
    assert bench.inside(stage, NAMESPACE) == [f"clone {ENOSPC}", f"unshare {EPERM}"]
    edit(edit(stage, without("--disable-userns")), without("--seccomp", "11"))
    assert bench.inside(stage, NAMESPACE) == ["clone 0", "unshare 0"]


CALLS = code("""
    import ctypes, json, sys
    libc = ctypes.CDLL(None, use_errno=True)
    for name, number in json.loads(sys.argv[1]):
        ctypes.set_errno(0)
        done = libc.syscall(number, *[ctypes.c_ulong(0)] * 5)
        print(name, ctypes.get_errno() if done == -1 else 0, flush=True)
""")
# With nothing but zeros for arguments these do no harm, and without the filter they are not refused so.
UNPRIVILEGED = (
    "personality",
    "unshare",
    "kcmp",
    "io_uring_setup",
    "process_vm_readv",
    "keyctl",
    "userfaultfd",
)


def test_every_system_call_of_the_list_is_refused(bench, ws):
    place = 0 if os.uname().machine == "x86_64" else 1
    order = json.dumps([(name, numbers[place]) for name, numbers in seccomp.DENIED.items()])
    stage = bench.stage("kernel", filesystem=files(ws))
    assert bench.inside(stage, CALLS, order) == [f"{name} {EPERM}" for name in seccomp.DENIED]
    harmless = json.dumps([(name, seccomp.DENIED[name][place]) for name in UNPRIVILEGED])
    bare = bench.inside(edit(stage, without("--seccomp", "11")), CALLS, harmless)
    assert [line for line in bare if line.endswith(f" {EPERM}")] in ([], [f"userfaultfd {EPERM}"])


TTY = code("""
    import fcntl, os, sys, termios
    try: os.close(os.open("/dev/tty", os.O_RDWR)); print("terminal", flush=True)
    except OSError as e: print(e.errno, flush=True)
    try: fcntl.ioctl(0, termios.TIOCSTI, b"x"); print("typed", flush=True)
    except OSError as e: print(e.errno, flush=True)
""")


def on_a_terminal(argv, env, fds, cwd):
    """Run with a controlling terminal, as from a shell; gives what was said and what was typed back."""
    order = json.dumps({"argv": argv, "env": env, "fds": fds, "rlimits": {}, "cwd": cwd})
    pid, terminal = pty.fork()
    if not pid:
        os.execv(sys.executable, [sys.executable, "-I", "-S", str(STARTER), order])
    said = b""
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        if not piece:
            break
        said += piece
    os.waitpid(pid, 0)
    os.close(terminal)
    return said.decode().split()


def test_nothing_is_typed_into_the_callers_terminal(bench, ws):
    stage = bench.stage("kernel", filesystem=files(ws))
    command = stage.command("kernel", "/usr/bin/python3", "-I", "-S", "-c", TTY, cwd=str(ws))
    order = (list(command.argv), dict(command.env), dict(command.fds), command.cwd)
    assert on_a_terminal(*order) == ["6", EPERM]  # ENXIO: it has no terminal
    edit(stage, without("--new-session"))
    assert on_a_terminal(*order)[0] == "terminal"


def test_the_sandbox_ends_with_whoever_launched_it(bench, ws):
    stage = bench.stage("kernel", filesystem=files(ws))
    for change, left in ((None, False), (without("--die-with-parent"), True)):
        if change:
            edit(stage, change)
        assert outlives_its_launcher(stage, ws) is left


def outlives_its_launcher(stage, ws):
    """Kill bwrap's parent and see whether what runs inside goes on writing."""
    beat = ws / "beat"
    beat.unlink(missing_ok=True)
    loop = f"import time\nfor i in range(300):\n    open('{beat}', 'w').write(str(i)); time.sleep(0.01)"
    command = stage.command("kernel", "/usr/bin/python3", "-I", "-S", "-c", loop, cwd=str(ws))
    order = json.dumps(
        {
            key: value
            for key, value in command._asdict().items()
            if key in ("argv", "env", "fds", "rlimits", "cwd")
        }
    )
    launcher = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-I', '-S', {str(STARTER)!r}, {order!r}])"
    )
    with subprocess.Popen([sys.executable, "-c", launcher], stdin=subprocess.DEVNULL) as process:
        wait_for(lambda: beat.exists() and beat.read_text())
        process.send_signal(signal.SIGKILL)
        process.wait()
    time.sleep(0.2)
    before = beat.read_text()
    time.sleep(0.2)
    return beat.read_text() != before


def wait_for(condition, limit_s=5.0):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


# Gate 2, and the account.


def test_bubblewrap_takes_what_is_rendered_and_nothing_else(bench, ws):
    secret = with_secret(ws)
    stage = bench.stage("kernel", filesystem=files(ws, deny_paths=(secret,)), network=Network())
    rendered = {
        f"state/{name}": stage.path("kernel", kind).read_bytes()
        for name, kind in (("bubblewrap.args", "args"), ("bubblewrap.bpf", "seccomp"))
    }
    assert target.validate(rendered) == []
    assert (
        "Unknown option"
        in target.validate(
            {**rendered, "state/bubblewrap.args": rendered["state/bubblewrap.args"] + b"--no-such\0"}
        )[0]
    )
    assert target.validate({**rendered, "state/bubblewrap.bpf": b"1234567"})


def test_every_claimed_place_is_tried():
    claimed = {r.evidence.probe for r in vars(provider).values() if isinstance(r, Reach)}
    assert claimed == PROVEN
