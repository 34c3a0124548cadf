"""The reader's guard, line by line, each beside the control that shows what happens without it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import clickhouse_connect
import httpx
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from services.embedded.clickhouse.sql_check import TIMELESS_NAMES
from tests.clickhouse_fixture import ClickHouse

pytestmark = pytest.mark.clickhouse

SECRET = "only-the-owner-reads-this"


@dataclass(frozen=True)
class Ground:
    """What an attack may aim at; `{secret}`, `{out}`, `{db}` in a statement are replaced."""

    secret: Path
    out: Path
    db: str

    def aim(self, sql: str) -> str:
        return sql.replace("{secret}", str(self.secret)).replace("{out}", str(self.out)).replace("{db}", self.db)


@pytest.fixture
def ground(clickhouse_url: ClickHouse, clickhouse_database: str, tmp_path: Path) -> Iterator[Ground]:
    secret = tmp_path / "secret.tsv"
    secret.write_text(SECRET)
    client = clickhouse_url.client()
    client.command(f"CREATE TABLE {clickhouse_database}.t (a Int64) ENGINE = MergeTree ORDER BY a")
    client.command(f"INSERT INTO {clickhouse_database}.t VALUES (1), (2)")
    client.command(f"CREATE OR REPLACE VIEW bi.v AS SELECT a FROM {clickhouse_database}.t")
    yield Ground(secret, tmp_path / "out.tsv", clickhouse_database)
    client.command("DROP VIEW IF EXISTS bi.v")
    client.close()


def ask(target: ClickHouse, user: str, sql: str, **params: str) -> httpx.Response:
    password = target.token if user == "internal" else ""
    return httpx.post(target.base_url, params=params, content=sql.encode(), auth=(user, password), timeout=30)


def refused(reply: httpx.Response) -> str:
    assert reply.status_code >= 400, reply.text
    code = reply.headers["x-clickhouse-exception-code"]
    assert reply.text.startswith(f"Code: {code}. DB::Exception: ")
    return str(code)


READS_SECRET = [
    "SELECT * FROM file('{secret}', 'LineAsString')",
    "SELECT file('{secret}')",
    "SELECT `file`('{secret}')",
    "SELECT \"file\"('{secret}')",
    "WITH file('{secret}') AS x SELECT x",
    "SELECT arrayMap(x -> file(x), ['{secret}'])",
    # `default` of an embedded engine is also a view of the file system
    "SELECT * FROM `{secret}`",
    "SELECT * FROM default.`{secret}`",
    "SELECT * FROM '{secret}'",
    # no node of the syntax tree names the function in these three
    "SELECT arrayMap(file, ['{secret}'])",
    "SELECT * APPLY file FROM (SELECT '{secret}')",
    "SELECT * APPLY(x -> file(x)) FROM (SELECT '{secret}')",
    "SELECT COLUMNS('p') APPLY file FROM (SELECT '{secret}' AS p)",
]
WRITES_OUT = [
    "SELECT 1 INTO OUTFILE '{out}'",
    "SELECT 1; SELECT 2 INTO OUTFILE '{out}'",
    "SELECT 1 UNION ALL SELECT 2 INTO OUTFILE '{out}'",
    "(SELECT 1) INTO OUTFILE '{out}'",
    "SHOW TABLES INTO OUTFILE '{out}'",
    "SHOW COLUMNS FROM v FROM bi INTO OUTFILE '{out}'",
    "SHOW DATABASES INTO OUTFILE '{out}'",
    "DESCRIBE TABLE bi.v INTO OUTFILE '{out}'",
    "EXISTS TABLE bi.v INTO OUTFILE '{out}'",
    "SHOW CREATE TABLE bi.v INTO OUTFILE '{out}'",
]
SHOWS_OTHERS = [
    "SELECT * FROM {db}.t",
    "SELECT * FROM bi.v WHERE a IN {db}.t",
    "SELECT * FROM bi.v JOIN {db}.t AS o ON o.a = v.a",
    "SELECT (SELECT count() FROM {db}.t)",
    "SELECT * FROM merge('{db}', '^t$')",
    "SELECT query FROM system.processes",
    "SELECT 'x' IN (SELECT query FROM system.processes)",
    "SELECT trace FROM system.stack_trace LIMIT 1",
    "SELECT * FROM system.merges",
    "SELECT * FROM view(SELECT * FROM {db}.t)",
    "SELECT * FROM remote('127.0.0.1:1', '{db}.t')",
]
NAMES_A_TABLE_IN_PASSING = [
    "SELECT 1 WHERE in('x', system.processes)",
    "SELECT 1 WHERE 'x' GLOBAL NOT IN system.processes",
    "SELECT 1 WHERE 'x' IN processes",
]
CHANGES = [
    "KILL QUERY WHERE 1",
    "CREATE TEMPORARY TABLE z (a Int8)",
    "CREATE TABLE bi.z (a Int8) ENGINE = Memory",
    "DROP TABLE {db}.t",
    "DROP VIEW bi.v",
    "INSERT INTO {db}.t VALUES (9)",
    "INSERT INTO {db}.t FORMAT TSV\n9\n",
    "ALTER TABLE {db}.t DELETE WHERE 1",
    "TRUNCATE TABLE {db}.t",
    "OPTIMIZE TABLE {db}.t",
    "SYSTEM FLUSH LOGS",
    "SET readonly = 0",
    "SET ROLE internal",
    "SELECT 1; SET ROLE internal",
    "SELECT 1; DROP TABLE {db}.t",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1 SETTINGS max_result_rows = 0",
    "EXECUTE AS default SELECT 1",
    "USE {db}",
    "EXPLAIN INSERT INTO {db}.t VALUES (9)",
    "EXPLAIN SELECT file('/etc/passwd')",
    "EXPLAIN ESTIMATE SELECT * FROM {db}.t",
    "EXPLAIN AST SELECT 1; SELECT 2 INTO OUTFILE '{out}'",
    "EXPLAIN SELECT 1 INTO OUTFILE '{out}'",
    "EXPLAIN CURRENT TRANSACTION",
    "EXPLAIN EXPLAIN SELECT 1",
    "EXPLAIN AST DROP TABLE {db}.t",
    "SELECT 1 SETTINGS join_use_nulls = 1, readonly = 0",
    "SELECT 1 SETTINGS max_execution_time = 9000",
    "SELECT 1 SETTINGS output_format_schema = '{out}'",
    "SELECT * FROM file('/etc/passwd', 'LineAsString') SETTINGS join_use_nulls = 1",
    "BACKUP TABLE {db}.t TO File('{out}')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    "SELECT * FROM executable('x', 'TSV', 'a String')",
    "SELECT * FROM python('x')",
    "SELECT aiGenerate('x')",
    "CREATE USER u",
    "SELECT * FROM numbers(10) FORMAT TSV SETTINGS max_threads = 9",
]


OTHER_WAYS_IN = [
    "SELECT * FROM (EXPLAIN SELECT * FROM {db}.t)",
    "SELECT * FROM viewExplain('EXPLAIN', '', (SELECT * FROM {db}.t))",
    "SELECT * FROM viewIfPermitted(SELECT a FROM {db}.t ELSE null('a Int64'))",
    "SELECT joinGet(concat('{db}', '.t'), 'a', toInt64(1))",
    "SELECT hasColumnInTable('{db}', 't', 'a')",
    "SELECT * FROM mergeTreeIndex('{db}', 't')",
    "SELECT * FROM loop({db}.t) LIMIT 1",
    "SELECT * FROM format(CSV, 'a String', 'x')",
    "SELECT * FROM clusterAllReplicas('default', {db}.t)",
    "FROM {db}.t SELECT a",
    "TABLE {db}.t",
    "DESCRIBE (SELECT * FROM {db}.t)",
    "SELECT EXISTS (SELECT 1 FROM {db}.t)",
    "SELECT 1 WHERE (1, 2) IN ({db}.t)",
    "SELECT throwIf(1, toString((SELECT max(a) FROM {db}.t)))",
    "SELECT estimateCompressionRatio('zstd')(a) FROM {db}.t",
    "SELECT 1 PARALLEL WITH SELECT 2",
    "SELECT 1 SETTINGS use_query_cache = 1",
]


@pytest.mark.parametrize(
    "sql", READS_SECRET + WRITES_OUT + SHOWS_OTHERS + NAMES_A_TABLE_IN_PASSING + CHANGES + OTHER_WAYS_IN
)
def test_the_reader_is_refused(clickhouse_url: ClickHouse, ground: Ground, sql: str) -> None:
    for database in ("bi", "default", "system", ground.db):
        reply = ask(clickhouse_url, "reader", ground.aim(sql), database=database)
        refused(reply)
        assert SECRET not in reply.text
    assert not ground.out.exists()
    assert ask(clickhouse_url, "internal", f"SELECT count() FROM {ground.db}.t").text == "2\n"


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT b.y FROM (SELECT 1 AS x) AS a LEFT JOIN (SELECT 2 AS x, 3 AS y) AS b ON b.x = a.x{}", "0"),
        ("SELECT b.y FROM (SELECT 1 AS x) AS a LEFT JOIN (SELECT 2 AS x, 3 AS y) AS b ON b.x = a.x{} FORMAT TSV", "0"),
    ],
)
def test_a_reader_may_set_what_is_harmless_in_the_statement(clickhouse_url: ClickHouse, sql: str, says: str) -> None:
    assert ask(clickhouse_url, "reader", sql.format("")).text.strip() == says
    for settings in (" SETTINGS join_use_nulls = 1", " SETTINGS join_use_nulls = true, max_threads = 1"):
        assert ask(clickhouse_url, "reader", sql.format(settings)).text.strip() == "\\N"
    assert ask(clickhouse_url, "reader", sql.format("")).text.strip() == says, "nothing of it remains"
    behind = f"{sql.format('').removesuffix(' FORMAT TSV')} FORMAT TSV SETTINGS join_use_nulls = 1"
    assert ask(clickhouse_url, "reader", behind).text.strip() == "\\N"


@pytest.mark.parametrize(
    "more",
    [
        {"param_d": "{db}", "param_t": "t", "query": "SELECT * FROM {d:Identifier}.{t:Identifier}"},
        {"param_d": "system", "param_t": "processes", "query": "SELECT query FROM {d:Identifier}.{t:Identifier}"},
        {"param_d": "file", "query": "SELECT {d:Identifier}"},
        {"role": "internal", "query": "SELECT * FROM {db}.t"},
        {"user": "internal", "query": "SELECT * FROM {db}.t"},
        {"profile": "default", "readonly": "0", "allow_ddl": "1", "query": "DROP TABLE {db}.t"},
        {"session_id": "one", "query": "CREATE TEMPORARY TABLE z (a Int8)"},
        {"query": "SELECT a", "body": " FROM {db}.t"},
    ],
)
def test_no_parameter_of_a_request_opens_more(clickhouse_url: ClickHouse, ground: Ground, more: dict[str, str]) -> None:
    sent = {name: ground.aim(value) for name, value in more.items()}
    body = sent.pop("body", "").encode()
    reply = httpx.post(clickhouse_url.base_url, params=sent, content=body, auth=("reader", ""), timeout=30)
    assert refused(reply) in ("47", "60", "497")


@pytest.mark.parametrize("name", ["readonly", "max_memory_usage", "max_execution_time", "max_result_rows"])
def test_settings_of_a_subquery_change_nothing(clickhouse_url: ClickHouse, name: str) -> None:
    there = ask(clickhouse_url, "reader", f"SELECT getSetting('{name}')").text
    inside = ask(clickhouse_url, "reader", f"SELECT * FROM (SELECT getSetting('{name}') SETTINGS {name} = 0)")
    assert inside.status_code >= 400 or inside.text == there != "0\n"


@pytest.mark.parametrize("kind", ["", "PLAN actions = 1", "PIPELINE", "SYNTAX", "AST", "QUERY TREE"])
def test_a_reader_may_ask_how_it_is_run(clickhouse_url: ClickHouse, ground: Ground, kind: str) -> None:
    reply = ask(clickhouse_url, "reader", f"EXPLAIN {kind} SELECT sum(number) FROM numbers(10)")
    assert (reply.status_code, "numbers" in reply.text.lower() or "sum" in reply.text) == (200, True), reply.text
    assert (
        ask(clickhouse_url, "reader", f"EXPLAIN {kind} WITH 1 AS x SELECT x SETTINGS max_threads = 1").status_code
        == 200
    )


@pytest.mark.parametrize("sql", READS_SECRET)
def test_control_without_the_guard_the_file_is_read(clickhouse_url: ClickHouse, ground: Ground, sql: str) -> None:
    assert SECRET in ask(clickhouse_url, "internal", ground.aim(sql)).text


@pytest.mark.parametrize("sql", [sql for sql in WRITES_OUT if ";" not in sql])
def test_control_without_the_guard_the_file_is_written(clickhouse_url: ClickHouse, ground: Ground, sql: str) -> None:
    ask(clickhouse_url, "internal", ground.aim(sql))
    assert ground.out.exists()


@pytest.mark.parametrize("sql", [sql for sql in SHOWS_OTHERS if "remote" not in sql])
def test_control_without_the_guard_others_are_shown(clickhouse_url: ClickHouse, ground: Ground, sql: str) -> None:
    assert ask(clickhouse_url, "internal", ground.aim(sql)).status_code == 200


@pytest.mark.parametrize(
    "sql", [sql for sql in CHANGES if sql.startswith(("KILL", "CREATE T", "DROP", "INSERT", "ALTER"))]
)
def test_control_without_the_guard_it_is_done(clickhouse_url: ClickHouse, ground: Ground, sql: str) -> None:
    assert ask(clickhouse_url, "internal", ground.aim(sql)).status_code == 200
    ask(clickhouse_url, "internal", "DROP TABLE IF EXISTS bi.z")


def test_control_the_engine_runs_the_second_statement(tmp_path: Path) -> None:
    """Why the canonical text comes before the syntax tree: chdb explains the first statement and runs the second."""
    script = f"""
