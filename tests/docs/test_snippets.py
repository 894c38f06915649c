"""Every page's code does what the page says, and the runner notices when it does not."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACES = ("README.md", "CONTRIBUTING.md", "docs/**/*.md", "examples/*/README.md")
PAGES = sorted(path for place in PLACES for path in ROOT.glob(place))


@pytest.mark.parametrize("page", PAGES, ids=[page.relative_to(ROOT).as_posix() for page in PAGES])
def test_page(page, tmp_path, monkeypatch, snippets):
    monkeypatch.chdir(tmp_path)
    snippets.run_page(page, tmp_path)


def test_there_are_pages():
    assert PAGES


GOOD = {
    "python shares names": "```python\nx = 1\n```\ntext\n```python\nassert x == 1\n```\n",
    "a doctest after python": "```python\nx = 2\n```\n```pycon\n>>> x + 1\n3\n```\n",
    "python after a doctest": "```pycon\n>>> y = 4\n```\n```python\nassert y == 4\n```\n",
    "a file, then a command": "```toml file=a/b.toml\nkey = 1\n```\n```console\n$ cat a/b.toml\nkey = 1\n```\n",
    "appended": "```text file=a\none\n```\n```text file=a append\ntwo\n```\n```console\n$ cat a\none\ntwo\n```\n",
    "anything": "```console\n$ seq 3\n1\n...\n3\n```\n",
    "an exit code": "```console exit=3\n$ true\n$ exit 3\n```\n",
    "a long command": "```console\n$ echo a \\\n> b\na b\n```\n",
    "indented": "1. step\n\n   ```python\n   z = 1\n   ```\n   ```pycon\n   >>> z\n   1\n   ```\n",
}
BAD = {
    "python that raises": "```python\n1 / 0\n```\n",
    "another answer": "```pycon\n>>> 1 + 1\n3\n```\n",
    "another output": "```console\n$ echo a\nb\n```\n",
    "a command that fails": "```console\n$ false\n```\n",
    "a command that does not": "```console exit=1\n$ true\n```\n",
    "an early command that fails": "```console exit=1\n$ false\n$ false\n```\n",
    "a shell that is not run": "```sh\ntrue\n```\n",
}


@pytest.mark.parametrize("text", GOOD.values(), ids=list(GOOD))
def test_runs(text, tmp_path, monkeypatch, snippets):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "page.md").write_text(text)
    assert snippets.run_page(tmp_path / "page.md", tmp_path) > 0


@pytest.mark.parametrize("text", BAD.values(), ids=list(BAD))
def test_notices(text, tmp_path, monkeypatch, snippets):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "page.md").write_text(text)
    with pytest.raises((AssertionError, ZeroDivisionError)):
        snippets.run_page(tmp_path / "page.md", tmp_path)


def test_a_page_leaves_nothing_behind(tmp_path, monkeypatch, snippets):
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "```python file=made_by_a_page.py\nX = 1\n```\n"
        f"```python\nimport sys\nsys.path.insert(0, {str(tmp_path)!r})\nimport made_by_a_page\n```\n"
    )
    assert snippets.run_page(page, tmp_path) == 2
    assert "made_by_a_page" not in sys.modules
    assert str(tmp_path) not in sys.path


def test_blocks_for_reading_are_not_run(tmp_path, snippets):
    (tmp_path / "page.md").write_text("```yaml\na: [\n```\n")
    assert snippets.run_page(tmp_path / "page.md", tmp_path) == 0
