"""The embedded ClickHouse as its clients use it."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import stat
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import clickhouse_connect
import httpx
import lz4.block
import pytest
from clickhouse_cityhash.cityhash import CityHash128
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error, StreamFailureError

from schemas.config import ClickHouseConfig, SecretRef
from services.dashboard import clickhouse as dashboard
from services.embedded.clickhouse.heads import HEADS
from streams.runtime.clickhouse import Store
from tests.clickhouse_fixture import ClickHouse, warehouse

pytestmark = pytest.mark.clickhouse

NOON = datetime(2026, 3, 1, 12, 0, 0, 123000, tzinfo=UTC)
COLUMNS = ["id", "note", "kind", "at", "tags", "score"]
TABLE = """CREATE TABLE {}.t (id Int64, note Nullable(String), kind LowCardinality(String),
 at DateTime64(3, 'UTC'), tags Array(String), score Nullable(Float64)) ENGINE = MergeTree ORDER BY id"""
ROWS: list[list[Any]] = [
    [1, None, "mail", NOON, ["a", "b"], None],
    [2, "it's; a \\ 'note'\n\t", "mail", NOON, [], -0.5],
]


@pytest.fixture
def client(clickhouse_url: ClickHouse, clickhouse_database: str) -> Any:
    client = clickhouse_url.client(clickhouse_database)
    client.command(TABLE.format(clickhouse_database))
    yield client
    client.close()


def post(target: ClickHouse, sql: str | bytes, **params: str) -> httpx.Response:
    return httpx.post(target.base_url, params=params, content=sql, auth=("internal", target.token), timeout=60)


@pytest.mark.parametrize("compress", [True, False, "lz4", "zstd", "gzip"])
def test_rows_come_back_as_they_went_in(clickhouse_url: ClickHouse, client: Client, compress: bool | str) -> None:
    dsn = f"{clickhouse_url.url}/{client.database}"
    with clickhouse_connect.get_client(dsn=dsn, compress=compress, tz_mode="aware") as packed:
        summary = packed.insert("t", ROWS, column_names=COLUMNS)
        assert summary.written_rows == 2
        assert [list(row) for row in packed.query("SELECT * FROM t ORDER BY id").result_rows] == ROWS
        many = packed.query("SELECT number, repeat('x', 100) FROM numbers(200000)").result_rows
        assert (len(many), many[-1][0]) == (200_000, 199_999)


def test_parameters_are_bound(client: Client) -> None:
    client.insert("t", ROWS, column_names=COLUMNS)
    sql = "SELECT id FROM t WHERE note = {note:String} AND at = {at:DateTime64(3, 'UTC')} AND id IN {ids:Array(Int64)}"
    given = {"note": ROWS[1][1], "at": NOON, "ids": [1, 2]}
    assert client.query(sql, parameters=given).result_rows == [(2,)]
    hostile = client.query("SELECT {x:String}", parameters={"x": "'; DROP TABLE t; --"}).result_rows
    assert hostile == [("'; DROP TABLE t; --",)]


def test_commands(client: Client) -> None:
    assert client.command("SELECT count() FROM t") == 0
    assert client.command("SELECT id FROM t") == ""
    assert client.command("SELECT 'a', 'b'") == ["a", "b"]
    assert client.command("INSERT INTO t (id) VALUES", data="(7), (8)") is not None
    client.command("INSERT INTO t (id) SELECT number FROM numbers(10)")
    assert client.command("SELECT count() FROM t WHERE kind != 'FORMAT TSV\n'") == 12
    assert client.command("EXISTS TABLE t") == 1
    assert client.ping()


def test_settings_of_a_request_end_with_it(clickhouse_url: ClickHouse, client: Client) -> None:
    ask = "SELECT getSetting('max_block_size')"
    assert client.query(ask, settings={"max_block_size": 7}).result_rows == [(7,)]
    assert client.query(ask).result_rows != [(7,)]
    assert "UNKNOWN_SETTING" in post(clickhouse_url, "SELECT 1", no_such_setting="1").text
    assert "UNKNOWN_SETTING" in post(clickhouse_url, "SELECT 1", **{"a = 1, readonly": "1"}).text


def test_states_of_aggregates_merge(client: Client) -> None:
    client.command(
        "CREATE TABLE m (minute DateTime, accounts AggregateFunction(uniqExact, String)) "
        "ENGINE = AggregatingMergeTree ORDER BY minute"
    )
    for names in ("['a', 'b']", "['b', 'c']"):
        client.command(f"INSERT INTO m SELECT now(), uniqExactState(arrayJoin({names}))")
    assert client.command("SELECT uniqExactMerge(accounts) FROM m") == 3


def test_a_service_is_told_when_somebody_last_looked(clickhouse_url: ClickHouse, clickhouse_database: str) -> None:
    token = SecretRef(file=str(clickhouse_url.data_dir / "internal.token"), env=None)
    config = ClickHouseConfig(url=clickhouse_url.base_url, database=clickhouse_database, password=token)
    page = dashboard.connect(config, clickhouse_url.token)
    with Store(config, clickhouse_url.token) as service, clickhouse_url.reader() as reader:
        service.command("CREATE TABLE looked (n UInt64) ENGINE = MergeTree ORDER BY n")

        def looked_s() -> float:
            service.insert("looked", {"n": "UInt64"}, {"n": [1]})
            assert service.looked_s is not None
            return service.looked_s

        for somebody in (reader, page):
            time.sleep(1.1)
            service.rows("SELECT 1")
            assert looked_s() >= 1.0
            somebody.query("SELECT 1")
            assert looked_s() < 1.0
    page.close()


def test_raw_inserts_in_any_format(client: Client) -> None:
    client.raw_insert("t", ["id", "tags"], b'{"id":1,"tags":["x"]}\n{"id":2}\n', fmt="JSONEachRow")
    client.raw_insert("t", ["id", "note"], "3,three\n", fmt="CSV")
    assert client.query("SELECT id, tags, note FROM t ORDER BY id").result_rows == [
        (1, ["x"], None),
        (2, [], None),
        (3, [], "three"),
    ]


@pytest.mark.parametrize(
    ("sql", "code", "status"),
    [
        ("SELECT nope", 47, 404),
        ("SELECT * FROM no_such_table", 60, 404),
        ("SELEC 1", 62, 400),
        ("SELECT 1; SELECT 2", 62, 400),
        ("SELECT {x:Int64}", 456, 400),
        ("INSERT INTO t (id) FORMAT CSV\nfoo\n", 117, 400),
        ("SELECT throwIf(1)", 395, 500),
    ],
)
def test_errors_are_clickhouse_errors(
    clickhouse_url: ClickHouse, client: Client, sql: str, code: int, status: int
) -> None:
    reply = post(clickhouse_url, sql, database=str(client.database))
    assert (reply.status_code, reply.headers["x-clickhouse-exception-code"]) == (status, str(code)), reply.text
    assert reply.text.startswith(f"Code: {code}. DB::Exception: ")
    assert client.command("SELECT 1") == 1


def test_broken_native_bytes_harm_nobody(clickhouse_url: ClickHouse, client: Client) -> None:
    client.insert("t", ROWS, column_names=COLUMNS)
    seed = random.Random(7)
    for _ in range(30):
        body = b"INSERT INTO t FORMAT Native\n" + seed.randbytes(seed.randrange(1, 400))
        post(clickhouse_url, body, database=str(client.database))
    assert client.command("SELECT count() FROM t WHERE id IN (1, 2)") == 2


def test_large_answers_stream_in_bounded_memory(clickhouse_url: ClickHouse, client: Client) -> None:
    before = peak_memory_kb(clickhouse_url.pid)
    rows = 0
    sql = "SELECT number, repeat('x', 100) FROM numbers(6000000)"
    with client.query_column_block_stream(sql) as blocks:
        for block in blocks:
            rows += len(block[0])
    assert rows == 6_000_000
    # 690 MB went by; the control below needs all of it at once
    assert peak_memory_kb(clickhouse_url.pid) - before < 250_000
    whole = post(clickhouse_url, f"{sql} FORMAT JSON")
    assert whole.headers["x-clickhouse-exception-code"] == "241"  # MEMORY_LIMIT_EXCEEDED, and the process lives
    assert post(clickhouse_url, "SELECT 1").text == "1\n"


def peak_memory_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def test_an_error_after_the_first_rows_reaches_the_client(client: Client) -> None:
    sql = "SELECT number, repeat('x', 100), throwIf(number = 2900000, 'in the middle') FROM numbers(3000000)"
    with pytest.raises(StreamFailureError, match="in the middle"), client.query_row_block_stream(sql) as blocks:
        for _ in blocks:
            pass
    assert client.command("SELECT 1") == 1


def test_a_client_that_leaves_frees_its_thread(clickhouse_url: ClickHouse) -> None:
    auth = ("internal", clickhouse_url.token)
    for _ in range(12):  # more than there are threads
        sql = b"SELECT number FROM numbers(100000000000) FORMAT Native"
        with httpx.stream("POST", clickhouse_url.base_url, content=sql, auth=auth) as reply:
            next(reply.iter_raw())
    started = time.monotonic()
    assert httpx.post(clickhouse_url.base_url, content=b"SELECT 1", auth=auth).text == "1\n"
    assert time.monotonic() - started < 5


async def test_async_clients_and_many_at_once(clickhouse_url: ClickHouse, client: Client) -> None:
    clients = [
        await clickhouse_connect.get_async_client(dsn=f"{clickhouse_url.url}/{client.database}") for _ in range(6)
    ]

    async def work(number: int, own: Any) -> None:
        for step in range(5):
            key = number * 100 + step
            await own.insert("t", [[key, "x"]], column_names=["id", "note"])
            got = await own.query("SELECT count() FROM t WHERE id = {id:Int64}", parameters={"id": key})
            assert got.result_rows == [(1,)]

    await asyncio.gather(*(work(number, own) for number, own in enumerate(clients)))
    assert client.command("SELECT count() FROM t") == 30
    for own in clients:
        await own.close()


def test_readers_do_not_hold_up_the_sink(clickhouse_url: ClickHouse, client: Client) -> None:
    slow = b"SELECT sum(sleepEachRow(0.25)) FROM numbers(4)"
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(httpx.post, clickhouse_url.base_url, content=slow, timeout=30) for _ in range(8)]
        time.sleep(0.2)
        started = time.monotonic()
        client.insert("t", ROWS, column_names=COLUMNS)
        assert time.monotonic() - started < 0.7
        assert all(reply.result().status_code == 200 for reply in waiting)


def test_plain_http(clickhouse_url: ClickHouse) -> None:
    base, auth = clickhouse_url.base_url, ("internal", clickhouse_url.token)
    assert httpx.get(f"{base}/ping").text == "Ok.\n"
    assert httpx.get(f"{base}/replicas_status").text == "Ok.\n"
    assert httpx.get(base).text == "Ok.\n"
    assert httpx.head(f"{base}/ping").status_code == 200
    assert httpx.get(base, params={"query": "SELECT 1 AS a FORMAT JSON"}, auth=auth).json()["data"] == [{"a": 1}]
    by_parameters = {"query": "SELECT 2", "user": "internal", "password": clickhouse_url.token}
    assert httpx.get(base, params=by_parameters).text == "2\n"
    by_headers = {"X-ClickHouse-User": "internal", "X-ClickHouse-Key": clickhouse_url.token}
    assert httpx.post(base, content=b"SELECT 3", headers=by_headers).text == "3\n"
    # what `curl --data-binary` sends is SQL, whatever it calls it
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert httpx.post(base, content=b"SELECT 'a=b&c'", headers=form, auth=auth).text == "a=b&c\n"
    assert httpx.post(base, content=iter([b"SELECT ", b"4"]), auth=auth).text == "4\n"
    packed = {"enable_http_compression": "1", "query": "SELECT repeat('x', 5000)"}
    reply = httpx.get(base, params=packed, headers={"Accept-Encoding": "gzip"}, auth=auth)
    assert (reply.headers["content-encoding"], len(reply.text)) == ("gzip", 5001)
    multipart = {"query": (None, "SELECT {x:Int64}"), "param_x": (None, "5")}
    assert httpx.post(base, files=multipart, auth=auth).text == "5\n"
    assert post(clickhouse_url, "SELECT 6 AS a", default_format="JSONEachRow").text == '{"a":6}\n'
    assert httpx.post(base, params={"decompress": "1"}, content=b"SELECT 1", auth=auth).status_code == 501


def test_who_asks_stands_in_a_comment(clickhouse_url: ClickHouse) -> None:
    """Metabase, dbt and Superset write themselves before the query: it is still one that answers, in its format."""
    reply = post(clickhouse_url, "/* Tableau */ -- and me\n (SELECT 1 AS a) FORMAT CSVWithNames")
    assert reply.headers["x-clickhouse-format"] == "CSVWithNames"
    assert reply.headers["content-type"] == "text/csv; charset=UTF-8; header=present"
    before = peak_memory_kb(clickhouse_url.pid)
    sql = b"-- Metabase\nSELECT number, repeat('x', 100) FROM numbers(6000000) FORMAT TabSeparated"
    with httpx.stream("POST", clickhouse_url.base_url, content=sql, auth=("internal", clickhouse_url.token)) as got:
        assert sum(len(piece) for piece in got.iter_raw()) > 600_000_000
    assert peak_memory_kb(clickhouse_url.pid) - before < 250_000


@pytest.mark.parametrize("output_format", sorted(HEADS))
def test_a_streamed_head_goes_out_once(clickhouse_url: ClickHouse, output_format: str) -> None:
    """JDBC's format and what spreadsheets take. One block is one piece: the control."""
    columns = 'number AS `a "b"\n, c`, \'x"\' AS `long name of a column {}`, toString(number) AS s'.format("y" * 120)
    sql = f"SELECT {columns} FROM numbers(200000)"
    streamed = post(clickhouse_url, sql, default_format=output_format).content
    whole = post(clickhouse_url, sql, default_format=output_format, max_block_size="300000").content
    assert streamed == whole
    assert len(streamed) > 2_000_000
    empty = post(clickhouse_url, f"SELECT * FROM ({sql}) LIMIT 0", default_format=output_format).content
    assert empty
    assert streamed.startswith(empty)