from chdb.state.sqlitelike import connect
connection = connect("{tmp_path / "engine"}")
connection.query("SET readonly = 1")
connection.query("EXPLAIN AST SELECT 1; SELECT 2 INTO OUTFILE '{tmp_path / "out"}'")
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    assert (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT sum(a) FROM v", "3\n"),
        ("SELECT sum(a) FROM bi.v;", "3\n"),
        ("-- a comment\nSELECT /* inside */ count() FROM bi.v WHERE a IN (SELECT a FROM v)", "2\n"),
        ("WITH x AS (SELECT a FROM v) SELECT count() FROM x", "2\n"),
        ("SELECT 'INTO OUTFILE; file(1)'", "INTO OUTFILE; file(1)\n"),
        ("SELECT 1 UNION ALL SELECT 1", "1\n1\n"),
        ("SELECT count() FROM numbers(5)", "5\n"),
        ("SHOW TABLES FROM bi LIKE 'v'", "v\n"),
        ("EXISTS TABLE bi.v", "1\n"),
        ("DESCRIBE TABLE bi.v", "a\tInt64\t\t\t\t\t\n"),
        ("SELECT name FROM system.columns WHERE database = 'bi' AND table = 'v'", "a\n"),
        ("SELECT table_name FROM information_schema.tables WHERE table_schema = 'bi' AND table_name = 'v'", "v\n"),
        ("SHOW DATABASES", "bi\n"),
        # JDBC's getTables asks whether a table has paths
        ("SELECT empty(t.data_paths), empty(data_paths) FROM system.tables AS t WHERE name = 'v'", "1\t1\n"),
        ("SELECT min(name) FROM system.one JOIN system.tables ON name IN ('v')", "v\n"),
        ("SELECT 1 AS a, 2 AS b FORMAT JSONEachRow", '{"a":1,"b":2}\n'),
        ("SELECT getSetting('prefer_column_name_to_alias')", "true\n"),
        ("SELECT a FROM VALUES('a Int8', 7)", "7\n"),  # JDBC's getTypeInfo, in its capitals
        ("SELECT count() FROM (SELECT * FROM system.numbers_mt LIMIT 3)", "3\n"),
    ],
)
def test_the_reader_reads_bi(clickhouse_url: ClickHouse, ground: Ground, sql: str, expected: str) -> None:
    reply = ask(clickhouse_url, "reader", sql)
    assert (reply.status_code, reply.text) == (200, expected)


