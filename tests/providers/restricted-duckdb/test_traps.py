"""What surprises in DuckDB, and that SQL text from a policy stays text."""

import copy

import msgspec
import pytest

from tappass_host.policy import actions as a
from tappass_host.policy import model as m
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import RenderError, TappassError
from tappass_host.providers.interpreter.restricted_duckdb import provider, reader
from tappass_host.providers.interpreter.restricted_duckdb.filters import written
from tappass_host.sdk.contract import TargetCapabilities
from tappass_host.sdk.emit import emit, symbolic
from tappass_host.sdk.kit.injection import HOSTILE
from tappass_host.sdk.kit.reference import policy
from tappass_host.sdk.sql import is_plain, tokens

TARGET = TargetCapabilities(version="2.0.0")
VIEW = m.View(name="sales", table="sales", columns=("amount",), row_filter="region = 'EU'", max_rows=10)
SOURCE = m.Source(id="crm", kind="parquet", path="/data/crm", views=(VIEW,))


def render(*sources, **aspects):
    data = m.Data(sources=sources) if sources else None
    return provider.render(EffectivePolicy(policy(data=data, **aspects)), TARGET)


def view(**changed):
    return render(msgspec.structs.replace(SOURCE, views=(msgspec.structs.replace(VIEW, **changed),)))


def source(**changed):
    return render(msgspec.structs.replace(SOURCE, **changed))


def build(config):
    return config.artifact("init").doc["build"]


def claim(config, statement):
    return next(c for c in config.claims if c.statement == statement)


def test_what_a_view_shows_is_copied_and_the_engine_is_shut_last():
    config = render(SOURCE)
    source = "SELECT \"amount\" FROM read_parquet('/data/crm/sales.parquet') WHERE \"region\" = 'EU' LIMIT 10"
    assert build(config) == [
        'CREATE SCHEMA IF NOT EXISTS "crm"',
        f'CREATE TABLE "crm"."sales" AS {source}',
    ]
    assert config.artifact("init").doc["lock"][-3:] == [
        "SET enable_external_access = false",
        "SET disabled_filesystems = 'LocalFileSystem'",
        "SET lock_configuration = true",
    ]


def test_nothing_is_a_view():
    for doc in (render(SOURCE), source(kind="duckdb")):
        assert b"VIEW" not in emit(doc.artifact("init"), symbolic)


def test_two_databases_are_both_closed_again():
    second = msgspec.structs.replace(SOURCE, id="hr", kind="duckdb", path="/data/hr.db")
    first = msgspec.structs.replace(SOURCE, kind="duckdb", path="/data/crm.db")
    made = build(render(first, second))
    assert [s for s in made if s.startswith("DETACH")] == ['DETACH "crm file"', 'DETACH "hr file"']


# Text stays text: one place at a time, and the statement has the same shape as with a harmless word.


def shape(config):
    return [[t.kind if t.kind in ("name", "string") else t.text for t in tokens(s)] for s in build(config)]


PLACES = {
    "a path": lambda text: source(path=f"/data/{text}"),
    "a path of a database": lambda text: source(kind="duckdb", path=f"/data/{text}"),
    "the name of a view": lambda text: view(name=text),
    "a file": lambda text: view(table=text),
    "a column": lambda text: view(columns=(text,)),
    "a value in a filter": lambda text: view(row_filter="region = '" + text.replace("'", "''") + "'"),
    "a column in a filter": lambda text: view(row_filter='"' + text.replace('"', '""') + "\" = 'EU'"),
}


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_hostile_text_changes_no_statement(place, text):
    config = place(text)
    made = shape(config)
    assert made in (shape(place("harmless")), made[:1], [])
    # What is left out is left out with a reason, and all else is read back.
    assert len(made) == len(shape(place("harmless"))) or any(c.reason for c in config.claims)
    reader.read(config.artifacts)
    if is_plain(text) and not set("*?[/").intersection(text):
        assert made == shape(place("harmless"))