def test_clickhouses_own_blocks(clickhouse_url: ClickHouse) -> None:
    """`compress=1`, the default of JDBC and so of DBeaver and Metabase. The layout is read here by the book."""
    sql = "SELECT number, repeat('x', 100) FROM numbers(30000)"
    body, plain = memoryview(post(clickhouse_url, sql, compress="1").content), b""
    while body:
        checksum, method, packed_bytes, plain_bytes = struct.unpack("<16sBII", body[:25])
        expected: int = CityHash128(bytes(body[16 : 16 + packed_bytes]))
        assert checksum == struct.pack("<QQ", expected >> 64, expected & (1 << 64) - 1)
        assert method == 0x82
        plain += lz4.block.decompress(body[25 : 16 + packed_bytes], uncompressed_size=plain_bytes)
        body = body[16 + packed_bytes :]
    assert plain.decode() == post(clickhouse_url, sql).text
    assert post(clickhouse_url, "SELECT nope", compress="1").text.startswith("Code: 47. DB::Exception: ")


@pytest.mark.parametrize("user", ["internal", "reader"])
def test_a_question_ends_with_its_client(clickhouse_url: ClickHouse, user: str) -> None:
    """More than there are threads, and none has anything to send for minutes: a closed laptop must not hold them."""
    auth = (user, clickhouse_url.token if user == "internal" else "")
    endless = b"SELECT sum(sipHash64(number)) FROM numbers(1000000000000)"

    def leave() -> None:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(clickhouse_url.base_url, content=endless, auth=auth, timeout=0.5)

    with ThreadPoolExecutor(16) as pool:
        for left in [pool.submit(leave) for _ in range(16)]:
            left.result()
    started = time.monotonic()
    assert httpx.post(clickhouse_url.base_url, content=b"SELECT 1", auth=auth, timeout=60).text == "1\n"
    assert time.monotonic() - started < 5