@pytest.mark.parametrize(
    "what",
    [
        "data_paths", "t.data_paths", "toString(t.data_paths)", "empty(t.data_paths), data_paths",
        "notEmpty(t.data_paths)", "empty(arrayMap(x -> x, t.data_paths))", "arrayFilter(x -> empty(x), t.data_paths)",
        "empty(t.metadata_path)",
    ],
)  # fmt: skip
def test_whether_a_table_has_paths_is_told_and_no_path(clickhouse_url: ClickHouse, ground: Ground, what: str) -> None:
    assert refused(ask(clickhouse_url, "reader", f"SELECT {what} FROM system.tables AS t")) == "497"


def test_an_answer_says_how_many_rows_it_has(clickhouse_url: ClickHouse, ground: Ground) -> None:
    """JDBC reads no row of an answer whose summary counts none."""
    for form in ("RowBinaryWithNamesAndTypes", "JSON"):
        told = json.loads(
            ask(clickhouse_url, "reader", f"SELECT a FROM v FORMAT {form}").headers["x-clickhouse-summary"]
        )
        assert (told["result_rows"], int(told["result_bytes"]) > 0) == ("2", True)


def test_readers_give_way_to_services_and_to_readers_who_began_later(clickhouse_url: ClickHouse) -> None:
    rank = "SELECT getSetting('priority')"
    service, first, later = (int(ask(clickhouse_url, user, rank).text) for user in ("internal", "reader", "viewer"))
    assert 1 == service < later <= first
    assert int(ask(clickhouse_url, "reader", rank, priority="1").text) > 1_000
    assert refused(ask(clickhouse_url, "reader", f"{rank} SETTINGS priority = 1"))
    nicer = "SELECT getSetting('os_threads_nice_value_query')"
    assert [ask(clickhouse_url, user, nicer).text for user in ("internal", "reader", "viewer")] == [
        "0\n",
        "10\n",
        "10\n",
    ]
    assert ask(clickhouse_url, "reader", nicer, os_threads_nice_value_query="-20").text == "10\n"


