"""Readers that mean harm, or only ask too much: services go on, other readers are served, nothing stands still."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import clickhouse_connect
import httpx
import lz4.frame
import pytest
import zstandard

from schemas.config import SqlConfig
from services.embedded.clickhouse.sql_check import FORBIDDEN_NAMES, SYSTEM_TABLES
from tests.clickhouse_fixture import ClickHouse, warehouse
from tests.fuzz.warehouse import run
from tests.listening import dripping, rest_of

pytestmark = pytest.mark.clickhouse

KNOWN = Path(__file__).parents[1] / "data" / "clickhouse_functions.txt"
HEAVY = "SELECT uniqExact(cityHash64(number)) FROM numbers(400000000)"
# 192 MiB: each array is held twice
LARGE = "SELECT length(groupArray(number)), length(groupArray(toUInt32(number))) FROM numbers(8000000)"


def ask(target: ClickHouse, sql: str, user: str = "reader", settings: str = "", **headers: str) -> httpx.Response:
    password = target.token if user == "internal" else ""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"{target.base_url}/?{settings}"
    return httpx.post(url, content=sql.encode(), auth=(user, password), headers=named, timeout=60)


@contextmanager
def longest_wait(target: ClickHouse) -> Iterator[list[float]]:
    """The longest wait of one that asks for nothing but `Ok.`, over and over, while the block runs."""
    done, found = Event(), [0.0]

    def probe() -> None:
        with httpx.Client(base_url=target.base_url, timeout=60) as client:
            while not done.is_set():
                began = time.monotonic()
                assert client.get("/ping").text == "Ok.\n"
                found[0] = max(found[0], time.monotonic() - began)
                done.wait(0.01)

    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(probe)
        try:
            yield found
        finally:
            done.set()
            job.result()


def form(head: bytes, value: bytes = b"SELECT 1") -> tuple[dict[str, str], bytes]:
    body = b"--b\r\nContent-Disposition: form-data; name=" + head + b"\r\n\r\n" + value + b"\r\n--b--\r\n"
    return {"Content-Type": "multipart/form-data; boundary=b"}, body


def frames(encoding: str, frame: bytes) -> tuple[dict[str, str], bytes]:
    return {"Content-Encoding": encoding}, frame * (1_000_000 // len(frame))


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        pytest.param(*form(b'"' + b';a="\\' * 225_000 + b'"'), 413, id="a disposition of 900 KB"),
        pytest.param(*form(b"query\r\nContent-Type: multipart/mixed; boundary=c", b"--c\r\n\r\nx"), 404, id="nested"),
        pytest.param(*form(b"query", b"\xff"), 400, id="no UTF-8"),
        pytest.param(*form(b't; filename="t"'), 501, id="an external table"),
        pytest.param(*frames("lz4", lz4.frame.compress(b"")), 400, id="lz4 frames"),
        pytest.param(*frames("zstd", zstandard.compress(b"")), 400, id="zstd frames"),
        pytest.param(*frames("gzip", gzip.compress(b"")), 400, id="gzip frames"),
        pytest.param({}, b"SELECT " + b"1," * 130_000 + b"1", 400, id="a long list"),
        pytest.param({}, b"SELECT " + b"(1 IN " * 20_000 + b"1", 400, id="deeply nested"),
    ],
)
def test_one_request_holds_nobody_up(
    clickhouse_url: ClickHouse, headers: dict[str, str], body: bytes, status: int
) -> None:
    """The first took more than a minute of everybody's time, the frames 16 s each."""
    with longest_wait(clickhouse_url) as longest:
        reply = httpx.post(clickhouse_url.base_url, content=body, headers=headers, timeout=60)
    assert reply.status_code == status, reply.text
    assert reply.text.startswith(f"Code: {reply.headers['x-clickhouse-exception-code']}. DB::Exception: ")
    assert longest[0] < 5


def test_a_short_fuzz(tmp_path: Path) -> None:
    """Minutes of it: `python -m tests.fuzz.warehouse`."""
    with warehouse(tmp_path) as (target, process):
        findings = run(target, seconds=8, examples=150)
        assert findings.sent > 10
        assert findings.bare == []
        assert ask(target, "SELECT 1").text == "1\n"
        assert process.poll() is None


