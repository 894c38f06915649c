"""What is built is whole: sdist, wheel from the sdist, and the wheel in an environment of its own."""

import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCE = REPOSITORY / "src"


def run(*argv, **more):
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=180, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder with both archives."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(REPOSITORY))
    return folder


def names(built, pattern):
    (archive,) = built.glob(pattern)
    if archive.suffix == ".whl":
        return set(zipfile.ZipFile(archive).namelist())
    with tarfile.open(archive) as opened:
        return {name.partition("/")[2] for name in opened.getnames()}


def shipped():
    """Every file of the package as git knows it, data as well as code."""
    if not (REPOSITORY / ".git").exists():
        pytest.skip("a tree without git")
    listed = run("git", "ls-files", "-z", "src/tappass_host", cwd=REPOSITORY)
    return {name.removeprefix("src/") for name in listed.split("\0") if name and (REPOSITORY / name).exists()}


def test_the_wheel_holds_every_file_of_the_package(built):
    assert not shipped() - names(built, "*.whl")


def test_the_wheel_holds_nothing_else(built):
    top = {name.partition("/")[0] for name in names(built, "*.whl")}
    assert {name.partition("-")[0] for name in top} == {"tappass_host"}


@pytest.mark.parametrize(
    "name",
    [
        "tappass_host/py.typed",
        "tappass_host/policy/presets/worker.yaml",
        "tappass_host/policy/catalogue/categories.json",
        "tappass_host/prove/recordings/monty/laptop.json",
        "tappass_host/prove/probes/agent.py",
        "tappass_host/prove/targets.toml",
        "tappass_host/dataplane/bridge.py",
        "tappass_host/cli/scaffold/provider.py.txt",
    ],
)
def test_the_wheel_holds(built, name):
    assert name in names(built, "*.whl")


@pytest.mark.parametrize(
    "name",
    [
        "tests/conftest.py",
        "docs/index.md",
        "examples/acme/org.yaml",
        "Makefile",
        "SECURITY.md",
        "scripts/demo.py",
    ],
)
def test_the_sdist_holds(built, name):
    assert name in names(built, "*.tar.gz")


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """A fresh environment with the wheel, and with what it depends on from here, the wheel's own code apart."""
    folder = tmp_path_factory.mktemp("env")
    run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    (wheel,) = built.glob("*.whl")
    python = folder / "bin" / "python"
    run(
        sys.executable,
        "-m",
        "pip",
        "-q",
        "--python",
        str(python),
        "install",
        "--no-deps",
        "--no-index",
        str(wheel),
    )
    return folder


def test_the_version_needs_no_dependency(installed):
    assert run(installed / "bin" / "tappass", "--version").startswith("tappass ")


def test_it_works_from_the_wheel(installed, tmp_path):
    python = installed / "bin" / "python"
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    # A folder on the path, whose own .pth files are not read: the tree that is being tested stays out.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    where = run(python, "-c", "import tappass_host; print(tappass_host.__file__)").strip()
    assert Path(where).is_relative_to(site)
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    for words in (
        "policy init --preset observer --for monty",
        "policy compile --out compiled.json",
        "render --policy compiled.json --facts none --out out",
        "provider matrix --format json",
        "provider new acme-box",
    ):
        run(installed / "bin" / "tappass", *words.split(), cwd=tmp_path, env=env)
    assert (tmp_path / "out" / "plan.json").exists()
