"""The catalogue of targets, and how a copy of one is found on this machine."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tappass_host.prove.targets import DEFAULT_CATALOGUE, Catalogue, Located, Missing, digest_of, stamp

ROOT = Path(__file__).resolve().parents[2]
ENTRY = """
[tool]
kind = "apt"
package = "tool"
version = "1.2.3"
path = "bin/tool"
command = "tool-under-test"
version_argv = ["--version"]
why = "tests"
"""


@pytest.fixture
def catalogue(tmp_path):
    file = tmp_path / "targets.toml"
    file.write_text(ENTRY)
    return Catalogue.load(file, cache=tmp_path / "cache")


@pytest.fixture
def program():
    """Write a program that prints a version."""

    def write(path, text, code=0):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\necho '{text}'\nexit {code}\n")
        path.chmod(0o755)
        return path

    return write


@pytest.fixture
def on_path(catalogue, program, monkeypatch, tmp_path):
    """Locate a program on PATH, in a folder that others can change, as a user or as root."""

    def locate(prints, code, *, uid):
        path = program(tmp_path / "path/tool-under-test", prints, code)
        path.parent.chmod(0o777)
        monkeypatch.setenv("PATH", str(path.parent))
        monkeypatch.setattr(os, "geteuid", lambda: uid)
        return catalogue.locate("tool")

    return locate


def installed(catalogue, program, text="tool 1.2.3"):
    target = catalogue.target("tool")
    prefix = catalogue.prefix(target)
    path = program(prefix / "bin/tool", text)
    catalogue.write_marker(target, prefix)
    return path


def test_shipped_catalogue_is_the_one_conformance_pins():
    assert (ROOT / "conformance/targets.toml").read_bytes() == DEFAULT_CATALOGUE.read_bytes()
    assert {"claude-code", "bubblewrap", "socat", "monty", "node22", "rulesync"} <= set(
        Catalogue.load().targets
    )


def test_pinned_copy_is_found_without_running_it(catalogue, program):
    path = installed(catalogue, program)
    path.chmod(0o644)
    found = catalogue.locate("tool")
    assert found == Located("tool", path, "1.2.3", digest_of(path), "cache", pinned=True)


@pytest.mark.parametrize("damage", ["changed", "removed", "marker", "pin"])
def test_damaged_copy_is_not_found(catalogue, program, damage, tmp_path):
    path = installed(catalogue, program)
    match damage:
        case "changed":
            path.write_text("#!/bin/sh\necho evil 1.2.3\n")
        case "removed":
            path.unlink()
        case "marker":
            (catalogue.prefix(catalogue.target("tool")) / ".installed.json").write_text("[")
        case "pin":
            other = tmp_path / "other.toml"
            other.write_text(ENTRY.replace("why", 'runtime = ""\nwhy').replace("tests", "other"))
            catalogue = Catalogue.load(other, cache=catalogue.cache)
    assert isinstance(catalogue.locate("tool"), Missing)


@pytest.mark.parametrize(
    ("prints", "code", "expected"),
    [
        ("tool 1.2.3 (x)", 0, ("1.2.3", True)),
        ("v9.9", 0, ("9.9", False)),
        ("none", 0, ("unknown", False)),
        ("1.2.3", 1, ("unknown", False)),
    ],
)
def test_copy_on_path_is_reported_with_its_version(on_path, prints, code, expected):
    found = on_path(prints, code, uid=1000)
    assert isinstance(found, Located)
    assert (found.version, found.pinned) == expected
    assert found.origin == "path"


def test_root_does_not_run_what_others_can_change(on_path, tmp_path):
    found = on_path(f"1.2.3'; touch '{tmp_path}/ran", 0, uid=0)
    assert isinstance(found, Missing)
    assert "root" in found.reason
    assert not (tmp_path / "ran").exists()


def test_missing_says_how_to_install(catalogue, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = catalogue.locate("tool")
    assert isinstance(found, Missing)
    assert "tool-under-test is not on PATH" in found.reason
    assert found.remedy == "python conformance/install.py tool"


def test_marker_is_refused_for_another_version(tmp_path, program):
    file = tmp_path / "targets.toml"
    file.write_text(ENTRY.replace('"apt"', '"npm"'))
    catalogue = Catalogue.load(file, cache=tmp_path / "cache")
    with pytest.raises(ValueError, match=r"says version 1\.2\.4"):
        installed(catalogue, program, "1.2.4")


@pytest.mark.parametrize(("old", "new"), [("why", "wye"), ('package = "tool"', "")])
def test_bad_catalogue_is_refused(tmp_path, old, new):
    file = tmp_path / "targets.toml"
    file.write_text(ENTRY.replace(old, new))
    with pytest.raises(ValueError, match="catalogue entry tool"):
        Catalogue.load(file)


def test_unknown_target_is_refused(catalogue):
    with pytest.raises(ValueError, match="no target 'x'"):
        catalogue.locate("x")


def test_folder_digest_and_stamp_ignore_python_caches(tmp_path):
    (tmp_path / "a.py").write_text("1")
    before = digest_of(tmp_path), stamp(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__/a.pyc").write_text("2")
    assert (digest_of(tmp_path), stamp(tmp_path)) == before
    (tmp_path / "a.py").write_text("3")
    assert digest_of(tmp_path) != before[0]


def test_installer_names_each_missing_target(tmp_path):
    env = {"PATH": str(tmp_path), "TAPPASS_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    argv = [sys.executable, str(ROOT / "conformance/install.py"), "claude-code", "rulesync"]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 4, done.stderr
    assert "MISSING  claude-code  npm is not installed  (unproven: harness claude-code)" in done.stdout
    assert done.stdout.endswith("0 of 2 targets installed, 2 missing\n")


def test_installer_leaves_no_half_done_copy(tmp_path, catalogue):
    module = runpy.run_path(str(ROOT / "conformance/install.py"))
    module["INSTALLERS"]["apt"] = lambda target, prefix: (prefix / "bin").mkdir()
    with pytest.raises(ValueError, match="does not run"):
        module["install"](catalogue, catalogue.target("tool"))
    assert list((catalogue.cache / "tool").iterdir()) == []