def test_a_change_does_not_end_with_its_client(clickhouse_url: ClickHouse, client: Client) -> None:
    slow = "INSERT INTO t (id) SELECT number + sleepEachRow(0.1) FROM numbers(10)"
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            clickhouse_url.base_url,
            params={"database": str(client.database)},
            content=slow.encode(),
            auth=("internal", clickhouse_url.token),
            timeout=0.3,
        )
    deadline = time.monotonic() + 10
    while client.command("SELECT count() FROM t") != 10:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("body", ["/**/" * 200 + "x;y", "/*" * 300_000 + ";", "';" + "'\\" * 300_000])
def test_a_text_made_to_be_slow_is_not(clickhouse_url: ClickHouse, body: str) -> None:
    """Each took the whole process, the sink's part too, for hours: the search for its end began anew at every byte."""
    for user, password in (("reader", ""), ("internal", clickhouse_url.token)):
        reply = httpx.post(clickhouse_url.base_url, content=body.encode(), auth=(user, password), timeout=20)
        assert reply.status_code in (200, 400)  # ClickHouse takes a comment without an end for no query


def test_every_statement_has_an_id(clickhouse_url: ClickHouse) -> None:
    assert post(clickhouse_url, "SELECT 1", query_id="mine").headers["x-clickhouse-query-id"] == "mine"
    assert len(post(clickhouse_url, "SELECT 1").headers["x-clickhouse-query-id"]) == 36


