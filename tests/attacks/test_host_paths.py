"""Paths that root writes or reads: links, pipes, swapped parents and second names are refused."""

import os

import pytest

from tappass_host.host import beneath
from tappass_host.host.beneath import UnsafePathError


@pytest.fixture
def place(tmp_path):
    folder = tmp_path.resolve() / "etc"
    folder.mkdir()
    (tmp_path / "victim").write_text("secret")
    return folder


def test_a_parent_that_is_a_link_is_refused(place, tmp_path):
    (place / "tool").symlink_to(tmp_path)
    with pytest.raises(UnsafePathError, match="link"):
        beneath.write(place / "tool" / "victim", b"x", 0o644)
    assert (tmp_path / "victim").read_text() == "secret"


def test_a_file_that_is_a_link_is_replaced_and_its_target_untouched(place, tmp_path):
    (place / "settings").symlink_to(tmp_path / "victim")
    beneath.write(place / "settings", b"x", 0o644)
    assert (tmp_path / "victim").read_text() == "secret"
    assert not (place / "settings").is_symlink()


def test_a_link_is_not_read(place, tmp_path):
    (place / "settings").symlink_to(tmp_path / "victim")
    with pytest.raises(UnsafePathError):
        beneath.read(place / "settings")


def test_a_second_name_is_not_read(place, tmp_path):
    os.link(tmp_path / "victim", place / "settings")
    with pytest.raises(UnsafePathError, match="one name"):
        beneath.read(place / "settings")


def test_a_pipe_is_not_waited_for(place):
    os.mkfifo(place / "settings")
    with pytest.raises(UnsafePathError, match="plain file"):
        beneath.read(place / "settings")


def test_a_folder_that_others_may_change_is_refused(place):
    place.chmod(0o777)
    with pytest.raises(UnsafePathError, match="others"):
        beneath.write(place / "settings", b"x", 0o644)
    assert list(place.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_someone_else_is_not_read(place):
    (place / "settings").write_text("x")
    os.chown(place / "settings", 65534, 65534)
    with pytest.raises(UnsafePathError, match="someone else"):
        beneath.read(place / "settings")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_a_folder_of_someone_else_is_refused(place):
    os.chown(place, 65534, 65534)
    with pytest.raises(UnsafePathError, match="others"):
        beneath.write(place / "settings", b"x", 0o644)


def test_a_file_that_is_too_large_is_not_read(place):
    (place / "settings").write_bytes(b"x" * 11)
    with pytest.raises(UnsafePathError, match="larger"):
        beneath.read(place / "settings", cap=10)


def test_no_set_uid_bit_is_ever_set(place):
    beneath.write(place / "settings", b"x", 0o4755)
    assert (place / "settings").stat().st_mode & 0o7000 == 0


def test_nothing_is_left_beside_when_a_write_fails(place, monkeypatch):
    def full(step):
        if step.startswith("rename"):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(beneath, "before_step", full)
    with pytest.raises(OSError, match="No space"):
        beneath.write(place / "settings", b"x", 0o644)
    assert list(place.iterdir()) == []
