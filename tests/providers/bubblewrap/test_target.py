"""What is looked at before bubblewrap itself is asked: a dry run must leave nothing behind."""

from pathlib import Path

from tappass_host.providers.kernel.bubblewrap.target import _missing


def missing(*words):
    return list(_missing(list(words)))


def test_a_source_that_is_not_here_is_not_tried(tmp_path):
    assert missing("--bind", str(tmp_path), str(tmp_path)) == []
    assert "not on this machine" in missing("--ro-bind", f"{tmp_path}/gone", "/usr")[0]


def test_a_mask_of_something_that_is_not_here_would_be_made_on_the_host(tmp_path):
    gone = f"{tmp_path}/gone"
    assert "no such mount point" in missing("--ro-bind", "/dev/null", gone)[0]
    assert "no such mount point" in missing("--tmpfs", gone)[0]
    assert not Path(gone).exists()


def test_in_what_is_the_sandboxes_own_everything_can_be_made(tmp_path):
    own = str(tmp_path)
    assert missing("--tmpfs", own, "--ro-bind", "/dev/null", f"{own}/x", "--tmpfs", f"{own}/y") == []
    assert missing("--tmpfs", "/dev/shm", "--tmpfs", "/proc/1", "--ro-bind", "/usr", "/dev/tappass/x") == []
