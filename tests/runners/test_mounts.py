import pytest

from tappass_host.sdk.configs.interpreter import Mount


@pytest.fixture
def tree(tmp_path):
    """A read-only and a writable folder, a secret beside them, and links that try to reach it."""
    root = tmp_path.resolve()
    for name in ("ro", "rw", "outside", "ro/inner"):
        (root / name).mkdir()
    (root / "ro/file").write_text("visible")
    (root / "rw/old").write_text("old")
    (root / "outside/secret").write_text("SECRET")
    for folder in ("ro", "rw"):
        (root / folder / "relative").symlink_to("../outside/secret")
        (root / folder / "absolute").symlink_to(root / "outside/secret")
        (root / folder / "folder").symlink_to("../outside")
        (root / folder / "chain").symlink_to("relative")
    (root / "ro/inside").symlink_to("file")
    return root


@pytest.fixture
def mounts(tree):
    return (
        Mount(host=str(tree / "ro"), guest="/ro"),
        Mount(host=str(tree / "rw"), guest="/rw", mode="rw", write_bytes=100),
    )


PERMITTED = [
    ("read", "open('/ro/file').read()", "visible"),
    ("read through a link inside", "open('/ro/inside').read()", "visible"),
    ("list", "import os\nsorted(os.listdir('/ro/inner'))", []),
    ("read writable", "open('/rw/old').read()", "old"),
    ("write", "open('/rw/new', 'w').write('x' * 100)", 100),
    (
        "write and read",
        "from pathlib import Path\nPath('/rw/n').write_text('a')\nPath('/rw/n').read_text()",
        "a",
    ),
    ("up and down again", "open('/ro/inner/../file').read()", "visible"),
]


@pytest.mark.parametrize(("code", "value"), [p[1:] for p in PERMITTED], ids=[p[0] for p in PERMITTED])
def test_what_the_mounts_permit_works(run_code, mounts, code, value):
    result = run_code(code, mounts=mounts)
    assert (result.status, result.result) == ("ok", value), result


DENIED = [
    ("host file", "open('/etc/passwd').read()", "PermissionError"),
    ("host path of the mount", "open('{root}/ro/file').read()", "PermissionError"),
    ("up and out", "open('/ro/../../etc/passwd').read()", "PermissionError"),
    ("up and out to the sibling", "open('/ro/../outside/secret').read()", "PermissionError"),
    ("relative link", "open('/ro/relative').read()", "PermissionError"),
    ("absolute link", "open('/ro/absolute').read()", "PermissionError"),
    ("folder link", "open('/ro/folder/secret').read()", "PermissionError"),
    ("link to a link", "open('/ro/chain').read()", "PermissionError"),
    ("link in the writable folder", "open('/rw/relative').read()", "PermissionError"),
    ("write through a link", "open('/rw/relative', 'w').write('x')", "PermissionError"),
    ("write through an absolute link", "open('/rw/absolute', 'w').write('x')", "PermissionError"),
    ("write through a folder link", "open('/rw/folder/new', 'w').write('x')", "PermissionError"),
    ("list through a link", "import os\nos.listdir('/ro/folder')", "PermissionError"),
    ("list the root", "import os\nos.listdir('/')", "PermissionError"),
    ("write read-only", "open('/ro/new', 'w').write('x')", "PermissionError"),
    ("append read-only", "open('/ro/file', 'a').write('x')", "PermissionError"),
    ("remove read-only", "from pathlib import Path\nPath('/ro/file').unlink()", "PermissionError"),
    ("mkdir read-only", "from pathlib import Path\nPath('/ro/x').mkdir()", "PermissionError"),
    ("move out of read-only", "import os\nos.rename('/ro/file', '/rw/file')", "OSError"),
    ("move over read-only", "import os\nos.rename('/rw/old', '/ro/file')", "OSError"),
    ("move to the host", "import os\nos.rename('/rw/old', '/tmp/x')", ""),
    ("write more than the cap", "open('/rw/new', 'w').write('x' * 101)", "OSError"),
    ("write the cap twice", "open('/rw/a', 'w').write('x' * 60)\nopen('/rw/b', 'w').write('x' * 60)", "OSError"),
    ("make a link", "import os\nos.symlink('/etc/passwd', '/rw/l')", "AttributeError"),
    ("make a link by pathlib", "from pathlib import Path\nPath('/rw/l').symlink_to('/etc')", "AttributeError"),
    ("make a hard link", "from pathlib import Path\nPath('/rw/l').hardlink_to('/ro/file')", "AttributeError"),
    ("NUL in the path", "open('/ro/file\\0/../../etc/passwd').read()", ""),
    ("proc", "open('/proc/self/environ').read()", "PermissionError"),
    ("change directory", "import os\nos.chdir('/')\nopen('etc/passwd').read()", "PermissionError"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "error"), [d[1:] for d in DENIED], ids=[d[0] for d in DENIED])
def test_what_lies_beyond_the_mounts_is_out_of_reach(run_code, mounts, tree, code, error):
    result = run_code(code.replace("{root}", str(tree)), mounts=mounts)
    assert result.status in ("denied", "error"), result
    assert error in ("", result.error.type), result
    if error == "PermissionError":
        assert result.status == "denied"
    assert "SECRET" not in result.to_json().decode()
    assert (tree / "outside/secret").read_text() == "SECRET"
    assert (tree / "ro/file").read_text() == "visible"
    assert [each.name for each in (tree / "outside").iterdir()] == ["secret"]


def test_without_mounts_there_are_no_files(run_code, tree):
    assert run_code(f"open('{tree}/ro/file').read()").status == "denied"
    assert run_code("open('x', 'w').write('1')").status == "denied"


def test_the_file_size_limit_does_not_stop_appending_to_a_large_file(run_code, mounts, tree):
    with (tree / "rw/large").open("wb") as file:
        file.truncate(10 << 20)
    assert run_code("open('/rw/large', 'a').write('x')", mounts=mounts).result == 1
    assert (tree / "rw/large").stat().st_size == (10 << 20) + 1


def test_files_are_made_private(run_code, mounts, tree):
    run_code("open('/rw/new', 'w').write('x')", mounts=mounts)
    assert (tree / "rw/new").stat().st_mode & 0o077 == 0
