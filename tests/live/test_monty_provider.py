"""monty as rendered, on the real interpreter through the runner: every place it claims, with both controls.

monty gives code nothing by itself, so a control "without policy" is the manifest of a policy that permits it.
"""

import json
import sys
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.grammar.constraints import Constraint, Range
from tappass_host.policy.model import Credentials, Filesystem, Interpreter, Network, Tools
from tappass_host.prove.answers import Answers
from tappass_host.prove.lab import UPSTREAM, Command
from tappass_host.providers.interpreter.monty import provider, target
from tappass_host.runners import run
from tappass_host.sdk.claims import Reach
from tappass_host.sdk.emit import emit, symbolic
from tappass_host.sdk.kit.reference import policy
from tappass_host.sdk.kit.targets import target_of

pytestmark = pytest.mark.live

PROVEN = set()


def proves(probe):
    """Mark the test that stands for a probe of the provider's claims."""
    PROVEN.add(f"monty/{probe}")
    return lambda test: test


@pytest.fixture
def rendered(located):
    """The manifest of a policy, as bytes, for this host."""
    located("monty")
    known = Answers({}, env={"LANG": "C.UTF-8", "PATH": "/usr/bin"})

    def render(**fields):
        said, target_here = EffectivePolicy(policy(**fields)), target_of(provider.INFO, {})
        while (config := provider.render(said, target_here)).asked:
            found = {query.key: known(query) for query in config.asked}
            target_here = msgspec.structs.replace(target_here, facts={**target_here.facts, **found})
        return emit(config.artifact("manifest"), symbolic)

    return render


def said(manifest, code, **functions):
    """What came of a run: its result, or the type of its error and who refused."""
    result = run(manifest, code, host_functions=functions)
    if result.status == "ok":
        return result.result
    return f"{result.status} {result.error.type}" if result.error else result.status


@proves("limits")
def test_limits(rendered):
    tight = rendered(interpreter=Interpreter(memory_mb=16, cpu_time_ms=200))
    wide = rendered(interpreter=Interpreter(memory_mb=128, cpu_time_ms=20_000))
    hold, spin = "len('a' * (40 * 1024 * 1024))", "n = 0\nfor i in range(3_000_000): n += i\nn"
    assert said(tight, "sum(range(100))") == 4950
    assert said(tight, hold).startswith("memory")
    assert said(tight, "while True: pass").startswith("timeout")
    assert said(wide, hold) == 40 * 1024 * 1024
    assert said(tight, spin).startswith("timeout")
    assert said(wide, spin) == sum(range(3_000_000))


@proves("files")
def test_files(rendered, bench):
    ws, outside = bench.world.workspace, bench.root / "outside"
    outside.mkdir()
    (ws / "note").write_text("NOTE")
    (outside / "note").write_text("OUTSIDE")
    (ws / "link").symlink_to(outside / "note")
    manifest = rendered(filesystem=Filesystem(workspace=str(ws), read_only=(str(bench.world.home),)))
    (bench.world.home / "note").write_text("HOME")
    read, write = "open('{}').read()", "open('{}', 'w').write('x')"
    assert said(manifest, read.format(ws / "note")) == "NOTE"
    assert said(manifest, write.format(ws / "new")) == 1
    assert said(manifest, read.format(bench.world.home / "note")) == "HOME"
    refused = [
        write.format(bench.world.home / "new"),
        read.format(outside / "note"),
        write.format(outside / "new"),
        read.format("/etc/passwd"),
        read.format(f"{ws}/../outside/note"),
        read.format(ws / "link"),
    ]
    for code in refused:
        assert "Error" in str(said(manifest, code)), code
    wider = rendered(filesystem=Filesystem(workspace=str(ws), read_write=(str(outside),)))
    assert said(wider, read.format(outside / "note")) == "OUTSIDE"


def test_a_folder_that_holds_something_denied_is_not_shown_at_all(rendered, bench):
    ws = bench.world.workspace
    (ws / "secret").mkdir()
    (ws / "note").write_text("NOTE")
    manifest = rendered(filesystem=Filesystem(workspace=str(ws), deny_paths=(f"{ws}/secret",)))
    assert json.loads(manifest)["mounts"] == []
    assert "Error" in said(manifest, f"open('{ws}/note').read()")


@proves("host-functions")
def test_host_functions(rendered):
    constraints = {"lookup": {"id": Constraint(pattern="c-[0-9]+"), "n": Constraint(range=Range(max=5))}}
    manifest = rendered(
        interpreter=Interpreter(host_functions=("lookup",)), tools=Tools(constraints=constraints)
    )
    seen = []
    functions = {
        "lookup": lambda id="c-9", n=1: seen.append((id, n)) or "found",  # noqa: A006 - the argument's own name
        "other": lambda: seen.append("other"),
    }
    assert said(manifest, "lookup(id='c-1', n=5)", **functions) == "found"
    assert said(manifest, "lookup('c-2', 1)", **functions) == "found"
    refused = [
        "lookup('x', 1)",
        "lookup(id='c-1', n=6)",
        "lookup(n=1)",
        "lookup()",
        "other()",
        "lookup('c-1', n='1')",
    ]
    for code in refused:
        assert "Error" in said(manifest, code, **functions), code
    assert seen == [("c-1", 5), ("c-2", 1)]
    free = rendered(interpreter=Interpreter(host_functions=("lookup", "other")))
    assert said(free, "lookup('x', 6)", **functions) == "found"
    assert said(free, "other()", **functions) is None


