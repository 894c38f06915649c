"""Writes the pages that are generated, or with --check says which are out of date."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import changelog
import docs_cli
import docs_matrix
import docs_readme

REPOSITORY = Path(__file__).resolve().parents[1]


def said(*words: str) -> str:
    """What the command `tappass` prints."""
    command = [sys.executable, "-m", "tappass_host.cli.main", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def changes() -> str:
    """The changelog with the fragments that wait for a release."""
    return changelog.unreleased(_read("CHANGELOG.md"), changelog.fragments(REPOSITORY / "changelog.d"))


PAGES: dict[str, Callable[[], str]] = {
    "docs/cli.md": docs_cli.page,
    "docs/matrix.md": docs_matrix.page,
    "docs/spec/compiled-policy.schema.json": lambda: said("policy", "schema"),
    "CHANGELOG.md": changes,
    "README.md": docs_readme.page,
}


def stale() -> list[str]:
    """Pages whose file differs from what would be generated."""
    return [name for name, make in PAGES.items() if _read(name) != make()]


def _read(name: str) -> str:
    path = REPOSITORY / name
    return path.read_text(encoding="utf-8") if path.exists() else ""


def main(argv: list[str]) -> int:
    """Write what is out of date, or only name it."""
    found = stale()
    for name in found:
        if "--check" not in argv:
            (REPOSITORY / name).write_text(PAGES[name](), encoding="utf-8")
        print(f"docs    {name} {'is out of date: make docs' if '--check' in argv else 'written'}")
    return 1 if found and "--check" in argv else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
