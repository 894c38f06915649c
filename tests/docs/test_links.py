"""What pages point at is there: other pages, headings in them, and files of the tree that are named as code."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLACES = ("*.md", "docs/**/*.md", "changelog.d/*.md", "src/**/README.md")
PAGES = sorted({path for place in PLACES for path in ROOT.glob(place)})
IDS = [page.relative_to(ROOT).as_posix() for page in PAGES]

LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<to>[^)\s]+)\)")
FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
# Files of this repository named in running text: `tests/x.py`, `docs/y.md`, `scripts/z.py`, folders end in a slash.
NAMED = re.compile(r"`((?:bench|conformance|docs|examples|scripts|src|tests)/[\w./-]*[\w/])`")


def prose(page):
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def headings(page):
    """As GitHub names them: lower case, blanks to hyphens, the rest dropped."""
    lines = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def missing_links(page):
    for link in LINK.finditer(prose(page)):
        to, _, heading = link["to"].partition("#")
        if "://" in to or to.startswith("mailto:"):
            continue
        target = (page.parent / to).resolve() if to else page
        if not target.exists() or (heading and heading not in headings(target)):
            yield link["to"]


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page):
    assert not list(missing_links(page))


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_named_files_are_there(page):
    assert not [name for name in NAMED.findall(prose(page)) if not (ROOT / name).exists()]


def test_a_dead_link_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Here\n[a](#here) [b](page.md#here) [c](https://x.test/) [d](none.md) [e](#there)\n")
    assert list(missing_links(page)) == ["none.md", "#there"]


def test_every_page_of_the_documentation_is_reached():
    """From the README, by links alone."""
    seen, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        for link in LINK.finditer(prose(page)):
            target = (page.parent / link["to"].partition("#")[0]).resolve()
            if target.suffix == ".md" and target.is_file():
                waiting.append(target)
    assert not {page for page in PAGES if page.is_relative_to(ROOT / "docs")} - seen
