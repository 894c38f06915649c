"""`provider`: listing, locking, comparing, and starting a new one."""

import json
import os
import re

import pytest

from tappass_host.registry.builtin import BUILTIN


def test_list_names_every_provider(run):
    rows = run("provider", "list", "--json").json["providers"]
    assert {row["id"] for row in rows} >= set(BUILTIN)
    assert all({"id", "position", "version", "source", "status"} <= set(row) for row in rows)
    text = run("provider", "list").out
    assert all(row["id"] in text for row in rows)


def test_list_of_one_position(run):
    rows = run("provider", "list", "--position", "kernel", "--json").json["providers"]
    assert "bubblewrap" in {row["id"] for row in rows}
    assert {row["position"] for row in rows} == {"kernel"}
    ran = run("provider", "list", "--position", "ring")
    assert ran.code == 2
    assert "there is harness, kernel" in ran.err


def test_show_says_what_it_cannot_hold_and_why(run):
    document = run("provider", "show", "bubblewrap", "--json").json
    assert document["position"] == "kernel"
    assert document["cannot"]
    text = run("provider", "show", "bubblewrap").out
    assert all(
        re.sub(r"\s+", " ", why)[:30] in re.sub(r"\s+", " ", text) for why in document["cannot"].values()
    )
    assert document["digest"] in text


def test_show_what_is_not_there(run):
    ran = run("provider", "show", "bubblewarp", "--json")
    assert (ran.code, ran.error["code"]) == (2, "provider")
    assert "provider list" in ran.error["remedy"]


def test_lock_holds_version_and_digest(run, place):
    ran = run("provider", "lock", "bubblewrap", "monty", "--org", "acme", "--json")
    assert ran.code == 0
    lock = json.loads((place / "providers.lock").read_bytes())
    assert set(lock["providers"]) == {"bubblewrap", "monty"}
    assert lock == ran.json["lock"]
    assert run("provider", "show", "bubblewrap", "--lock", "providers.lock").code == 0
    lock["providers"]["bubblewrap"]["digest"] = "sha256:" + "0" * 64
    (place / "providers.lock").write_text(json.dumps(lock))
    ran = run("provider", "show", "bubblewrap", "--lock", "providers.lock")
    assert ran.code == 2
    assert "locked is sha256:000" in ran.err


def test_lock_needs_an_organisation(run, place):
    ran = run("provider", "lock")
    assert ran.code == 2
    assert "--org" in ran.err
    assert list(place.iterdir()) == []


@pytest.fixture(scope="module")
def scaffold(tmp_path_factory):
    """A provider package as `provider new` writes it, of each position."""
    from click.testing import CliRunner

    from tappass_host.cli.root import build

    folder = tmp_path_factory.mktemp("new")

    def make(position):
        root = folder / position
        if not root.exists():
            argv = ["provider", "new", "acme-box", "--position", position, "--out", str(root), "--json"]
            done = CliRunner().invoke(build(), argv)
            assert done.exit_code == 0, done.stderr
            assert json.loads(done.stdout)["golden"] is True
        return root

    return make


def test_a_new_provider_conforms_as_it_is(run, scaffold):
    ran = run("provider", "test", str(scaffold("kernel")), "--json")
    assert ran.code == 0, ran.json["failures"]
    assert ran.json["passed"] > 50


def test_a_new_provider_has_all_its_parts(scaffold):
    root = scaffold("interpreter")
    names = {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}
    package = "src/tappass_acme_box"
    assert {f"{package}/{name}" for name in ("provider.py", "reader.py", "target.py", "py.typed")} <= names
    assert {"README.md", "pyproject.toml", "tests/test_conformance.py"} <= names
    assert "tests/cases/basic/expected/etc/acme-box/rules.json" in names
    assert not [p for p in root.rglob("*") if re.search(r"@[A-Z]+@", p.read_text() if p.is_file() else "")]
    assert not [name for name in names if "__pycache__" in name or ".hypothesis" in name]


def test_a_provider_that_breaks_the_contract_is_found_out(run, scaffold):
    root = scaffold("host")
    provider = root / "src" / "tappass_acme_box" / "provider.py"
    broken = provider.read_text().replace('case "allow" | "deny" | "cidr":', 'case "allow" | "cidr":')
    provider.write_text(broken)
    ran = run("provider", "test", str(root), "--json")
    assert ran.code == 1
    assert ran.json["failures"]
    assert run("provider", "dev", str(root), "--once").code == 1


@pytest.mark.parametrize(
    ("args", "what"),
    [
        (["Acme"], "no id for a provider"),
        (["bubblewrap"], "built in and cannot be claimed"),
        (["anthropic-gateway"], "built in and cannot be claimed"),
        (["x", "--like", "nothing"], "no provider nothing"),
        (["x", "--position", "ring"], "'ring' is not one of"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_new_that_cannot_be(run, place, args, what):
    ran = run("provider", "new", *args)
    assert ran.code == 2
    assert what in ran.err
    assert list(place.iterdir()) == []


def test_new_like_another_takes_its_code(run, place):
    ran = run("provider", "new", "acme-jail", "--like", "bubblewrap", "--json")
    assert ran.code == 0
    source = (place / "acme-jail/src/tappass_acme_jail/provider.py").read_text()
    assert 'id="acme-jail"' in source
    assert "tappass_host.providers.kernel.bubblewrap" not in source
    assert (place / "acme-jail/src/tappass_acme_jail/seccomp.py").exists()


def test_new_replaces_nothing(run, place):
    (place / "acme-box").mkdir()
    (place / "acme-box" / "README.md").write_text("mine")
    ran = run("provider", "new", "acme-box")
    assert ran.code == 2
    assert [p.name for p in (place / "acme-box").iterdir()] == ["README.md"]


def test_dev_tests_again_when_a_file_changes(run, place, monkeypatch):
    (place / "tests").mkdir()
    test = place / "tests" / "test_x.py"
    test.write_text("def test_x():\n    assert True\n")
    turns = []

    def wait(_seconds):
        turns.append(1)
        if len(turns) == 1:
            test.write_text("def test_x():\n    assert False, 'changed'\n")
            os.utime(test, (1, 1))
        if len(turns) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("tappass_host.cli.provider_dev.sleep", wait)
    ran = run("provider", "dev", ".")
    assert ran.code == 0
    assert ran.out.index("1 passed, 0 failed") < ran.out.index("0 passed, 1 failed")
    assert ran.out.count("provider ") == 2


def test_tests_of_a_folder_without_any(run, place):
    for verb in ("test", "dev"):
        ran = run("provider", verb, ".")
        assert ran.code == 2
        assert "holds no tests" in ran.err


def test_the_kit_that_is_not_installed_is_a_missing_service(run, monkeypatch):
    monkeypatch.setattr("tappass_host.cli.kit.find_spec", lambda _name: None)
    ran = run("provider", "test", "monty", "--json")
    assert (ran.code, ran.error["code"]) == (4, "missing-target")
    assert "tappass-host[kit]" in ran.error["remedy"]