def test_times_are_utc(clickhouse_url: ClickHouse) -> None:
    client = clickhouse_url.client()
    assert client.query("SELECT timezone()").result_rows == [("UTC",)]
    client.close()


@pytest.mark.fault
def test_acked_rows_survive_kill_9(tmp_path: Path) -> None:
    acked: set[int] = set()
    recoveries_s = []
    for number in range(5):
        started = time.monotonic()
        with warehouse(tmp_path) as (running, process):
            recoveries_s.append(time.monotonic() - started)
            client = running.client()
            client.command("CREATE TABLE IF NOT EXISTS t (id Int64) ENGINE = MergeTree ORDER BY id")
            kill = threading.Timer(0.4 + number * 0.15, os.kill, (process.pid, signal.SIGKILL))
            kill.start()
            with suppress(Error):
                for step in range(100_000):
                    key = number * 1_000_000 + step * 10
                    client.insert("t", [[key + n] for n in range(10)], column_names=["id"], column_type_names=["Int64"])
                    acked.update(range(key, key + 10))
            kill.join()
            process.wait(10)
    with warehouse(tmp_path) as (running, _):
        client = running.client()
        stored = [row[0] for row in client.query("SELECT id FROM t").result_rows]
        client.close()
    print(f"{len(acked)} acked rows, recovery {max(recoveries_s):.1f} s at most")
    assert len(acked) > 100
    assert acked <= set(stored)
    assert len(stored) == len(set(stored))
    assert max(recoveries_s) < 15


