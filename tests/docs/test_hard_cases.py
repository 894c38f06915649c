"""The table of hard cases in the specification, row by row, asked of the command."""

import json
import re
import shlex
from pathlib import Path

import pytest

from tappass_host.cli.root import run

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "spec" / "compiled-policy.md"
ROW = re.compile(
    r"^\| `(?P<words>--.+?)` \| (?P<verdict>allow|ask|deny|unmanaged) \| (?P<why>.+) \|$", re.MULTILINE
)
ROWS = [(row["words"], row["verdict"]) for row in ROW.finditer(PAGE.read_text())]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hard")
    policy = re.search(r"```yaml file=hard\.yaml\n(.+?)```", PAGE.read_text(), re.DOTALL)
    (folder / "hard.yaml").write_text(policy[1])
    assert run(["policy", "compile", str(folder / "hard.yaml"), "--out", str(folder / "hard.json")]) == 0
    return folder / "hard.json"


def test_the_table_is_there():
    assert len(ROWS) >= 30
    assert {verdict for _, verdict in ROWS} == {"allow", "ask", "deny", "unmanaged"}


@pytest.mark.parametrize(("words", "verdict"), ROWS, ids=[words for words, _ in ROWS])
def test_row(words, verdict, compiled, capsys):
    run(["policy", "decide", str(compiled), *shlex.split(words), "--json"])
    assert json.loads(capsys.readouterr().out)["effect"] == verdict