FILTERS = {
    "region = 'EU'": "\"region\" = 'EU'",
    "REGION='EU' AND amount>=10": '("region" = \'EU\' AND "amount" >= 10)',
    "a = 1 or b = 2 and c = 3": '("a" = 1 OR ("b" = 2 AND "c" = 3))',
    "(a = 1 or b = 2) and c = 3": '(("a" = 1 OR "b" = 2) AND "c" = 3)',
    "not (a = 1 and b <> -2.5)": '(NOT ("a" = 1 AND "b" <> -2.5))',
    "a is null or a is not null": '("a" IS NULL OR "a" IS NOT NULL)',
    "a in (1, 'x', true)": "\"a\" IN (1, 'x', TRUE)",
    "a not in (1)": '"a" NOT IN (1)',
    "a between 1 and 2 and b = 3": '(("a" BETWEEN 1 AND 2) AND "b" = 3)',
    "a not like '%''x'": "\"a\" NOT LIKE '%''x'",
    '"odd ""name" = 1': '"odd ""name" = 1',
}
NOT_FILTERS = (
    "", "region", "1 = 1", "region = 'EU';", "region = other", "lower(region) = 'eu'", "a = (select 1)", "a in (select b from c)",
    "exists (select 1)", "a = 1 --", "a = 1 /* x */", "a = 1) or (b = 2", "a = 1 limit 5", "a = 1 union select 2",
    "a = E'x'", "a = $$x$$", "a = ?", "a = 1 and", "not", "a like b", "a is true", "case when 1 then 2 end", "a::text = 'x'",
    "a = 'x' 'y'", "a = 1 2", "a in ()", "(a = 1", "x.a = 1", "a\n= 1", "(" * 40 + "a = 1" + ")" * 40, "not " * 40 + "a = 1",
)  # fmt: skip


@pytest.mark.parametrize(("text", "sql"), FILTERS.items())
def test_a_filter_is_written_anew(text, sql):
    assert written(text) == sql
    assert written(sql) == sql


@pytest.mark.parametrize("text", NOT_FILTERS)
def test_what_says_more_than_a_filter_is_none(text):
    assert written(text) is None


@pytest.mark.parametrize("text", [text for text in NOT_FILTERS if text])
def test_a_view_whose_filter_says_more_is_left_out(text):
    config = view(row_filter=text)
    assert build(config) == ['CREATE SCHEMA IF NOT EXISTS "crm"']
    assert config.artifact("gate").doc["tables"] == []
    assert claim(config, "data.sources[crm].views[sales]").verdict == "unenforceable"
    # It is not there, so nothing of it is shown.
    assert claim(config, "data.sources[crm].views[sales].columns[amount]").verdict == "enforced"


LEFT_OUT = {
    "an unknown kind": {"kind": "oracle"},
    "a pattern": {"path": "/data/*"},
    "a catalog of its own": {"id": "temp"},
    "a catalog of its own in capitals": {"id": "System"},
}


@pytest.mark.parametrize("changed", LEFT_OUT.values(), ids=LEFT_OUT)
def test_a_source_that_cannot_be_built_is_left_out(changed):
    config = source(**changed)
    assert build(config) == []
    name = changed.get("id", "crm")
    assert claim(config, f"data.sources[{name}]").verdict == "unenforceable"
    assert claim(config, f"data.sources[{name}].views[sales]").verdict == "unenforceable"


def test_names_that_differ_in_case_only_are_one():
    twice = (VIEW, msgspec.structs.replace(VIEW, name="SALES"))
    config = render(msgspec.structs.replace(SOURCE, views=twice), msgspec.structs.replace(SOURCE, id="CRM"))
    assert len(build(config)) == 2
    assert claim(config, "data.sources[CRM]").verdict == "unenforceable"
    assert claim(config, "data.sources[crm].views[SALES]").verdict == "unenforceable"
    assert view(columns=("a", "A")).artifact("gate").doc["tables"] == []


def test_a_file_lies_in_the_folder_of_its_source():
    for table in ("../other", "a/b", "*"):
        assert len(build(view(table=table))) == 1


def test_no_time_at_all_cannot_be_said():
    config = render(interpreter=m.Interpreter(cpu_time_ms=0))
    assert claim(config, "interpreter.cpu_time_ms[0]").verdict == "unenforceable"
    assert "SET max_execution_time = 0" not in config.artifact("init").doc["lock"]


def test_a_view_shows_its_columns_and_its_rows():
    native = reader.read(render(SOURCE).artifacts)
    assert native.permits(a.Query(source="crm", view="sales", columns=("amount",), rows=10)).effect == "allow"
    assert native.permits(a.Query(source="crm", view="sales", columns=("amount", "ssn"))).effect == "deny"
    assert native.permits(a.Query(source="crm", view="sales", columns=("amount",), rows=11)).effect == "deny"
    assert native.permits(a.Query(source="crm", view="people")).effect == "deny"
    assert native.permits(a.File(op="read", path="/data/crm/sales.parquet", surface="code")).effect == "deny"
    assert native.permits(a.File(op="read", path="/data/crm/sales.parquet", surface="exec")) is None


