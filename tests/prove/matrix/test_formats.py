"""The same matrix as JSON, as a table for a terminal, and as Markdown."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from tappass_host.prove.matrix.build import Source, build
from tappass_host.prove.matrix.document import document, encoded
from tappass_host.prove.matrix.markdown import markdown, plain
from tappass_host.prove.matrix.stack import stack
from tappass_host.prove.matrix.table import table
from tappass_host.registry import Entry

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "spec" / "matrix.schema.json").read_text())
CELL = {"verdict", "strength", "surfaces", "proof"}
ROW = {
    "id",
    "aliases",
    "position",
    "target",
    "provider_version",
    "target_version",
    "proof",
    "effects",
    "aspects",
}


@pytest.fixture
def matrix(toy, monty, recorded, reach):
    """Two providers, one live in part, and one that is broken."""
    providers = {
        "monty": monty,
        "toy": toy(aliases=("game",), network="enforced", tools="unenforceable", filesystem="partial"),
    }
    entries = [Entry(name, "kernel", "1.0", "test 1.0", "ok") for name in providers]
    entries.append(Entry("lost", "kernel", "", "lost 1.0", "broken", "provider lost does not import"))
    return build(Source(entries, providers.__getitem__), [recorded()])


def test_the_document_is_what_its_schema_says(matrix):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads(encoded(matrix)), SCHEMA)


@pytest.mark.parametrize("missing", sorted(CELL))
def test_the_schema_misses_what_is_missing_in_a_cell(matrix, missing):
    made = document(matrix)
    del made["providers"][0]["aspects"]["interpreter"][missing]
    with pytest.raises(jsonschema.ValidationError, match=missing):
        jsonschema.validate(json.loads(json.dumps(made)), SCHEMA)


def test_the_document_has_the_keys_that_were_promised(matrix):
    for row in document(matrix)["providers"]:
        assert set(row) >= ROW
        assert all(set(cell) >= CELL for cell in row["aspects"].values())


def test_the_document_is_ascii_whatever_a_provider_says_of_itself(toy):
    entry = Entry("x", "kernel", "", "evil \u202e 1.0", "broken", "\x1b[2Jgone")
    made = encoded(build(Source((entry,), {}.__getitem__)))
    assert made.isascii()
    assert b"\x1b" not in made
    assert json.loads(made)["broken"][0]["reason"] == "\x1b[2Jgone"


def test_the_same_matrix_every_time(toy, monty, recorded):
    def made():
        entries = (Entry("monty", "interpreter", "1.0", "builtin", "ok"),)
        return encoded(build(Source(entries, {"monty": monty}.__getitem__), [recorded()]))

    assert made() == made()


def lines(matrix, width=0):
    return ["".join(span.text for span in line) for line in table(matrix, width)]


@pytest.mark.parametrize("width", [60, 72, 80, 100, 120, 132, 200])
def test_the_table_fits_the_terminal(matrix, width):
    assert max(map(len, lines(matrix, width))) <= width


@pytest.mark.parametrize("width", [0, 60, 80, 120])
def test_the_table_says_everything_at_every_width(matrix, width):
    text = "\n".join(lines(matrix, width))
    for said in ("monty", "toy", "broken", "lost: provider lost does not import"):
        assert said in text


def _cells(matrix, name):
    found = next(line for line in lines(matrix) if line.strip().startswith(f"{name} "))
    return dict(zip(matrix.aspects, found.split()[1:], strict=False))


def test_a_cell_of_the_table_says_how_much_how_strongly_and_how_that_is_known(matrix, toy, reach):
    cells = _cells(matrix, "toy")
    assert (cells["network"], cells["filesystem"], cells["tools"], cells["head"]) == (
        "ALL",
        "PART",
        "none",
        "-",
    )
    assert _cells(matrix, "monty")["interpreter"] == "SHUT+"
    weak = toy(network="enforced", at=reach(strength="cooperative"))
    entry = Entry("toy", "kernel", "1.0", "test 1.0", "ok")
    assert _cells(build(Source((entry,), {"toy": weak}.__getitem__)), "toy")["network"] == "all"


def test_the_legend_explains_only_what_is_there(toy):
    entry = Entry("toy", "kernel", "1.0", "test 1.0", "ok")
    text = "\n".join(lines(build(Source((entry,), {"toy": toy(network="enforced")}.__getitem__))))
    assert "every statement is enforced" in text
    assert "with a way round" not in text
    assert "seen live" not in text


def test_every_row_of_the_markdown_table_has_every_column(matrix):
    rows = [
        line for line in markdown(matrix).splitlines() if line.startswith("| **") or "provider | pos" in line
    ]
    columns = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
    assert columns == {4 + len(matrix.aspects) + 1}
    assert len(rows) == 1 + len(matrix.providers)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a | b", r"a \| b"),
        ("<script>", r"\<script\>"),
        ("[x](javascript:y)", r"\[x\](javascript:y)"),
        ("`code` **bold**", r"\`code\` \*\*bold\*\*"),
        ("two\nlines", "two lines"),
        ("a\u202eb", r"a\\u202eb"),
        ("&lt;", r"\&lt;"),
    ],
)
def test_text_of_others_is_no_markup(text, shown):
    assert plain(text) == shown


def test_the_markdown_names_each_proof(matrix):
    text = markdown(matrix)
    assert re.search(r"\| monty \| monty 1\.4\.0 \| live \| (\d+) of \1 \| .*by ops \|", text)
    assert "lost (lost 1.0): provider lost does not import" in text


def test_a_stack_is_the_join_of_its_providers(monty):
    from tappass_host import registry

    joined = stack(["bubblewrap", "monty"], registry.get)
    assert joined.why == ""
    assert set(joined.uses) >= {"bubblewrap", "monty"}
    assert joined.inside["monty"] == "bubblewrap"
    alone = stack(["monty"], registry.get)
    assert alone.aspects["filesystem"].restrictions.total == joined.aspects["filesystem"].restrictions.total
    assert joined.aspects["interpreter"].grade != "none"


def test_a_stack_that_does_not_go_together_says_why():
    from tappass_host import registry

    joined = stack(["bubblewrap", "bubblewrap", "monty", "monty"], registry.get)
    assert bool(joined.why) != bool(joined.aspects)