@pytest.mark.parametrize("name", sorted(TIMELESS_NAMES))
def test_what_looks_at_no_clock_is_refused(clickhouse_url: ClickHouse, name: str) -> None:
    assert refused(ask(clickhouse_url, "reader", f"SELECT {name}('a', 'b')")) == "497"
    assert refused(ask(clickhouse_url, "reader", f"SELECT arrayMap({name.upper()}, ['a'], ['b'])")) == "497"
    exists = f"SELECT count() FROM system.functions WHERE lower(name) = '{name}'"
    assert ask(clickhouse_url, "internal", exists).text == "1\n", "and it is a function, not a word"


def test_a_viewer_is_told_apart_from_a_reader_whatever_it_sends(clickhouse_url: ClickHouse, ground: Ground) -> None:
    """Views hide people by `log_comment`; nothing that a reader says may change it."""
    who = "SELECT startsWith(getSetting('log_comment'), 'viewer:')"
    tries: tuple[dict[str, str], ...] = ({}, {"log_comment": "reader:x"}, {"query_id": "reader:x"})
    for user, told in (("viewer", "1\n"), ("reader", "0\n")):
        assert [ask(clickhouse_url, user, who, **more).text for more in tries] == [told] * len(tries)
        assert refused(ask(clickhouse_url, user, f"{who} SETTINGS log_comment = 'reader:x'"))
    for sql in ("SELECT sum(a) FROM bi.v", "EXPLAIN AST SELECT a FROM bi.v", "EXPLAIN SYNTAX SELECT a FROM bi.v"):
        assert ask(clickhouse_url, "viewer", sql).status_code == 200
    for plan in (
        "EXPLAIN SELECT a FROM bi.v",
        "EXPLAIN PLAN actions = 1 SELECT a FROM bi.v",
        "explain pipeline SELECT 1",
    ):
        assert ask(clickhouse_url, "reader", plan).status_code == 200
        assert refused(ask(clickhouse_url, "viewer", plan)) == "497", "it would show the key of people's pseudonyms"
    assert refused(ask(clickhouse_url, "viewer", f"SELECT * FROM {ground.db}.t")) == "497"