def test_a_path_with_a_parameter_is_refused():
    with pytest.raises(RenderError, match="not an absolute path"):
        source(path="${workspace}/crm")


LOCK = "lock"
# What the reader refuses: which part of the script, and what becomes of it.
SPOILED = {
    "another order": (LOCK, lambda s: [*s[:-3], s[-2], s[-3], s[-1]]),
    "something after the lock": (LOCK, lambda s: [*s, "SET threads = 8"]),
    "no lock": (LOCK, lambda s: s[:-1]),
    "access left open": (LOCK, lambda s: [x.replace("access = false", "access = true") for x in s]),
    "another file system": (LOCK, lambda s: [x.replace("LocalFileSystem", "HTTPFileSystem") for x in s]),
    "a setting that is none": (LOCK, lambda s: ["SET statement_timeout = 1", *s]),
    "a setting that is no truth value": (LOCK, lambda s: ["SET lock_configuration = 'no'", *s[:-1]]),
    "a setting twice": (LOCK, lambda s: [s[0], *s]),
    "a statement that is none": (LOCK, lambda s: ["PRAGMA disable_optimizer", *s]),
    "a view": ("build", lambda s: [*s, 'CREATE VIEW "crm"."v" AS SELECT "a" FROM "crm"."sales"']),
    "a copy to a file": ("build", lambda s: [*s, "COPY \"x\" TO '/tmp/x'"]),
    "an extension": ("build", lambda s: [*s, 'LOAD "httpfs"']),
    "a database that can be written": ("build", lambda s: [*s, "ATTACH '/x' AS \"x\""]),
    "a pattern": ("build", lambda s: [s[0], s[1].replace("/sales.", "/*.")]),
    "a subquery": ("build", lambda s: [s[0], s[1].replace("'EU'", "(SELECT 1)")]),
    "a union": ("build", lambda s: [s[0], s[1].replace("LIMIT 10", 'UNION SELECT "ssn" FROM "x"."y"')]),
    "a join": ("build", lambda s: [s[0], s[1].replace("WHERE", ', "x"."y" WHERE')]),
    "all columns": ("build", lambda s: [s[0], s[1].replace('"amount"', "*")]),
    "two statements": ("build", lambda s: [s[0], s[1] + "; SELECT 1"]),
    "a table twice": ("build", lambda s: [*s, s[1].replace("sales", "SALES")]),
}  # fmt: skip


@pytest.mark.parametrize(("part", "spoil"), SPOILED.values(), ids=SPOILED)
def test_the_reader_refuses_what_is_not_shut(part, spoil):
    config = render(SOURCE)
    docs = {artifact.id: artifact for artifact in config.artifacts}
    bad = copy.deepcopy(docs["init"].doc)
    bad[part] = spoil(bad[part])
    assert bad != docs["init"].doc
    with pytest.raises(TappassError):
        reader.read([docs["gate"], msgspec.structs.replace(docs["init"], doc=bad)])


GATES = {
    "an unknown field": {"allow_all": True},
    "another type of statement": {"statements": ["COPY"]},
    "no engine": {"engine": ""},
    "a function that is none": {"denied_functions": ["read(*"]},
    "an expiry that is none": {"policy": {"digest": "x", "version": 1, "expires_at": "soon"}},
}


@pytest.mark.parametrize("changed", GATES.values(), ids=GATES)
def test_a_gate_that_the_runner_would_refuse(changed):
    config = render(SOURCE)
    gate = config.artifact("gate")
    with pytest.raises(TappassError):
        reader.read([config.artifact("init"), msgspec.structs.replace(gate, doc={**gate.doc, **changed})])


def test_a_table_that_the_gate_does_not_list_is_not_passed_on():
    config = render(SOURCE)
    gate = config.artifact("gate")
    native = reader.read(
        [config.artifact("init"), msgspec.structs.replace(gate, doc={**gate.doc, "tables": []})]
    )
    assert native.permits(a.Query(source="crm", view="sales", columns=("amount",))).effect == "deny"


@pytest.mark.parametrize(
    ("function", "denied"),
    [("read_csv", True), ("READ_TEXT", True), ("query", True), ("query_x", False), ("sum", False)],
)
def test_functions_of_the_gate(function, denied):
    from tappass_host.sdk.configs.query_gate import decode_gate

    gate = decode_gate(emit(render(SOURCE).artifact("gate"), symbolic))
    assert gate.denies(function) is denied
