"""Reading with a limit; writing whole or not at all; folders that are swapped."""

import os
import stat

import pytest

from tappass_host.cli import files, rendered
from tappass_host.cli.files import FileError
from tappass_host.cli.rendered import File

PEM = b"-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("name", "what", "remedy"),
    [
        ("missing.json", "no such file", ""),
        ("compield.json", "no such file", "did you mean compiled.json?"),
        ("nowhere/x.json", "no such file", "there is no folder nowhere"),
        (".", "is a folder, not a file", "name a file in it"),
        ("a\0b", "cannot be read: embedded null byte", ""),
    ],
)
def test_what_cannot_be_read(place, name, what, remedy):
    (place / "compiled.json").write_text("{}")
    with pytest.raises(FileError) as error:
        files.read(name)
    assert (error.value.message, error.value.remedy) == (what, remedy)


def test_a_file_without_end_is_cut_off(place):
    with pytest.raises(FileError, match="larger than 10 bytes"):
        files.read("/dev/zero", max_bytes=10)


def test_standard_input(process):
    ran = process("policy", "show", "-", input='{"org_id": ')
    assert ran.code == 2
    assert "<stdin>" in ran.err


def test_writing_replaces_whole(place):
    path = place / "x"
    path.write_bytes(b"old")
    files.write(path, b"new", mode=0o640)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [p.name for p in place.iterdir()] == ["x"]


def test_a_write_that_fails_leaves_what_was_there(place, monkeypatch):
    path = place / "x"
    path.write_bytes(b"old")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError, match="no space left on device"):
        files.write(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in place.iterdir()] == ["x"]


def test_a_link_is_replaced_and_not_followed(place):
    (place / "elsewhere").write_bytes(b"theirs")
    (place / "x").symlink_to("elsewhere")
    files.write(place / "x", b"ours")
    assert (place / "elsewhere").read_bytes() == b"theirs"
    assert not (place / "x").is_symlink()


@pytest.mark.parametrize(
    "verb", [["policy", "schema"], ["policy", "renew", "compiled.json", "--out", "key.pem"]]
)
def test_no_verb_overwrites_a_private_key(run, compiled, place, verb):
    (place / "key.pem").write_bytes(PEM)
    ran = run(*verb)
    if "--out" in verb:
        assert ran.code == 2
        assert "private key" in ran.err
    assert (place / "key.pem").read_bytes() == PEM


def test_what_must_be_new_is_never_replaced(place):
    (place / "x").write_bytes(b"old")
    with pytest.raises(FileError, match="exists already"):
        files.write(place / "x", b"new", replace=False)
    with pytest.raises(FileError, match="exists already"):
        files.write_many(place, {"y": b"1", "x": b"2"})
    assert not (place / "y").exists()


def test_a_rendering_is_swapped_in_whole(place):
    folder = place / "out"
    first = {"etc/a": File(b"1", 0o600), "plan.json": File(b'{"schema": "tappass.plan/v1"}', 0o644)}
    rendered.write_files(folder, first)
    assert stat.S_IMODE((folder / "etc/a").stat().st_mode) == 0o600
    rendered.write_files(folder, {**first, "etc/b": File(b"2", 0o644)} | {"etc/a": File(b"3", 0o644)})
    assert (folder / "etc/a").read_bytes() == b"3"
    assert [p.name for p in place.iterdir()] == ["out"]


@pytest.mark.parametrize("what", ["a folder with other files", "a file"])
def test_nothing_else_is_taken_for_a_rendering(place, what):
    target = place / "out"
    if what == "a file":
        target.write_text("precious")
    else:
        target.mkdir()
        (target / "precious").write_text("precious")
    with pytest.raises(FileError, match="exists and is no rendering"):
        rendered.write_files(target, {"plan.json": File(b"{}", 0o644)})
    kept = target if what == "a file" else target / "precious"
    assert kept.read_text() == "precious"
    assert [p.name for p in place.iterdir()] == ["out"]


def test_a_rendering_that_fails_halfway_leaves_the_old_one(place, monkeypatch):
    folder = place / "out"
    plan = {"plan.json": File(b'{"schema": "tappass.plan/v1"}', 0o644)}
    rendered.write_files(folder, plan)
    written = []

    def full(descriptor):
        written.append(descriptor)
        if len(written) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError, match="No space left"):
        rendered.write_files(folder, {**plan, "a": File(b"1", 0o644), "b": File(b"2", 0o644)})
    assert [p.name for p in folder.iterdir()] == ["plan.json"]
    assert [p.name for p in place.iterdir()] == ["out"]
