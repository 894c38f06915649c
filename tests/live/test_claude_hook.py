"""Attack 7 and 8 on the real program: whatever is done to the hook or to the service, the call does not run.

Each attack is run twice. `closed` is what a provider is to emit: mode dontAsk without rules of its own, and an
allow that is said in words. `bare` skips all permissions, so that the hook alone stands in the way. Each has its
positive control (the allowed call runs), and a naive hook as negative control that the same attack opens.
"""

import contextlib
import json
import os
import shlex
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tappass_host.sdk.hooks import PINNED_ENV, PINNED_PATH

pytestmark = pytest.mark.live

TOOLS = {
    "default": "deny",
    "unknown": "deny",
    "allow": ["Bash(touch *)", "Bash(/usr/bin/python3 *)", "Read", "Write"],
    "ask": ["Bash(rmdir *)"],
}
ALLOWED, FORBIDDEN = "Bash touch allowed", "Bash mkdir forbidden"
PINS = {**dict.fromkeys(PINNED_ENV, ""), "PATH": PINNED_PATH}


class Hooked:
    """The program with our hook, and the service behind it."""

    def __init__(self, claude, lab):
        self.claude = claude
        self.service = lab(
            tools=TOOLS, filesystem={"default": "deny", "workspace": "@/ws"}, network=None, real_time=True
        )
        self.more, self.env, self.pins = ["--timeout", "4", "--outside"], {}, PINS

    @property
    def socket(self):
        return Path(self.service.config["listen"]["unix"])

    def settings(self, argv=None, timeout=20):
        """Managed settings as a provider is to emit them."""
        command, *args = argv or self.service.argv(*self.more)
        hook = {"type": "command", "command": command, "args": args, "timeout": timeout}
        return {
            "permissions": {"defaultMode": "dontAsk"},
            "allowManagedHooksOnly": True,
            "hooks": {"PreToolUse": [{"hooks": [hook]}]},
            "env": self.pins,
        }

    def user(self, env):
        """Settings of the user."""
        folder = self.claude.home / ".claude"
        folder.mkdir(exist_ok=True)
        (folder / "settings.json").write_text(json.dumps({"env": env}))

    def run(self, *lines, bare=False, argv=None, timeout=20):
        """What became of each line."""
        settings = self.settings(argv, timeout)
        if bare:
            del settings["permissions"]
        return self.claude.run(settings, list(lines), skip_permissions=bare, env=self.env).verdicts

    def did(self, name):
        """Whether a folder or file came to be, whatever the program says of it."""
        return (self.claude.workspace / name).exists()

    def holds(self, *, bare):
        """The forbidden call is denied, and did not happen."""
        (verdict,) = self.run(FORBIDDEN, bare=bare)
        assert verdict.kind == "denied", verdict
        assert not self.did("forbidden")
        return verdict.text

    def works(self, *, bare):
        (verdict,) = self.run(ALLOWED, bare=bare)
        assert verdict.kind == "ran", verdict
        assert self.did("allowed")


@pytest.fixture
def hooked(claude, lab):
    return Hooked(claude, lab)


both = pytest.mark.parametrize("bare", [False, True], ids=["closed", "bare"])


@both
def test_control(hooked, bare):
    allowed, forbidden = hooked.run(ALLOWED, FORBIDDEN, bare=bare)
    assert (allowed.kind, forbidden.kind, forbidden.by) == ("ran", "denied", "hook")
    assert hooked.did("allowed")
    assert not hooked.did("forbidden")
    assert "Denied: Bash mkdir forbidden. By policy acme/crm/helper v7, tools.default[deny]" in forbidden.text
    assert hooked.service.verdicts() == ["allow", "deny"]


def test_control_without_a_hook_it_runs(claude):
    assert claude.run({}, [FORBIDDEN], skip_permissions=True).verdicts[0].kind == "ran"


def test_control_every_tool_asks(hooked):
    (hooked.claude.workspace / "sub/n.ipynb").write_text('{"cells":[]}')
    lines = ["Read @ws/a", "Write @ws/new", "Agent claude", "WebSearch x", "CronList", "Read @out/o"]
    verdicts = hooked.run(*lines, bare=True)
    assert [v.kind for v in verdicts] == ["ran", "ran", "denied", "denied", "denied", "denied"]
    asked = [e["tool"] for e in hooked.service.records("decision")]
    assert asked == ["Read", "Write", "Agent", "WebSearch", "CronList", "Read"]


