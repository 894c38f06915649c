"""SQL text: what is quoted comes back as it was, and what is not surely one statement is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tappass_host.policy.errors import RenderError
from tappass_host.sdk.artifacts import Artifact
from tappass_host.sdk.emit import emit, symbolic
from tappass_host.sdk.sql import Token, identifier, is_plain, literal, tokens

PRINTABLE = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1)


@given(PRINTABLE)
def test_a_quoted_text_is_one_token_and_comes_back(text):
    if not is_plain(text):
        return
    assert tokens(identifier(text)) == (Token("name", text),)
    assert tokens(literal(text)) == (Token("string", text),)
    assert tokens(f"SELECT {identifier(text)} = {literal(text)}")[1::2] == (
        Token("name", text),
        Token("string", text),
    )


NOT_ONE_STATEMENT = {
    "nothing": "",
    "two statements": "SELECT 1; SELECT 2",
    "a final semicolon": "SELECT 1;",
    "a comment": "SELECT 1 -- x",
    "a block comment": "SELECT /* x */ 1",
    "a hash comment": "SELECT 1 # x",
    "two lines": "SELECT\n1",
    "a line separator": "SELECT '\u2028'",
    "a NUL": "SELECT '\0'",
    "an open string": "SELECT 'x",
    "an open name": 'SELECT "x',
    "an empty name": 'SELECT ""',
    "an escape string": r"SELECT E'\'; DROP TABLE x'",
    "a hex string": "SELECT X'00'",
    "a dollar string": "SELECT $$x$$",
    "a parameter": "SELECT ?",
    "a backslash": r"SELECT \x",
    "a minus before a minus": "SELECT --1",
    "a number that runs on": "SELECT 1e5",
}


@pytest.mark.parametrize("text", NOT_ONE_STATEMENT.values(), ids=NOT_ONE_STATEMENT)
def test_what_is_not_surely_one_statement_is_refused(text):
    with pytest.raises(RenderError):
        tokens(text)
    with pytest.raises(RenderError):
        emit(Artifact(id="x", codec="sql", doc=[text]), symbolic)


@pytest.mark.parametrize("text", ["", "a\nb", "a\0b", "a\x7fb", "\u2029"])
def test_a_name_that_cannot_be_quoted_is_refused(text):
    with pytest.raises(RenderError):
        identifier(text)


def test_an_empty_text_is_a_value():
    assert literal("") == "''"


def test_statements_are_written_in_order():
    doc = {"build": ['CREATE SCHEMA "a"'], "lock": ["SET threads = 1", "SET lock_configuration = true"]}
    assert emit(Artifact(id="x", codec="sql", doc=doc), symbolic) == (
        b'CREATE SCHEMA "a";\nSET threads = 1;\nSET lock_configuration = true;\n'
    )


def test_words_are_lower_case_and_values_are_not():
    assert [t.text for t in tokens("SELECT 'A' FROM \"B\" WHERE X <= -1.5")] == [
        "select", "A", "from", "B", "where", "x", "<=", "-1.5",
    ]  # fmt: skip