def test_other_databases_do_not_even_show(clickhouse_url: ClickHouse, ground: Ground) -> None:
    sql = f"SELECT count() FROM system.tables WHERE database = '{ground.db}'"
    assert ask(clickhouse_url, "reader", sql).text == "0\n"
    assert ask(clickhouse_url, "internal", sql).text == "1\n"


def test_a_table_named_by_a_parameter_is_judged(clickhouse_url: ClickHouse, ground: Ground) -> None:
    sql = "SELECT count() FROM {d:Identifier}.{t:Identifier}"
    good = ask(clickhouse_url, "reader", sql, param_d="bi", param_t="v")
    assert good.text == "2\n"
    assert refused(ask(clickhouse_url, "reader", sql, param_d="system", param_t="processes")) == "497"
    assert refused(ask(clickhouse_url, "reader", sql, param_d=ground.db, param_t="t")) == "497"


def test_a_function_named_by_a_parameter_is_judged(clickhouse_url: ClickHouse, ground: Ground) -> None:
    """The text shows a placeholder only: `arrayMap({f:Identifier}, …)` read any file."""
    sql = ground.aim("SELECT arrayMap({f:Identifier}, ['{secret}'])")
    assert refused(ask(clickhouse_url, "reader", sql, param_f="file")) == "497"
    assert SECRET in ask(clickhouse_url, "internal", sql, param_f="file").text  # the control
    path = "SELECT {c:Identifier} FROM system.databases"
    assert refused(ask(clickhouse_url, "reader", path, param_c="data_path")) == "497"
    assert ask(clickhouse_url, "reader", path, param_c="name").status_code == 200


