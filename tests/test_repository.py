"""What holds of every file in the tree: no names of other machines, no file too long, start-up that loads little."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCE = REPOSITORY / "src" / "tappass_host"
LONGEST_FILE = 600
# Folders that tools make; a tree without git (an sdist) is walked instead.
MADE = {".git", ".venv", ".demo", "__pycache__", "build", "dist", "site"}


def tracked() -> list[Path]:
    if (REPOSITORY / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True)
        paths = [REPOSITORY / name for name in listed.stdout.decode().split("\0") if name]
    else:
        paths = [
            p
            for p in REPOSITORY.rglob("*")
            if not any(q in MADE or "cache" in q for q in p.relative_to(REPOSITORY).parts)
        ]
    return sorted(p for p in paths if p.is_file())


FILES = tracked()
PYTHON = [path for path in FILES if path.suffix == ".py"]
MODULES = [path for path in PYTHON if path.is_relative_to(SOURCE)]


def texts():
    for path in FILES:
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def names(paths):
    return [str(path.relative_to(REPOSITORY)) for path in paths]


# With a class of one letter in each, so that this file does not hold what it looks for.
FORBIDDEN = {
    "a package registry's host": r"\b(?:p[y]pi\.org|p[y]thonhosted\.org|npm[j]s\.(?:org|com)|crate[s]\.io)",
    "a path of one machine": r"(?<![\w.])/wor[k]/(?:main|shared)\b|/roo[t]/\.|/tmp/bash_[j]obs",
    "a folder beside the tree": r"\.\./share[d]\b|\.librar[y]/",
    "a number of an issue tracker": r"\b[Ii]ssue[s]? (?:#?\d+|[A-G])\b|\(#[0-9]+\)",
    "a page that is not in the tree": r"\b(?:DESIG[N]|MEANIN[G])\.md\b|\bDESIG[N] section",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_mentions(what):
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{path.relative_to(REPOSITORY)}:{text.count(chr(10), 0, hit.start()) + 1}: {hit.group()}"
        for path, text in texts()
        for hit in pattern.finditer(text)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("what", "parts"),
    [
        ("a package registry's host", ("https://py", "pi.org/project/x")),
        ("a package registry's host", ("registry.npm", "js.org")),
        ("a path of one machine", ("see /wo", "rk/main/src")),
        ("a path of one machine", ("/ro", "ot/.cache")),
        ("a folder beside the tree", ("../sh", "ared/x")),
        ("a number of an issue tracker", ("see iss", "ue B")),
        ("a number of an issue tracker", ("fixed (", "#12)")),
        ("a page that is not in the tree", ("as DESI", "GN.md says")),
    ],
)
def test_the_patterns_find_what_they_are_for(what, parts):
    assert re.search(FORBIDDEN[what], "".join(parts))


def test_files_are_short_enough_to_read():
    long = {n: len(p.read_text().splitlines()) for p, n in zip(PYTHON, names(PYTHON), strict=True)}
    assert not {name: lines for name, lines in long.items() if lines > LONGEST_FILE}


def test_modules_with_code_say_what_they_are_for():
    silent = [
        path for path in MODULES if (tree := ast.parse(path.read_text())).body and not ast.get_docstring(tree)
    ]
    assert not names(silent)


def test_packages_of_the_architecture_say_what_they_are_for():
    packages = [
        path for path in SOURCE.glob("*/__init__.py") if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not names(packages)


@pytest.mark.parametrize("mark", ["TO[D]O", "FIXM[E]", "XX[X]"])
def test_nothing_is_left_for_later(mark):
    found = [path for path in MODULES if re.search(rf"\b{mark}\b", path.read_text())]
    assert not names(found)


def test_shipped_data_is_read_as_packages_do():
    """What is found by `__file__` alone would be missing from a zipped or built package: it lies in the package."""
    outside = [p for p in MODULES if re.search(r"parents\[[3-9]\]", p.read_text())]
    assert not names(outside)


# Modules that cost tens of milliseconds, and that the quick answers need not.
HEAVY = (
    "asyncio",
    "cryptography",
    "hypothesis",
    "msgspec",
    "pytest",
    "re2",
    "ssl",
    "tree_sitter",
    "tree_sitter_bash",
    "yaml",
)


def loaded_by(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(chr(10).join(sys.modules), file=sys.stderr)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.splitlines())


RUN = "import sys; sys.argv = ['tappass', *{words}]\nfrom tappass_host.cli.main import main\ntry: main()\nexcept SystemExit: pass"


@pytest.mark.parametrize(
    ("words", "spared"),
    [
        (["--version"], (*HEAVY, "click")),
        (["--help"], HEAVY),
        (["policy", "--help"], HEAVY),
        (["provider", "list"], ("asyncio", "cryptography", "re2", "tree_sitter", "yaml")),
    ],
)
def test_start_up_loads_only_what_the_verb_needs(words, spared):
    loaded = loaded_by(RUN.format(words=words))
    assert "tappass_host.cli.main" in loaded
    assert not loaded.intersection(spared)


@pytest.mark.parametrize(
    "module", ["policy.decide", "policy.effective", "sdk.contract", "sdk.builder", "compiler.compile"]
)
def test_the_core_loads_nothing_heavy(module):
    loaded = loaded_by(f"import tappass_host.{module}")
    assert not loaded.intersection(
        {"asyncio", "cryptography", "re2", "tree_sitter", "yaml", "click", "subprocess"}
    )