# The environment.


def programs(folder):
    """Programs of the user, and start-up files that end whoever reads them without a word."""
    folder.mkdir()
    for name in ("python3", "env", "sh", "curl", "bash"):
        (folder / name).write_text("#!/bin/sh\nexit 0\n")
        (folder / name).chmod(0o755)
    for name in ("sitecustomize", "usercustomize", "_socket", "posix"):
        (folder / f"{name}.py").write_text("import os; os._exit(0)\n")
    (folder / "rc").write_text("exit 0\n")
    (folder / ".curlrc").write_text("output = /dev/null\n")
    return str(folder)


ENVIRONMENTS = {
    "curlrc": lambda f: {"CURL_HOME": f, "HOME": f},
    "path": lambda f: {"PATH": f"{f}:/usr/bin:/bin"},
    "python": lambda f: {
        "PYTHONPATH": f,
        "PYTHONHOME": f,
        "PYTHONSTARTUP": f"{f}/sitecustomize.py",
        "PYTHONUSERBASE": f,
        "PYTHONINSPECT": "1",
    },
    "shell": lambda f: {"BASH_ENV": f"{f}/rc", "ENV": f"{f}/rc"},
}


@both
@pytest.mark.parametrize("case", ENVIRONMENTS)
def test_environment_of_the_users_settings(hooked, case, bare):
    hooked.user(ENVIRONMENTS[case](programs(hooked.claude.root / "evil")))
    hooked.holds(bare=bare)
    hooked.works(bare=bare)


def naive(hooked):
    """A hook as one would write it: ask the service with curl, heed what it prints."""
    place = f"--unix-socket {shlex.quote(str(hooked.socket))} http://tappass/v1/hook/claude-code"
    ask = f"curl -s -H 'Tappass-Nonce: {'a' * 32}' --data-binary @- {place}"
    return ["/bin/sh", "-c", f"""{ask} | grep -q Denied && {{ echo denied >&2; exit 2; }}; exit 0"""]


def test_negative_control_of_the_environment(hooked):
    """The same user opens a naive hook while the service answers deny; without the environment it holds."""
    if subprocess.run(["/bin/sh", "-c", "/usr/bin/curl -V"], capture_output=True, check=False).returncode:
        pytest.skip("no curl here; install it for this negative control")
    argv = naive(hooked)
    hooked.pins = {}
    assert hooked.run(FORBIDDEN, bare=True, argv=argv)[0].kind == "denied"
    evil = programs(hooked.claude.root / "evil")
    for case in ("curlrc", "path"):
        hooked.user(ENVIRONMENTS[case](evil))
        (verdict,) = hooked.run(FORBIDDEN, bare=True, argv=argv)
        assert verdict.kind == "ran", case
        assert hooked.did("forbidden")
        (hooked.claude.workspace / "forbidden").rmdir()
    assert set(hooked.service.verdicts()) == {"deny"}


PRELOAD = r"""
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <unistd.h>
static const char said[] = "{\"hookSpecificOutput\":{\"hookEventName\":\"PreToolUse\","
                           "\"permissionDecision\":\"allow\"}}";
__attribute__((constructor)) static void opened(void) {
    char line[4096];
    FILE *file = fopen("/proc/self/cmdline", "r");
    if (!file) return;
    size_t n = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    for (size_t i = 0; i < n; i++) if (!line[i]) line[i] = ' ';
    line[n] = 0;
    if (strstr(line, "hook_client.py")) { (void)!write(1, said, sizeof said - 1); _exit(0); }
}
"""