def test_settings_of_a_reader_change_nothing(clickhouse_url: ClickHouse, ground: Ground) -> None:
    reply = ask(clickhouse_url, "reader", "SELECT getSetting('max_result_rows')", readonly="0", max_result_rows="0")
    assert reply.text == "1000000\n"


def test_a_reader_sets_what_only_shapes_its_answer(clickhouse_url: ClickHouse) -> None:
    sql = "SELECT timezone(), b FROM (SELECT 1 AS a) AS x LEFT JOIN (SELECT 2 AS a, 3 AS b) AS y ON x.a = y.a"
    reply = ask(clickhouse_url, "reader", sql, session_timezone="Asia/Tokyo", join_use_nulls="1")
    assert (reply.text, reply.headers["x-clickhouse-timezone"]) == ("Asia/Tokyo\t\\N\n", "Asia/Tokyo")
    assert refused(ask(clickhouse_url, "reader", sql, session_timezone="Nowhere")) == "36"
    client = clickhouse_connect.get_client(
        host=clickhouse_url.host, port=clickhouse_url.port, username="reader", settings={"join_use_nulls": 1}
    )
    assert client.query(sql, settings={"session_timezone": "Europe/Paris"}).result_rows == [("Europe/Paris", None)]
    client.close()


@pytest.mark.parametrize(("asked", "held"), [("5", "5"), ("31", "30"), ("0", "30"), ("-1", "30"), ("nan", "30")])
def test_a_reader_may_ask_for_less_time_not_for_more(clickhouse_url: ClickHouse, asked: str, held: str) -> None:
    sql = "SELECT toUInt64(getSetting('max_execution_time'))"
    assert ask(clickhouse_url, "reader", sql, max_execution_time=asked).text == f"{held}\n"


def test_settings_that_touch_files_are_passed_over(clickhouse_url: ClickHouse, ground: Ground) -> None:
    """Why the list names each: of `output_format_…` one writes a file, of `format_…` another reads one."""
    writes = {"output_format_schema": str(ground.out), "format_schema": "x:Message"}
    ask(clickhouse_url, "reader", "SELECT 1 AS a FORMAT Protobuf", **writes)
    assert not ground.out.exists()
    reads = {"format_template_row": str(ground.secret), "format_template_resultset": str(ground.secret)}
    assert SECRET not in ask(clickhouse_url, "reader", "SELECT 1 AS a FORMAT Template", **reads).text


@pytest.mark.parametrize("sql", READS_SECRET)
def test_settings_do_not_shorten_what_the_guard_sees(clickhouse_url: ClickHouse, ground: Ground, sql: str) -> None:
    cut = {"max_result_rows": "1", "result_overflow_mode": "break", "max_block_size": "1"}
    reply = ask(clickhouse_url, "reader", ground.aim(sql), **cut)
    refused(reply)
    assert SECRET not in reply.text


def test_a_reader_stops_its_own_query(clickhouse_url: ClickHouse) -> None:
    """What JDBC's `Statement.cancel` sends; the statements of services are out of its reach."""
    endless = "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)"
    with ThreadPoolExecutor(2) as pool:
        mine = pool.submit(ask, clickhouse_url, "reader", endless, query_id="q-1")
        other = pool.submit(ask, clickhouse_url, "internal", endless, query_id="q-2")
        time.sleep(0.5)
        assert ask(clickhouse_url, "reader", "KILL QUERY WHERE query_id = 'q-2'").text == ""
        killed = ask(clickhouse_url, "reader", "KILL QUERY WHERE query_id = 'q-1' ASYNC;")
        assert killed.text.startswith("waiting\t")
        assert refused(mine.result(10)) == "394"
        assert not other.done()
        refused(ask(clickhouse_url, "reader", "KILL QUERY WHERE query_id = 'q-2' OR 1"))
        refused(ask(clickhouse_url, "reader", "KILL QUERY WHERE query_id = 'q-2'; SELECT 1"))
        assert not other.done()
        ask(clickhouse_url, "internal", "KILL QUERY WHERE Settings['log_comment'] = 'internal:q-2' ASYNC")
        assert refused(other.result(10)) == "394"