@pytest.mark.parametrize("role", ["reader", pytest.param("internal", id="known-bad: not held")])
def test_readers_with_heavy_queries_leave_services_their_part(tmp_path: Path, role: str) -> None:
    """All slots of readers are held by queries that want more than there is; a service uses what is surely its own.

    What is looked for is the one error that services meet when readers took of theirs, whoever of both it is told.
    """
    own = f"max_memory_usage={SqlConfig().sure_bytes}&max_threads=1"
    with warehouse(tmp_path) as (target, _), ThreadPoolExecutor(4) as pool:
        client = target.client()
        client.command("CREATE TABLE t (id Int64) ENGINE = MergeTree ORDER BY id")
        readers = [pool.submit(ask, target, HEAVY, role) for _ in range(4)]
        told, stored = [], 0
        while not all(reader.done() for reader in readers):
            told.append(ask(target, LARGE, "internal", settings=own).text)
            if role == "reader":
                assert told[-1] == "8000000\t8000000\n"
                client.insert("t", [[stored + n] for n in range(100)], column_names=["id"])
                stored += 100
        told += [reader.result().text for reader in readers]
        assert ask(target, "SELECT count() FROM t", "internal").text == f"{stored}\n"
        assert ask(target, "SELECT 1").text == "1\n"
        client.close()
    taken = [text for text in told if "(total) memory limit exceeded" in text]
    assert bool(taken) == (role == "internal"), taken
    if role == "reader":
        assert all("Query memory limit exceeded" in reader.result().text for reader in readers)  # they do meet theirs


@pytest.mark.parametrize(
    ("other", "first_gives_way"),
    [
        pytest.param("a reader's, later", True),
        pytest.param("a service's", True),
        pytest.param("nobody's", False, id="known-bad: alone it does not"),
    ],
)
def test_a_long_statement_of_a_reader_goes_on_slowly_beside_others(
    tmp_path: Path, other: str, first_gives_way: bool
) -> None:
    """Rows that it reads in two seconds: a block of 2,048 each 200 ms, or as many as the machine can."""
    endless = "SELECT count() FROM numbers(100000000000) WHERE NOT ignore(sipHash64(number))"
    with warehouse(tmp_path) as (target, _), ThreadPoolExecutor(2) as pool:

        def rows_read() -> int:
            rows = "SELECT max(read_rows) FROM system.processes WHERE Settings['log_comment'] LIKE 'reader:first%'"
            return int(ask(target, rows, "internal").text)

        first = pool.submit(ask, target, endless, settings="max_execution_time=12&query_id=first")
        while rows_read() < 100_000:
            time.sleep(0.05)
        if other == "a service's":
            pool.submit(ask, target, "SELECT sleep(3)", "internal")
        elif first_gives_way:
            pool.submit(ask, target, endless, settings="max_execution_time=5&query_id=second")
        time.sleep(0.5)
        began, before = time.monotonic(), rows_read()
        time.sleep(2)
        a_second = (rows_read() - before) / (time.monotonic() - began)
        assert (a_second < 32 * 2_048) == first_gives_way, a_second
        assert not first.done()
        for query_id in ("first", "second"):
            ask(target, f"KILL QUERY WHERE query_id = '{query_id}'")


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"POST / HTTP/1.1\r\nHost: localhost\r\n", id="head"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nSEL", id="body", marks=pytest.mark.slow
        ),
    ],
)
def test_500_slow_readers_are_dropped(tmp_path: Path, said: bytes) -> None:
    """In 10 s those without a head, in 30 s those without a body; others are served meanwhile."""
    sql = json.dumps({"max_connections": 1000})
    with warehouse(tmp_path, "--sql", sql) as (target, _), dripping(target.port, 500, said) as slow:
        assert ask(target, "SELECT 1").text == "1\n"
        began = time.monotonic()
        for one in slow:
            one.settimeout(60)
            rest_of(one)
        assert time.monotonic() - began < 50
        assert ask(target, "SELECT 1").text == "1\n"


def test_more_connections_than_there_may_be(tmp_path: Path) -> None:
    sql = json.dumps({"max_connections": 32})
    with warehouse(tmp_path, "--sql", sql) as (target, _), dripping(target.port, 100, b"POST / HTTP/1.1\r\n"):
        assert ask(target, "SELECT 1").text == "1\n"


@pytest.mark.parametrize(
    ("headers", "answered"),
    [
        ({}, True),
        ({"host": "localhost"}, True),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"}, False),
        ({"host": "evil.example"}, False),
    ],
)
def test_web_pages_of_others_are_refused(clickhouse_url: ClickHouse, headers: dict[str, str], answered: bool) -> None:
    reply = ask(clickhouse_url, "SELECT 1", **headers)
    assert (reply.status_code, reply.headers.get("x-clickhouse-exception-code")) == (
        (200, None) if answered else (403, "516")
    )