@pytest.mark.fault
def test_a_second_process_on_the_path_is_refused(clickhouse_url: ClickHouse) -> None:
    command = [sys.executable, "-m", "services.embedded.clickhouse.main", "--data", str(clickhouse_url.data_dir)]
    command += ["--lock-wait-s", "0.5"]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert second.returncode == 78
    assert f"is in use by another process (pid {clickhouse_url.pid})" in second.stderr
    assert second.stdout == ""
    assert httpx.get(f"{clickhouse_url.base_url}/ping").text == "Ok.\n"


def test_a_restart_keeps_port_token_and_rows(tmp_path: Path) -> None:
    with warehouse(tmp_path) as (first, process):
        client = first.client()
        client.command("CREATE TABLE t (id Int64) ENGINE = MergeTree ORDER BY id")
        client.insert("t", [[1]], column_names=["id"])
        assert stat.S_IMODE((tmp_path / "internal.token").stat().st_mode) == 0o600
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    with warehouse(tmp_path) as (second, _):
        assert (second.port, second.token) == (first.port, first.token)
        assert client.command("SELECT count() FROM t") == 1  # the same client goes on
    client.close()


def test_a_new_process_waits_for_one_that_is_leaving(tmp_path: Path) -> None:
    with warehouse(tmp_path) as (first, process):
        client = first.client()
        client.command("CREATE TABLE t (id Int64) ENGINE = MergeTree ORDER BY id")
        client.close()
        threading.Timer(0.5, process.send_signal, (signal.SIGTERM,)).start()
        with warehouse(tmp_path) as (second, _):
            assert process.wait(10) == 0
            assert second.port == first.port
            assert second.pid != first.pid
            assert post(second, "EXISTS TABLE t").text == "1\n"


def test_a_long_query_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    with warehouse(tmp_path) as (running, process), ThreadPoolExecutor(1) as pool:
        endless = "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)"
        waiting = pool.submit(post, running, endless)
        time.sleep(0.3)
        assert not waiting.done()
        process.send_signal(signal.SIGTERM)
        assert waiting.result(10).headers["x-clickhouse-exception-code"] == "394"  # QUERY_WAS_CANCELLED
        assert process.wait(10) == 0


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    script = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-m", "services.embedded.clickhouse.main", "--data", {str(tmp_path)!r}],
                         stdout=subprocess.PIPE, text=True)
print(child.pid, child.stdout.readline(), flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid, _, line = parent.stdout.readline().partition(" ")
        assert json.loads(line)["ready"] is True
        parent.kill()
    deadline = time.monotonic() + 15
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.1)


def test_outside_loopback_needs_a_password(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "services.embedded.clickhouse.main", "--data", str(tmp_path), "--host", "0.0.0.0"]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert refused.returncode == 78
    assert "reader_password_file" in refused.stderr