def test_a_reader_meets_its_limits(clickhouse_url: ClickHouse) -> None:
    rows = ask(clickhouse_url, "reader", "SELECT number FROM numbers(2000000)", wait_end_of_query="1")
    assert "TOO_MANY_ROWS_OR_BYTES" in rows.text
    memory = ask(clickhouse_url, "reader", "SELECT groupArray(number) FROM numbers(200000000)")
    assert refused(memory) == "241"
    assert refused(ask(clickhouse_url, "reader", "SELECT 1 -- " + "x" * (2 << 20))) == "307"
    assert ask(clickhouse_url, "reader", "SELECT 1").text == "1\n"


@pytest.mark.parametrize(
    "grown",
    [
        "SELECT a" + ", a AS a" * 20_000 + " FROM bi.v",
        "SELECT " + ", ".join(f"a AS a{number}" for number in range(15_000)) + " FROM bi.v",
        " UNION ALL ".join(["SELECT a FROM bi.v"] * 5_000),
        "SELECT a" + ", AND " * 12_000 + " FROM bi.v",
        "WITH c0 AS (SELECT a FROM bi.v), "
        + ", ".join(f"c{n} AS (SELECT a FROM c{n - 1} UNION ALL SELECT a FROM c{n - 1})" for n in range(1, 14))
        + " SELECT count() FROM c13",
        "WITH c0 AS (SELECT a FROM bi.v), "
        + ", ".join(f"c{n} AS (SELECT a FROM bi.v WHERE a IN c{n - 1} AND 1 NOT IN c{n - 1})" for n in range(1, 14))
        + " SELECT 1 IN c13",
        "SELECT count() FROM bi.v" + "".join(f" JOIN bi.v AS v{n} ON v.a = v{n}.a" for n in range(200)),
        "SELECT " + ", ".join(f"sum(a) OVER (PARTITION BY a % {n})" for n in range(1, 400)) + " FROM bi.v",
        "SELECT " + ", ".join(["*"] * 300) + " FROM bi.v",
        "SELECT * FROM " + "(SELECT *, * FROM " * 14 + "bi.v" + ")" * 14,
        "WITH "
        + ", ".join(f"x -> f{n - 1}(x) + f{n - 1}(x) AS f{n}" for n in range(14, 0, -1))
        + ", x -> x AS f0 SELECT f14(a) FROM bi.v",
    ],
    ids=[
        "one alias",
        "aliases",
        "unions",
        "nonsense",
        "doubled",
        "doubled by IN",
        "joins",
        "windows",
        "stars",
        "nested stars",
        "lambdas",
    ],
)
def test_a_statement_of_too_many_parts_is_refused_before_its_names_are_looked_up(
    clickhouse_url: ClickHouse, ground: Ground, grown: str
) -> None:
    """ClickHouse looks at no clock meanwhile: they ran for ten times the time that was asked for."""
    reply = ask(clickhouse_url, "reader", grown, max_execution_time="3")
    assert refused(reply) == "168"
    assert "at most 10000" in reply.text


@pytest.mark.parametrize(
    ("read", "found"),
    [
        ("WITH c (x, `y (z)`) AS (SELECT a, 2 FROM bi.v) SELECT count(x), sum(`y (z)`) FROM c", "2\t4\n"),
        ("WITH `a AS (1)` AS (SELECT a FROM bi.v) SELECT count() FROM `a AS (1)`", "2\n"),
        (
            "WITH c AS (WITH b AS (SELECT a FROM bi.v) SELECT * FROM b), 'x AS (' AS s SELECT count(), any(s) FROM c",
            "2\tx AS (\n",
        ),
        ("WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT count() FROM r", "5\n"),
        (
            "WITH x -> x + 1 AS f, v AS (SELECT f(1) AS y FROM bi.v) SELECT sum(f(y)) FROM v JOIN bi.v AS w ON 1 = 1",
            "12\n",
        ),
    ],
)
def test_what_with_names_is_read_as_clickhouse_formats_it(
    clickhouse_url: ClickHouse, ground: Ground, read: str, found: str
) -> None:
    assert ask(clickhouse_url, "reader", read).text == found


def test_long_lists_of_values_are_one_part(clickhouse_url: ClickHouse, ground: Ground) -> None:
    values = ", ".join(str(number) for number in range(12_000))
    assert ask(clickhouse_url, "reader", f"SELECT count() FROM bi.v WHERE a IN ({values})").text == "2\n"