def test_a_probe_is_answered_by_any_name(clickhouse_url: ClickHouse) -> None:
    headers = {"Host": "clickhouse:8123", "Origin": "http://evil.example"}
    assert httpx.get(f"{clickhouse_url.base_url}/ping", headers=headers).text == "Ok.\n"


def test_allowed_names_and_pages(tmp_path: Path) -> None:
    """Behind a proxy that has a name, with a page of one's own that queries, and clickhouse-connect by that name."""
    config = {"allowed_hosts": ["sql.example.com"], "allowed_origins": ["https://bi.example.com"]}
    with warehouse(tmp_path, "--sql", json.dumps(config)) as (target, _):
        reply = ask(target, "SELECT 1", host="sql.example.com", origin="https://bi.example.com")
        assert (reply.text, reply.headers["access-control-allow-origin"]) == ("1\n", "https://bi.example.com")
        asks = {"Origin": "https://bi.example.com", "Access-Control-Request-Method": "POST"}
        assert httpx.options(target.base_url, headers=asks).status_code == 204
        assert ask(target, "SELECT 1", host="other.example.com").status_code == 403
        client = clickhouse_connect.get_client(host=target.host, port=target.port, username="reader")
        assert client.query("SELECT 1").result_rows == [(1,)]
        client.close()


def test_a_password_and_a_name_of_compose(tmp_path: Path) -> None:
    """Not on loopback: called by whatever name, and only with the password."""
    secret = tmp_path / "reader"
    secret.write_text("secret")
    more = ("--host", "0.0.0.0", "--reader-password-file", str(secret))
    with warehouse(tmp_path / "data", *more) as (target, _):
        url = f"http://127.0.0.1:{target.port}"
        for host in ("clickhouse:8123", "10.1.2.3"):
            assert httpx.post(url, content=b"SELECT 1", auth=("reader", "secret"), headers={"Host": host}).text == "1\n"
            assert httpx.post(url, content=b"SELECT 1", headers={"Host": host}).status_code == 403


def test_every_function_has_been_judged(clickhouse_url: ClickHouse) -> None:
    """A new version brings new functions: look whether they tell of the machine, then add them to the list."""
    listed = ask(clickhouse_url, "SELECT lower(name) FROM system.functions ORDER BY 1 FORMAT TSV", "internal").text
    assert sorted(set(listed.split()) - set(KNOWN.read_text().split())) == []


def test_no_function_tells_of_the_machine(clickhouse_url: ClickHouse, tmp_path: Path) -> None:
    """Each that needs no argument, as a service and as a reader: what tells its name, port, path or disk is refused."""
    names = ask(clickhouse_url, "SELECT name FROM system.functions WHERE NOT is_aggregate FORMAT TSV", "internal").text
    telling = {socket.gethostname(), socket.getfqdn(), str(clickhouse_url.data_dir)}
    told = set()
    auth = ("internal", clickhouse_url.token)
    with httpx.Client(base_url=clickhouse_url.base_url, auth=auth, timeout=60) as client:
        for name in names.split():
            if name.lower() in FORBIDDEN_NAMES or name.startswith(("__", "sleep")):
                continue
            answer = client.post("/", content=f"SELECT toString({name}())".encode())
            said = answer.text.strip() if answer.status_code == 200 else ""
            if said in telling or str(clickhouse_url.data_dir) in said:
                told.add(name)
    assert told == set()
    assert ask(clickhouse_url, "SELECT hostName()", "internal").text.strip() in telling  # the control
    for name in ("hostName", "FQDN", "filesystemAvailable", "serverUUID", "displayName", "tcpPort"):
        assert ask(clickhouse_url, f"SELECT {name}()").headers["x-clickhouse-exception-code"] == "497"


def test_no_table_tells_where_the_data_lies(clickhouse_url: ClickHouse) -> None:
    columns = ask(
        clickhouse_url,
        "SELECT table, groupArray(name) FROM system.columns WHERE database = 'system' GROUP BY table FORMAT TSV",
        "internal",
    ).text
    found = dict(line.split("\t") for line in columns.splitlines())
    for table in sorted(SYSTEM_TABLES & found.keys() - {"numbers", "numbers_mt", "licenses"}):
        names = [name.strip("'") for name in found[table].strip("[]").split(",")]
        wanted = ", ".join(name for name in names if name.lower() not in FORBIDDEN_NAMES)
        reply = ask(clickhouse_url, f"SELECT {wanted} FROM system.{table}")
        assert reply.status_code == 200, reply.text[:300]
        assert str(clickhouse_url.data_dir) not in reply.text
    for sql in (
        "SELECT * FROM system.databases",
        "SELECT d.* FROM system.databases AS d",
        "SELECT COLUMNS('p') FROM system.tables",
    ):
        assert ask(clickhouse_url, sql).headers["x-clickhouse-exception-code"] == "497"
    assert ask(clickhouse_url, "SELECT count(*) FROM system.databases").status_code == 200
    shown = ask(clickhouse_url, "SELECT * FROM system.databases", "internal").text
    assert str(clickhouse_url.data_dir) in shown  # the control


