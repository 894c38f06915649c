"""The page of a coverage: every statement once, under the right heading, and nothing that runs."""

import json
import re

import pytest

from tappass_host.compiler.coverage import Coverage, Place, StatementCoverage
from tappass_host.prove.pages.coverage import group_of, page


def statement(name, verdict, polarity="restrict", *places, level="org"):
    aspect = name.partition(".")[0]
    return StatementCoverage(
        id=name, verdict=verdict, aspect=aspect, polarity=polarity, level=level, places=places
    )


def place(use, surface, verdict, **more):
    return Place(use=use, surface=surface, verdict=verdict, **more)


GROUPS = {
    "a gap in a restriction": (statement("network.other", "gap"), "open"),
    "a named cannot": (statement("network.other", "unenforceable"), "open"),
    "a grant that is not there": (statement("tools.allow[Read]", "unenforceable", "grant"), "unavailable"),
    "a way round": (statement("network.other", "partial"), "partial"),
    "held": (statement("network.other", "enforced"), "enforced"),
    "no place": (statement("network.other", "vacuous"), "vacuous"),
}


@pytest.mark.parametrize(("row", "group"), GROUPS.values(), ids=GROUPS)
def test_a_statement_is_listed_under(row, group):
    assert group_of(row) == group
    assert f"<b>1</b> {group}" in page(
        Coverage(statements=(row,), unmanaged=()), title="acme v1", runtime="box"
    )


EVIL = "tools.deny[<script>alert(1)</script>]"


@pytest.fixture
def text():
    rows = (
        statement(EVIL, "gap", "restrict", place("harness", "tool", "gap", reason="</script><img src=x>")),
        statement(
            "filesystem.default[deny]",
            "enforced",
            "restrict",
            place("harness", "exec", "enforced", by="kernel", reach="mounts", strength="compulsory"),
            place("code", "code", "enforced", by="code", reach="mounts", strength="compulsory"),
        ),
    )
    return page(Coverage(statements=rows, unmanaged=("llm", "data")), title="<acme> v1", runtime="box")


def test_what_is_open_comes_first_and_nothing_is_left_out(text):
    assert text.index("tools.deny[") < text.index("filesystem.default[deny]")
    assert len(re.findall(r"<tr class=\"provider\"", text)) == 2
    assert "Unmanaged, so nothing is promised: llm, data." in text


def test_each_target_has_a_column_and_each_surface_its_verdict(text):
    assert re.findall(r'role="columnheader">([^<]+)<', text) == ["statement", "harness", "code"]
    assert '<span class="badge gap">tool gap</span>' in text
    assert '<span class="badge enforced">exec</span>' in text


def test_words_of_a_policy_are_text(text):
    assert "<img" not in text
    assert text.count("<script") == 2
    assert "&lt;acme&gt; v1" in text


def test_the_script_reads_every_statement(text):
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)
    rows = json.loads(data)["statements"]
    assert [(row["id"], row["group"]) for row in rows] == [
        (EVIL, "open"),
        ("filesystem.default[deny]", "enforced"),
    ]