FORMATS = (
    "TabSeparated", "TabSeparatedWithNamesAndTypes", "CSVWithNames", "JSON", "JSONCompact", "JSONEachRow",
    "JSONStrings", "JSONCompactEachRowWithNamesAndTypes", "Native", "RowBinary", "RowBinaryWithNamesAndTypes",
    "Arrow", "ArrowStream", "Parquet", "XML", "Values", "Markdown",
)  # fmt: skip
#: What JDBC's `setMaxRows` sends, as Metabase calls it.
CUT = {"max_result_rows": "10000", "result_overflow_mode": "break", "output_format_write_statistics": "0"}


@pytest.mark.parametrize("form", FORMATS)
def test_no_answer_is_cut_without_a_word(clickhouse_url: ClickHouse, form: str) -> None:
    """All rows, where a client asks for a cut; beyond a reader's limit an error that no client takes for the end."""
    some = f"SELECT number FROM numbers(70000) FORMAT {form}"
    whole = ask(clickhouse_url, "reader", some, output_format_write_statistics="0").content
    assert ask(clickhouse_url, "reader", some, **CUT).content == whole
    fewer = ask(clickhouse_url, "internal", some, **CUT, max_block_size="1000")  # the control
    assert 0 < len(fewer.content) < len(whole)
    try:
        told = ask(clickhouse_url, "reader", f"SELECT number % 7 AS n FROM numbers(1000001) FORMAT {form}", **CUT)
    except httpx.RemoteProtocolError:
        return  # the answer broke off, and says so
    assert b"Code: 396" in told.content[-400:] or b"TOO_MANY_ROWS" in told.content


@pytest.mark.parametrize("form", ["Pretty", "PrettyCompact", "PrettySpace", "Vertical"])
def test_an_answer_for_people_says_that_it_shows_the_first_rows(clickhouse_url: ClickHouse, form: str) -> None:
    shown = ask(clickhouse_url, "reader", f"SELECT number FROM numbers(20000) FORMAT {form}").text
    assert shown.splitlines()[-1] in ("Showed 1000 out of 20000 rows.", "Showed first 1000.")


@pytest.mark.parametrize("asked", ["5", "1000000", "2000000"])
def test_a_reader_that_asks_for_fewer_rows_gets_an_error_beyond_them(clickhouse_url: ClickHouse, asked: str) -> None:
    sql = "SELECT number FROM numbers(70000)"
    reply = ask(clickhouse_url, "reader", sql, max_result_rows=asked, wait_end_of_query="1")
    assert ("TOO_MANY_ROWS" in reply.text) is (asked == "5")


def test_view_without_definer_would_be_refused(clickhouse_url: ClickHouse, ground: Ground) -> None:
    """The control of the default for views: who reads one that runs as its caller needs the tables below."""
    with_caller = f"CREATE OR REPLACE VIEW bi.v SQL SECURITY INVOKER AS SELECT a FROM {ground.db}.t"
    assert ask(clickhouse_url, "internal", with_caller).status_code == 200
    assert refused(ask(clickhouse_url, "reader", "SELECT * FROM bi.v")) == "497"


@pytest.mark.parametrize("user", ["reader", "default"])
def test_bi_clients_connect_as(clickhouse_url: ClickHouse, ground: Ground, user: str) -> None:
    client = clickhouse_connect.get_client(
        host=clickhouse_url.host, port=clickhouse_url.port, username=user, database="bi"
    )
    assert client.query("SELECT a FROM v ORDER BY a").result_rows == [(1,), (2,)]
    with pytest.raises(DatabaseError, match="497"):
        client.command("DROP VIEW v")
    client.close()


@pytest.mark.parametrize(("user", "password"), [("internal", ""), ("internal", "wrong"), ("root", ""), ("reader", "x")])
def test_wrong_credentials(clickhouse_url: ClickHouse, user: str, password: str) -> None:
    reply = httpx.post(clickhouse_url.base_url, content=b"SELECT 1", auth=(user, password))
    assert (reply.status_code, refused(reply)) == (403, "516")
    assert clickhouse_url.token not in reply.text


def test_a_rebound_name_is_refused(clickhouse_url: ClickHouse) -> None:
    reply = httpx.post(clickhouse_url.base_url, content=b"SELECT 1", headers={"Host": "attacker.example"})
    assert refused(reply) == "516"