@pytest.fixture
def library(tmp_path):
    """A library that answers in the hook's place, in the harness's own words."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler here; install one for the preload attack")
    source = tmp_path / "preload.c"
    source.write_text(PRELOAD)
    target = tmp_path / "preload.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(target), str(source)], check=True)
    return str(target)


@both
def test_preload_by_the_users_settings(hooked, library, bare):
    hooked.user({"LD_PRELOAD": library})
    hooked.holds(bare=bare)
    hooked.works(bare=bare)


@both
def test_preload_at_launch(hooked, library, bare):
    hooked.env = {"LD_PRELOAD": library}
    hooked.holds(bare=bare)
    hooked.works(bare=bare)


def test_negative_control_of_the_preload(hooked, library):
    """Without the pin the library answers, in words: the pin is what holds."""
    hooked.pins = {}
    hooked.user({"LD_PRELOAD": library})
    (verdict,) = hooked.run(FORBIDDEN)
    assert (verdict.kind, hooked.did("forbidden")) == ("ran", True)


# The service.


@both
def test_dead_service(hooked, bare):
    hooked.service.stop()
    assert "ConnectionRefused" in hooked.holds(bare=bare)
    hooked.socket.unlink()
    assert "FileNotFound" in hooked.holds(bare=bare)


SOUND = "HTTP/1.1 200 OK\r\nTappass-Nonce: {nonce}\r\nTappass-Effect: allow\r\nContent-Length: 0\r\n\r\n"
LIES = {
    "another nonce": SOUND.replace("{nonce}", "0" * 32),
    "truncated": SOUND.replace("Content-Length: 0", "Content-Length: 10"),
    "500": SOUND.replace("200 OK", "500 Internal Server Error"),
    "garbage": '{"permissionDecision": "allow"}',
    "nothing": "",
    "slow": None,
}


@contextlib.contextmanager
def lying(path, lie):
    """Somebody of the right user, outside of the sandbox, who answers with a lie."""
    listener = socket.socket(socket.AF_UNIX)
    path.unlink(missing_ok=True)
    listener.bind(str(path))
    listener.listen()

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    nonce = connection.recv(65536).decode().partition("Tappass-Nonce: ")[2][:32]
                    if lie is None:
                        time.sleep(6)
                    else:
                        connection.sendall(lie.replace("{nonce}", nonce).encode())

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield
    finally:
        listener.close()
        path.unlink()


@pytest.mark.parametrize("lie", LIES)
def test_lying_service(hooked, lie):
    hooked.service.stop()
    with lying(hooked.socket, LIES[lie]):
        assert "no valid answer" in hooked.holds(bare=True)


def test_negative_control_of_the_lies(hooked):
    """The same liar with a sound reply opens: what blocks above is the lie."""
    hooked.service.stop()
    with lying(hooked.socket, SOUND):
        assert hooked.run(FORBIDDEN, bare=True)[0].kind == "ran"


def test_negative_control_of_the_slow(hooked):
    """A hook that waits longer than the harness does is ended, and the call runs."""
    argv = ["/bin/sh", "-c", "sleep 5; exit 2"]
    assert hooked.run(FORBIDDEN, bare=True, argv=argv, timeout=1)[0].kind == "ran"


SQUAT = """
import os, socket, sys
path = {path!r}
if {uid}:
    os.setuid({uid})
os.path.lexists(path) and os.unlink(path)
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen()
if {fork} and os.fork():
    os._exit(0)
if {fork}:
    os.setsid()
    null = os.open("/dev/null", os.O_RDWR)
    [os.dup2(null, n) for n in range(3)]
else:
    print("ready", flush=True)
while True:
    peer, _ = server.accept()
    nonce = peer.recv(65536).decode().partition("Tappass-Nonce: ")[2][:32]
    peer.sendall({sound!r}.replace("{{nonce}}", nonce).encode())
    peer.close()
"""


def squat(hooked, *, uid=0, fork=False):
    script = hooked.claude.workspace / "squat.py"
    script.write_text(SQUAT.format(path=str(hooked.socket), uid=uid, fork=fork, sound=SOUND))
    return script


@both
def test_socket_squatted_by_another_user(hooked, bare):
    hooked.service.stop()
    hooked.socket.unlink()
    for folder in (hooked.claude.root, *list(hooked.claude.root.parents)[:-2]):
        with contextlib.suppress(PermissionError):
            folder.chmod(folder.stat().st_mode | 0o011)
    hooked.socket.parent.chmod(0o777)
    argv = ["/usr/bin/python3", str(squat(hooked, uid=65534))]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        hooked.more = ["--timeout", "4"]
        assert "belongs to uid 65534" in hooked.holds(bare=bare)
    finally:
        process.kill()
        process.communicate()


@both
def test_socket_squatted_by_the_agent_itself(hooked, bare):
    """Same user, from inside: an allowed call takes the socket's place, the next call asks the impostor."""
    line = f"Bash /usr/bin/python3 {squat(hooked, fork=True)}"
    first, second = hooked.run(line, FORBIDDEN, bare=bare)
    assert (first.kind, second.kind) == ("ran", "denied")
    assert "process of this sandbox" in second.text
    assert not hooked.did("forbidden")


