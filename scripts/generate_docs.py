"""Writes the pages of `docs/` that are generated, or with --check says which are out of date."""

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import docs_cli

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES: dict[str, Callable[[], str]] = {"docs/cli.md": docs_cli.page}


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
