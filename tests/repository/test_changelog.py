"""scripts/changelog.py: fragments become the changelog, and nothing else does."""

import importlib.util
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location("changelog", REPOSITORY / "scripts" / "changelog.py")
changelog = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(changelog)

EMPTY = f"# Changelog\n\n{changelog.BEGIN}\n\n{changelog.END}\n"


@pytest.fixture
def root(tmp_path):
    (tmp_path / "CHANGELOG.md").write_text(EMPTY)
    (tmp_path / "changelog.d").mkdir()
    (tmp_path / "changelog.d" / "README.md").write_text("no fragment")
    return tmp_path


def add(root, name, text="Something."):
    (root / "changelog.d" / name).write_text(text)


def text(root):
    return (root / "CHANGELOG.md").read_text()


def test_the_changelog_of_this_repository_is_up_to_date():
    assert changelog.main(["--check"]) == 0


def test_no_fragments_leave_it_empty(root):
    changelog.main([], root)
    assert text(root) == EMPTY


def test_fragments_stand_by_kind_security_first(root):
    add(root, "b.added.md", "New thing,\n\nin two parts.")
    add(root, "a.security.md", "Old hole.")
    add(root, "a.added.md")
    changelog.main([], root)
    assert text(root) == EMPTY.replace(
        f"\n\n{changelog.END}",
        "\n\n## Unreleased\n\n### Security\n\n- Old hole.\n\n### Added\n\n- Something.\n"
        f"- New thing,\n\n  in two parts.\n\n{changelog.END}",
    )


def test_building_twice_changes_nothing(root):
    add(root, "a.fixed.md")
    changelog.main([], root)
    once = text(root)
    changelog.main([], root)
    assert text(root) == once


def test_check_tells_and_writes_nothing(root):
    add(root, "a.fixed.md")
    assert changelog.main(["--check"], root) == 1
    assert text(root) == EMPTY
    changelog.main([], root)
    assert changelog.main(["--check"], root) == 0


def test_a_release_takes_the_fragments(root):
    add(root, "a.fixed.md", "One.")
    changelog.main(["--release", "0.2.0", "--date", "2027-01-31"], root)
    add(root, "b.fixed.md", "Two.")
    changelog.main(["--release", "0.3.0", "--date", "2027-02-28"], root)
    assert text(root) == (
        f"{EMPTY}\n## 0.3.0 (2027-02-28)\n\n### Fixed\n\n- Two.\n\n"
        "## 0.2.0 (2027-01-31)\n\n### Fixed\n\n- One.\n"
    )
    assert [path.name for path in (root / "changelog.d").iterdir()] == ["README.md"]


def test_nothing_to_release(root):
    with pytest.raises(changelog.ChangelogError, match="nothing to release"):
        changelog.main(["--release", "0.2.0", "--date", "2027-01-31"], root)


def test_a_version_is_released_once(root):
    release = ["--release", "0.2.0", "--date", "2027-01-31"]
    add(root, "a.fixed.md")
    changelog.main(release, root)
    add(root, "b.fixed.md")
    with pytest.raises(changelog.ChangelogError, match="released already"):
        changelog.main(release, root)


@pytest.mark.parametrize("name", ["a.md", "a.news.md", "A.fixed.md", "a.fixed.txt", "a..fixed.md"])
def test_a_fragment_says_its_kind(root, name):
    add(root, name)
    with pytest.raises(changelog.ChangelogError, match=r"call it <what>\.<kind>\.md"):
        changelog.main([], root)


def test_an_empty_fragment_is_refused(root):
    add(root, "a.fixed.md", " \n")
    with pytest.raises(changelog.ChangelogError, match="empty"):
        changelog.main([], root)


@pytest.mark.parametrize("broken", ["# Changelog\n", f"{changelog.END}\n{changelog.BEGIN}\n"])
def test_a_changelog_without_marks_is_refused(root, broken):
    (root / "CHANGELOG.md").write_text(broken)
    with pytest.raises(changelog.ChangelogError, match="needs the two lines"):
        changelog.main([], root)
    assert text(root) == broken