BUSY = ("159", "241")
"""Out of time or out of memory, whichever comes first."""
ROWS = "FROM numbers(3000000)"
"""So many that no machine is done with them within the second that they are given."""
EXPLOSIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "STL of many": (
        f"SELECT sum(length(seriesOutliersDetectTukey(arrayMap(x -> toFloat64(x + number), range(2000))))) {ROWS}",
        BUSY,
    ),
    "STL with a long period": (
        "SELECT seriesDecomposeSTL(arrayMap(x -> toFloat64(x), range(1000000)), 499999)",
        ("497",),
    ),
    "sums over ranges": (
        "SELECT arrayReduceInRanges('uniqExact', arrayMap(x -> (x, 100000), range(100000)), range(100000))",
        ("497",),
    ),
    "a pattern that repeats": (
        f"SELECT sum(match(repeat('a', 5000), '(((a*)*)*)*b{{1,500}}') + number) {ROWS}",
        ("0", *BUSY),
    ),
    "many groups": ("SELECT extractAllGroupsHorizontal(repeat('a', 300000), '(a*?)(a*?)(a*?)')", ("128",)),
    "patterns at once": ("SELECT multiMatchAny('a', ['([a-z]{1,100}[0-9]{1,100}){1,50}x'])", ("447",)),
    "recursion": (
        "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT count() FROM t",
        ("306", *BUSY),
    ),
    "rows of arrays": (f"SELECT sum(arrayJoin(range(10000000))) {ROWS}", BUSY),
    "arrays of arrays": (
        "SELECT count() FROM numbers(1000000) ARRAY JOIN range(1000) AS a ARRAY JOIN range(1000) AS b",
        BUSY,
    ),
    "a product": (
        "SELECT count() FROM numbers(1000000) AS a, numbers(1000000) AS b WHERE a.number + b.number = 7",
        BUSY,
    ),
    "one key": (
        "SELECT count() FROM (SELECT 1 AS k, number AS n FROM numbers(300000)) AS a"
        " JOIN (SELECT 1 AS k, number AS n FROM numbers(300000)) AS b ON a.k = b.k WHERE a.n * b.n % 7 = 3",
        BUSY,
    ),
    "windows": (
        "SELECT sum(s) FROM (SELECT uniqExact(number) OVER (ORDER BY number RANGE BETWEEN 500000 PRECEDING"
        " AND CURRENT ROW) AS s FROM numbers(1000000))",
        BUSY,
    ),
    "everything so far": ("SELECT length(groupArray(number) OVER (ORDER BY number)) FROM numbers(1000000)", BUSY),
    "a long text": ("SELECT length(repeat(repeat('x', 1000000), 1000))", ("241",)),
    "a long format": ("SELECT length(format(repeat('{0}', 10000), repeat('x', 100000)))", ("241",)),
    "random texts": (f"SELECT sum(length(randomString(1000000))) {ROWS}", ("241",)),
    "sleep": ("SELECT sum(sleepEachRow(3)) FROM numbers(100)", ("160",)),
    "a dictionary": ("SELECT dictGet('bi.d', 'x', 1)", ("36", "497")),
    "a program": ("SELECT * FROM executable('id', TSV, 'a String')", ("497",)),
    "another's time": ("SELECT 1 SETTINGS max_execution_time = 600", ("497",)),
    "another's memory": ("SELECT 1 SETTINGS max_memory_usage = 0", ("497",)),
}


@pytest.mark.parametrize("kind", EXPLOSIONS)
def test_what_explodes_is_refused_or_ends_by_a_limit_while_services_are_answered(
    clickhouse_url: ClickHouse, kind: str
) -> None:
    sql, codes = EXPLOSIONS[kind]
    with longest_wait(clickhouse_url) as longest:
        reply = ask(clickhouse_url, sql, settings="max_execution_time=1")
        assert ask(clickhouse_url, "SELECT 1", "internal").text == "1\n"
    assert reply.headers.get("x-clickhouse-exception-code", "0") in codes, reply.text[:300]
    assert longest[0] < 5