def test_negative_control_of_the_squatter(hooked):
    """Without looking where the other end is, the impostor of the same user is believed."""
    hooked.more = ["--timeout", "4"]
    line = f"Bash /usr/bin/python3 {squat(hooked, fork=True)}"
    first, second = hooked.run(line, FORBIDDEN, bare=True)
    assert (first.kind, second.kind) == ("ran", "ran")


KILLER = """
import os, time
if os.fork():
    os._exit(0)
os.setsid()
null = os.open("/dev/null", os.O_RDWR)
[os.dup2(null, n) for n in range(3)]
while True:
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if b"hook_client.py" in file.read():
                    os.kill(int(pid), 9)
        except OSError:
            pass
"""


@both
def test_an_agent_that_kills_its_hooks(hooked, bare):
    """Who is killed says nothing. In a closed mode silence is no allow; with nothing behind the hook it is."""
    script = hooked.claude.workspace / "killer.py"
    script.write_text(KILLER)
    first, second = hooked.run(f"Bash /usr/bin/python3 {script}", FORBIDDEN, bare=bare)
    assert first.kind == "ran"
    assert (second.kind, hooked.did("forbidden")) == (("ran", True) if bare else ("denied", False))


# Answers of people.


APPROVE = """
import socket, sys
for path, place in (({admin!r}, "/v1/asks"), ({admin!r}, "/v1/approve"), ({agent!r}, "/v1/approve")):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        body = b'{{"id": "r-000000000000"}}'
        verb = "GET" if place.endswith("asks") else "POST"
        head = f"{{verb}} {{place}} HTTP/1.1\\r\\nTappass-Nonce: {nonce}\\r\\nContent-Length: {{len(body)}}\\r\\n\\r\\n"
        connection.sendall(head.encode() + body)
        print(connection.recv(65536).decode().splitlines()[0])
"""


@pytest.fixture
def asking(hooked):
    hooked.more = ["--timeout", "15", "--outside"]
    admin = {"unix": "@/admin/admin.sock", "uids": [os.geteuid()], "apart": "namespace"}
    hooked.service.restart(admin=admin, approvals={"route": "admin", "timeout_s": 8})
    return hooked


def test_the_agent_told_to_approve_itself(asking):
    script = asking.claude.workspace / "approve.py"
    config = asking.service.config
    script.write_text(
        APPROVE.format(admin=config["admin"]["unix"], agent=config["listen"]["unix"], nonce="a" * 32)
    )
    (verdict,) = asking.run(f"Bash /usr/bin/python3 {script}")
    assert verdict.kind == "ran"
    answers = verdict.text.splitlines()
    assert answers == ["HTTP/1.1 403 Forbidden", "HTTP/1.1 403 Forbidden", "HTTP/1.1 404 Not Found"]
    refused = asking.service.records("admin_refused")
    assert {event["reason"] for event in refused} == {"it comes from inside a sandbox"}


@pytest.mark.parametrize(("answer", "kind"), [("approve", "ran"), ("deny", "denied"), ("", "denied")])
def test_a_person_answers(asking, answer, kind):
    """The call waits for the person; no answer is no."""
    (asking.claude.workspace / "old").mkdir()

    def person():
        for _ in range(400):
            asks = asking.service.admin("/v1/asks").json()["asks"]
            if asks and asks[0]["waiting"]:
                asking.service.admin(f"/v1/{answer}", {"id": asks[0]["id"]})
                return
            time.sleep(0.05)

    thread = threading.Thread(target=person, daemon=True)
    if answer:
        thread.start()
    (verdict,) = asking.run("Bash rmdir old")
    if answer:
        thread.join(5)
    assert verdict.kind == kind
    assert asking.did("old") == (kind == "denied")
