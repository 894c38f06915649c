"""CHANGELOG.md from the fragments in changelog.d/: one file for each change that a user can notice.

    python scripts/changelog.py                                  put the fragments under "Unreleased"
    python scripts/changelog.py --check                          exit 1 if that would change anything
    python scripts/changelog.py --release 0.2.0 --date 2027-01-31   make them a release

A fragment is `changelog.d/<what>.<kind>.md`: a sentence or two of Markdown. Two people who add one never
touch the same line.
"""

import argparse
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

REPOSITORY: Final = Path(__file__).resolve().parents[1]
# The kinds of https://keepachangelog.com/en/1.1.0/, read 2026-11, with security first.
KINDS: Final = ("security", "added", "changed", "deprecated", "removed", "fixed")
NAME: Final = re.compile(rf"(?P<what>[a-z0-9]+(?:-[a-z0-9]+)*)\.(?P<kind>{'|'.join(KINDS)})\.md")
BEGIN: Final = "<!-- unreleased: made of changelog.d/ by scripts/changelog.py, do not edit -->"
END: Final = "<!-- released -->"
NO_FRAGMENT: Final = "README.md"


class ChangelogError(Exception):
    """A fragment or the changelog is not as it should be; the text says which and why."""


class Fragment(NamedTuple):
    """One change."""

    kind: str
    what: str
    text: str


def fragments(folder: Path) -> tuple[Fragment, ...]:
    """All fragments, sorted by name.

    Raises:
        ChangelogError: a file whose name says no kind, or that is empty.
    """
    found = []
    for path in sorted(folder.glob("*")):
        if path.name == NO_FRAGMENT:
            continue
        name = NAME.fullmatch(path.name)
        if name is None:
            raise ChangelogError(f"{path.name}: call it <what>.<kind>.md, a kind of {', '.join(KINDS)}")
        text = path.read_text(encoding="utf-8").strip()
        if not text:
            raise ChangelogError(f"{path.name}: empty")
        found.append(Fragment(name["kind"], name["what"], text))
    return tuple(found)


def section(title: str, found: Iterable[Fragment]) -> str:
    """One version of the changelog."""
    lines = [f"## {title}", ""]
    by_kind = {kind: [f for f in found if f.kind == kind] for kind in KINDS}
    for kind, some in by_kind.items():
        if some:
            lines += [f"### {kind.capitalize()}", "", *(item(f.text) for f in some), ""]
    return "\n".join(lines)


def item(text: str) -> str:
    """A fragment as an entry of a list; further lines are indented so that they stay in it."""
    first, *rest = text.splitlines()
    return "\n".join([f"- {first}", *(f"  {line}".rstrip() for line in rest)])


def parts(changelog: str) -> tuple[str, str]:
    """What stands before and after the unreleased part.

    Raises:
        ChangelogError: the two marks are not there, or not in order.
    """
    head, begin, rest = changelog.partition(BEGIN)
    _, end, released = rest.partition(END)
    if not (begin and end):
        raise ChangelogError(f"CHANGELOG.md needs the two lines {BEGIN!r} and {END!r}")
    return head, released.lstrip("\n")


def unreleased(changelog: str, found: tuple[Fragment, ...]) -> str:
    """The changelog with the fragments as its unreleased part."""
    head, released = parts(changelog)
    new = f"{section('Unreleased', found)}\n" if found else ""
    return f"{head}{BEGIN}\n\n{new}{END}\n\n{released}".rstrip("\n") + "\n"


def released(changelog: str, found: tuple[Fragment, ...], version: str, date: str) -> str:
    """The changelog with the fragments as a release.

    Raises:
        ChangelogError: there are none, or that version is there.
    """
    if not found:
        raise ChangelogError("nothing to release: changelog.d/ holds no fragment")
    head, before = parts(changelog)
    if f"\n## {version} " in f"\n{before}":
        raise ChangelogError(f"{version} is released already")
    new = section(f"{version} ({date})", found)
    return f"{head}{BEGIN}\n\n{END}\n\n{new}\n{before}".rstrip("\n") + "\n"


def main(words: list[str], root: Path = REPOSITORY) -> int:
    """Build, check or release."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if something would")
    parser.add_argument("--release", metavar="VERSION", help="make the fragments this release")
    parser.add_argument("--date", metavar="YYYY-MM-DD", help="its date")
    chosen = parser.parse_args(words)
    if bool(chosen.release) != bool(chosen.date):
        parser.error("--release and --date go together")
    path, folder = root / "CHANGELOG.md", root / "changelog.d"
    old = path.read_text(encoding="utf-8")
    found = fragments(folder)
    new = released(old, found, chosen.release, chosen.date) if chosen.release else unreleased(old, found)
    if chosen.check:
        print("CHANGELOG.md is up to date" if new == old else "CHANGELOG.md is stale: scripts/changelog.py")
        return int(new != old)
    path.write_text(new, encoding="utf-8")
    if chosen.release:
        for fragment in found:
            (folder / f"{fragment.what}.{fragment.kind}.md").unlink()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ChangelogError as wrong:
        sys.exit(f"changelog: {wrong}")
