"""`tappass-host`: every verb from end to end, on the example of the documentation, in a folder of its own."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from tappass_host.cli.host_verbs import EXAMPLES, HELP, VERBS
from tappass_host.cli.root import Root, build

ACME = Path(__file__).resolve().parents[2] / "examples" / "acme"


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def error(self):
        return json.loads(self.err)["error"]


def called(root, *args):
    done = CliRunner().invoke(root, [str(a) for a in args])
    return Ran(done.exit_code, done.stdout, done.stderr)


def tappass(*args):
    ran = called(build(), *args)
    assert ran.code == 0, ran.err
    return ran


class Host:
    """A machine below one folder. Not in /tmp: there the example gives its sandbox a /tmp of its own."""

    def __init__(self, root, policies):
        self.root, self.policies = root, policies
        self.settings = root / "etc" / "claude-code" / "managed-settings.json"

    def __call__(self, verb, *args):
        tree = Root("tappass-host", VERBS, help=HELP, examples=EXAMPLES)
        return called(tree, verb, "--host-root", self.root, *args)

    def compiled(self, verb, name="v1", *args):
        here = ("--runtime", self.policies / "runtime.yaml", "--sandbox", self.policies / "sandbox.yaml")
        return self(verb, "--policy", self.policies / f"{name}.dsse.json", *here, "--facts", "here", *args)

    def applied(self, name="v1", *args):
        ran = self.compiled("apply", name, "--json", *args)
        assert ran.code == 0, ran.err
        return ran.json

    def status(self):
        return self("status", "--json").json

    def files(self):
        state = self.root / "var" / "lib" / "tappass"
        kept = (state / "rendered",)
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and (state not in path.parents or any(k in path.parents for k in kept))
        }


@pytest.fixture(scope="module")
def policies():
    """The example, signed: v1, v2 (other content), v2 again with yet another content; and who signed it."""
    folder = Path(tempfile.mkdtemp(prefix="tappass-test-", dir="/var/tmp")).resolve()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAPPASS_HOME", str(folder / "home"))
        shutil.copytree(ACME, folder / "acme")
        for made in ("ws", "user"):
            (folder / made).mkdir()
        sandbox = (folder / "acme" / "sandbox.yaml").read_text()
        sandbox = sandbox.replace("/srv/checkout", str(folder / "ws")).replace(
            "/home/dev", str(folder / "user")
        )
        (folder / "acme" / "sandbox.yaml").write_text(sandbox)
        tappass("key", "new", "signing", "--org", "acme")
        _issue(patch, folder, "v1", 1, "")
        _issue(patch, folder, "v2", 2, "Task")
        _issue(patch, folder, "v2-other", 2, "WebSearch")
    yield folder / "acme"
    shutil.rmtree(folder)


def _issue(patch, folder, name, version, denied):
    patch.chdir(folder / "acme")
    tappass("policy", "compile", "--out", f"{name}.json")
    policy = json.loads(Path(f"{name}.json").read_text())
    policy["version"] = version
    if denied:
        policy["tools"]["deny"] = sorted({*policy["tools"].get("deny", []), denied})
    Path(f"{name}.json").write_text(json.dumps(policy))
    tappass("policy", "sign", f"{name}.json", "--key", "signing", "--out", f"{name}.dsse.json")


@pytest.fixture
def host(policies, monkeypatch):
    monkeypatch.setenv("TAPPASS_HOME", str(policies.parent / "home"))
    root = Path(tempfile.mkdtemp(prefix="tappass-test-", dir="/var/tmp")).resolve()
    yield Host(root, policies)
    shutil.rmtree(root)


def test_from_nothing_to_nothing(host):
    """Plan, apply, apply again, tamper, restore, lock down, release, uninstall."""
    plan = host.compiled("plan", "v1", "--json", "--exit-code")
    assert plan.code == 1
    assert len(plan.json["changes"]) >= 10
    assert host.files() == {}
    assert len(host.applied()["changes"]) == len(plan.json["changes"])
    assert host.compiled("plan", "v1", "--exit-code").code == 0
    before = host.files()
    again = host.applied()
    assert (again["generation"], again["changes"]) == (None, [])
    assert host.files() == before
    assert json.loads(host.settings.read_bytes())["permissions"]["deny"]
    assert host("status").code == 0

    host.settings.write_text("{}")
    assert host("status").code == 1
    assert host.status()["drifted"] == [str(host.settings)]
    restored = host("restore", "--json")
    assert (restored.code, [c["path"] for c in restored.json["changes"]]) == (0, [str(host.settings)])
    assert host.files() == before

    assert host("lockdown", "--why", "token leaked").code == 0
    locked = json.loads(host.settings.read_bytes())
    assert {"Bash", "Read", "Write"} <= set(locked["permissions"]["deny"])
    assert "allow" not in locked["permissions"]
    assert host("status").code == 1
    assert "token leaked" in host("status").out
    assert host.status()["force"] == {"rendering": "lockdown", "cause": "operator", "why": "token leaked"}
    assert host("release").code == 0
    assert host.files() == before

    assert host("uninstall").code == 0
    assert host.files() == {}
    assert host.status()["validity"] == "none"


def test_what_was_there_is_refused_adopted_and_given_back(host):
    host.settings.parent.mkdir(parents=True)
    host.settings.write_text('{"the user": "was here"}')
    refused = host.compiled("apply", "v1", "--json")
    assert (refused.code, refused.error["code"], refused.error["file"]) == (
        2,
        "foreign-file",
        str(host.settings),
    )
    assert list(host.files()) == ["etc/claude-code/managed-settings.json"]
    assert host.compiled("plan", "v1").code == 0
    # What was refused was never in force, and is no floor.
    refused = host.compiled("apply", "v2", "--json")
    assert refused.code == 2
    host.applied("v1", "--adopt")
    assert b"was here" not in host.settings.read_bytes()
    assert host("uninstall").code == 0
    assert host.settings.read_text() == '{"the user": "was here"}'


def test_versions_only_rise(host):
    host.applied("v1")
    host.applied("v2")
    second = host.files()
    for name, code in (("v1", "rollback"), ("v2-other", "equivocation")):
        refused = host.compiled("apply", name, "--json")
        assert (refused.code, refused.error["code"]) == (3, code)
    back = host("rollback", "--json")
    assert (back.code, back.error["code"]) == (3, "rollback")
    assert "policy revert" in back.error["remedy"]
    assert host.files() == second


def test_a_rendering_of_the_same_policy_comes_back(host):
    """The same policy for another version of a target: a rollback is not below the floor."""
    host.applied("v1")
    first = host.files()
    host.applied("v1", "--path", f"run={host.root}/run/elsewhere")
    assert host.files() != first
    assert host("rollback").code == 0
    assert host.files() == first


def test_nobody_applies_what_nobody_signed(host):
    plain = host("apply", "--policy", host.policies / "v1.json", "--runtime", host.policies / "runtime.yaml",
                 "--sandbox", host.policies / "sandbox.yaml", "--json")  # fmt: skip
    assert (plain.code, plain.error["code"]) == (3, "envelope")
    assert host.files() == {}


def test_what_the_clock_has_passed_counts_on_apply(host):
    from tappass_host.host.clock import Mark
    from tappass_host.host.engine import Engine

    with Engine.opened(host.root / "var" / "lib" / "tappass") as engine:
        engine.store.keep_mark(Mark(time.time() + 1000 * 86400, 0.0, "an earlier boot"))
    refused = host.compiled("apply", "v1", "--json")
    assert (refused.code, refused.error["code"]) == (3, "expired")
    assert host.files() == {}


# On a machine on which nothing was applied.
WITH_NOTHING = {
    "status": (0, ""),
    "restore": (0, ""),
    "uninstall": (0, ""),
    "rollback": (4, "quarantine"),
    "lockdown": (4, "quarantine"),
    "release": (4, "quarantine"),
}


@pytest.mark.parametrize("name", WITH_NOTHING)
def test_with_nothing_in_force(host, name):
    code, error = WITH_NOTHING[name]
    ran = host(name, "--json")
    assert ran.code == code
    assert (ran.error["code"] if error else "") == error
    text = host(name)
    assert text.code == code
    assert (text.err if error else text.out) != ""


def test_a_file_that_cannot_be_restored_is_a_finding(host):
    host.applied()
    host.settings.unlink()
    host.settings.mkdir()
    ran = host("restore", "--json")
    assert (ran.code, [f["path"] for f in ran.json["failed"]]) == (1, [str(host.settings)])
    assert host("daemon", "--once").code == 1


def test_the_daemon_once(host):
    host.applied()
    before = host.files()
    host.settings.unlink()
    ran = host("daemon", "--once", "--json")
    assert (ran.code, ran.json) == (0, {"events": [{"event": "restored", "text": str(host.settings)}]})
    assert host.files() == before
    assert "nothing" not in host("daemon", "--once").out


def test_a_state_that_somebody_holds_is_waited_for_and_then_refused(host, monkeypatch):
    from tappass_host.cli import host_state
    from tappass_host.host import lock

    host.applied()
    monkeypatch.setattr(host_state, "_WAIT_S", 0.05)
    with lock.held(host.root / "var" / "lib" / "tappass" / "lock", what="a test"):
        ran = host("status", "--json")
    assert (ran.code, ran.error["code"]) == (4, "busy")


def test_the_unit_starts_this_installation():
    tree = Root("tappass-host", VERBS, help=HELP, examples=EXAMPLES)
    text = called(tree, "unit", "--json").json["unit"]
    start = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    assert start == f"ExecStart={sys.executable} -I -m tappass_host.cli.host_main daemon"
    assert "@PROGRAM@" not in text
    verify = shutil.which("systemd-analyze")
    if verify:
        unit = Path.cwd() / "tappass-host.service"
        unit.write_text(text)
        done = subprocess.run(
            [verify, "verify", str(unit)], capture_output=True, text=True, timeout=30, check=False
        )
        assert "Unknown" not in done.stderr, done.stderr


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_has_help_with_examples(name):
    tree = Root("tappass-host", VERBS, help=HELP, examples=EXAMPLES)
    ran = called(tree, name, "--help")
    assert ran.code == 0
    assert "Examples" in ran.out
    assert "--json" in ran.out