@proves("imports")
def test_imports(rendered):
    manifest = rendered(
        interpreter=Interpreter(allow_imports=("json", "math", "os.path"), deny_imports=("math",))
    )
    assert said(manifest, "import json\njson.dumps([1])") == "[1]"
    assert said(manifest, "from os import path\n'bound'") == "bound"
    refused = [
        "import math",
        "import os",
        "import os.path",
        "import random",
        "from random import random",
        "exec('import os')",
    ]
    for code in refused:
        assert str(said(manifest, code)).startswith("denied"), code
    free = rendered(interpreter=Interpreter(default="allow"))
    for code in ("import math", "import os", "import random"):
        assert said(free, f"{code}\n'imported'") == "imported"


FETCH = "http_get('http://{}/')['status']"
LAB = """
import json, sys
sys.path[:0] = json.loads(sys.argv[3])
from tappass_host.runners import run
for code in json.loads(sys.argv[2]):
    result = run(sys.argv[1], code)
    print(result.result if result.status == 'ok' else f'{result.status} {result.error.type}')
"""


@pytest.fixture
def fetched(rendered, bench):
    """Code that fetches, in the laboratory's network."""

    def fetch(codes, *, hosts=(), **fields):
        path = bench.root / "manifest.json"
        path.write_bytes(rendered(**fields))
        argv = (sys.executable, "-I", "-c", LAB, str(path), json.dumps(codes), json.dumps(sys.path))
        return bench.run([Command(argv=argv, env={}, cwd="/")], hosts=hosts, ports=(80, 8080))

    return fetch


@proves("network")
def test_network(fetched):
    network = Network(
        allow_domains=("*.wild.test", "exact.test:8080"),
        deny_domains=("bad.wild.test",),
        allow_cidrs=(f"{UPSTREAM}/32:8080",),
    )
    permitted = ["a.wild.test", "exact.test:8080", f"{UPSTREAM}:8080"]
    denied = [
        "wild.test",
        "bad.wild.test",
        "exact.test",
        "other.test",
        UPSTREAM,
        "127.0.0.1",
        "2130706433",
        "localhost",
    ]
    hosts = [t for t in (*permitted, *denied) if t.partition(":")[0].endswith(".test")]
    hosts = dict.fromkeys(host.partition(":")[0] for host in hosts)
    interpreter = Interpreter(host_functions=("http_get",), network="allowlist")
    codes = [FETCH.format(t) for t in (*permitted, *denied)]
    lines = fetched(codes, hosts=hosts, interpreter=interpreter, network=network)
    assert lines[: len(permitted)] == ["200"] * len(permitted)
    assert all("PermissionError" in line for line in lines[len(permitted) :]), lines
    # The controls: a policy that permits them, and one that only observes.
    wide = Network(allow_domains=(*(f"{h}:80" for h in hosts), *(f"{h}:8080" for h in hosts)), local="allow")
    assert set(
        fetched(
            [FETCH.format(t) for t in ("wild.test", "other.test", "127.0.0.1")],
            hosts=hosts,
            interpreter=interpreter,
            network=wide,
        )
    ) == {"200"}
    observed = fetched(
        [FETCH.format("bad.wild.test")], hosts=hosts, interpreter=interpreter, network=network, mode="observe"
    )
    assert observed == ["200"]


@proves("no-network")
def test_no_network(fetched):
    """Without the function that fetches, or with the switch off, nothing gets out, whatever rules grant."""
    fields = {"hosts": ["a.test"], "network": Network(allow_domains=("a.test:80",))}
    fetch = [FETCH.format("a.test")]
    off = Interpreter(host_functions=("http_get",), network="off")
    assert fetched(fetch, interpreter=off, **fields) == ["denied PermissionError"]
    without = Interpreter(default="allow", network="allowlist")
    socket = "import socket\nsocket.socket()"
    assert fetched([*fetch, socket], interpreter=without, **fields) == [
        "error NameError",
        "error ModuleNotFoundError",
    ]
    on = Interpreter(host_functions=("http_get",), network="allowlist")
    assert fetched(fetch, interpreter=on, **fields) == ["200"]


@proves("env")
def test_env(rendered, monkeypatch):
    monkeypatch.setenv("TAPPASS_STRAY", "stray")
    interpreter = Interpreter(allow_imports=("os",), env=("LANG", "PATH"))
    manifest = rendered(interpreter=interpreter, credentials=Credentials(hide_env=("PATH",)))
    names = "import os\n[os.getenv(name) for name in ('LANG', 'PATH', 'TAPPASS_STRAY')]"
    assert said(manifest, names) == ["C.UTF-8", None, None]
    assert said(rendered(interpreter=interpreter), names) == ["C.UTF-8", "/usr/bin", None]
    granted = {**json.loads(manifest), "env": {"TAPPASS_STRAY": "granted"}}
    assert said(json.dumps(granted).encode(), names) == [None, None, "granted"]


@proves("expiry")
def test_expiry(rendered):
    now = datetime.now(UTC)
    past, future = ((now + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ") for hours in (-1, 1))
    assert said(rendered(expires_at=past), "1") == "denied ExpiredError"
    assert (
        said(rendered(not_before=future, expires_at="2100-01-01T00:00:00Z"), "1") == "denied NotYetValidError"
    )
    assert said(rendered(expires_at=future), "1") == 1
    retained = {"on_expiry": "retain", "retain_until": future, "expires_at": past}
    assert said(rendered(**retained), "1") == 1


def test_the_runner_takes_what_is_rendered(rendered, bench):
    manifest = rendered(filesystem=Filesystem(workspace=str(bench.world.workspace)))
    assert target.validate({"state/monty.manifest.json": manifest}) == []


def test_every_claimed_place_is_tried():
    claimed = {r.evidence.probe for r in vars(provider).values() if isinstance(r, Reach)}
    assert claimed == PROVEN
