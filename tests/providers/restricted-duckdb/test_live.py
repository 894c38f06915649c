"""The real DuckDB runs the script: the views are there, and every known way out is shut."""

import msgspec
import pytest

from tappass_host.policy import model as m
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.providers.interpreter.restricted_duckdb import provider, target
from tappass_host.sdk.contract import TargetCapabilities
from tappass_host.sdk.emit import emit, symbolic
from tappass_host.sdk.kit.injection import HOSTILE
from tappass_host.sdk.kit.reference import REFERENCE, policy
from tappass_host.sdk.kit.written import files
from tappass_host.sdk.sql import identifier, is_plain

pytestmark = pytest.mark.live
TARGET = TargetCapabilities(version="2.0.0")


@pytest.fixture(scope="module")
def duckdb():
    return pytest.importorskip("duckdb")


@pytest.fixture
def database(duckdb, tmp_path):
    """A database file with a table that has one column more than is shown."""
    path = tmp_path / "crm.duckdb"
    with duckdb.connect(str(path)) as connection:
        rows = "SELECT range AS amount, CASE WHEN range % 2 = 0 THEN 'EU' ELSE 'US' END AS region, 'x' AS ssn"
        connection.execute(f"CREATE TABLE sales AS {rows} FROM range(100)")
    return path


def script(path, *views):
    source = m.Source(id="crm", kind="duckdb", path=str(path), views=views)
    limits = m.Interpreter(memory_mb=64, cpu_time_ms=500)
    doc = policy(data=m.Data(sources=(source,)), interpreter=limits)
    return emit(provider.render(EffectivePolicy(doc), TARGET).artifact("init"), symbolic).decode()


SALES = m.View(
    name="sales", table="sales", columns=("amount", "region"), row_filter="region = 'EU'", max_rows=10
)


@pytest.fixture
def locked(duckdb, database):
    with duckdb.connect() as connection:
        connection.execute(script(database, SALES))
        yield connection


def test_a_view_shows_what_it_should(locked):
    rows = locked.execute("SELECT * FROM crm.sales").fetchall()
    assert len(rows) == 10
    assert {region for _, region in rows} == {"EU"}
    assert [column[0] for column in locked.description] == ["amount", "region"]


ESCAPES = (
    "SELECT ssn FROM crm.sales",
    'SELECT * FROM "crm file".sales',
    "SELECT * FROM main.sales",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_blob('{path}')",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
    "COPY (SELECT 1) TO '{folder}/out.csv'",
    "COPY (SELECT 1) TO '{path}' (USE_TMP_FILE false)",
    "EXPORT DATABASE '{folder}/out'",
    "ATTACH '{path}' AS again",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SELECT * FROM 'https://a.example.com/x.csv'",
    "SELECT getenv('HOME')",
    "SET enable_external_access = true",
    "RESET disabled_filesystems",
    "SET memory_limit = '8GB'",
    "PRAGMA enable_profiling = 'json'",
    "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range = 3",
)


@pytest.mark.parametrize("statement", ESCAPES)
def test_no_way_out(duckdb, locked, database, tmp_path, statement):
    before = database.read_bytes()
    with pytest.raises(duckdb.Error):
        locked.execute(statement.format(path=database, folder=tmp_path)).fetchall()
    assert database.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [database.name]


OPENED = [s for s in ESCAPES if s.startswith(("SELECT * FROM read_blob", "COPY", "ATTACH"))]


@pytest.mark.parametrize("statement", OPENED)
def test_without_the_lock_it_works(duckdb, database, tmp_path, statement):
    """The control: the statement is not refused for another reason."""
    with duckdb.connect() as connection:
        connection.execute(statement.format(path=database, folder=tmp_path))


@pytest.mark.parametrize("text", [text for text in HOSTILE if is_plain(text)])
def test_hostile_names_are_names(duckdb, tmp_path, text):
    path = tmp_path / "crm.duckdb"
    with duckdb.connect(str(path)) as connection:
        name = identifier(text)
        connection.execute(f"CREATE TABLE {name} AS SELECT 1 AS {name}, 2 AS other")
    value = text.replace("'", "''")
    seen = m.View(name=text, table=text, columns=(text,))
    gone = msgspec.structs.replace(seen, name="gone", row_filter=f"other = 2 and other <> '{value}'")
    with duckdb.connect() as connection:
        connection.execute(script(path, seen))
        assert connection.execute(f'SELECT * FROM "crm".{identifier(text)}').fetchall() == [(1,)]
    # A value of another type is an error of the engine, and then nothing is built.
    with duckdb.connect() as connection, pytest.raises(duckdb.ConversionException):
        connection.execute(script(path, gone))


@pytest.mark.parametrize("name", REFERENCE)
def test_every_rendering_is_parsed(duckdb, name):
    config = provider.render(EffectivePolicy(REFERENCE[name]), TARGET)
    assert target.validate(files(config)) == []


def test_what_it_does_not_take_is_found(duckdb):
    bad = {"state/x.init.sql": b"SET no_such_setting = 1;\nSELECT 1; SELECT 2;\nCREATE TABEL x;\n"}
    assert len(target.validate(bad)) == 3
