"""A reader's statement that looks at no clock ends the process, which loses nothing and is started again."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from services.embedded.clickhouse.overdue import EXIT_OVERDUE, Overdue
from tests.clickhouse_fixture import warehouse

pytestmark = pytest.mark.clickhouse
_RUN = """
import sys
from pathlib import Path
from services.embedded.clickhouse.main import run
from services.embedded.clickhouse.settings.process import Limits, WarehouseSettings
limits = Limits(reader_max_execution_s=1, reader_overdue_s=2)
sys.exit(run(WarehouseSettings(data_dir=Path(sys.argv[1]), limits=limits)))
"""
#: A million looks into an array of a million, in one call.
TIMELESS = (
    "SELECT 'ann@example.com', arrayCount(x -> has(r, x + 1000001), r) FROM (SELECT range(1000000) AS r)"
    " WHERE 'bob@example' != 'it\\'s bob@example.com"
) + "'"
ENDLESS = "SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))"


@contextmanager
def hasty(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """With a limit of 1 s, and 2 s more: the process, its address, the token of services."""
    command = [sys.executable, "-c", _RUN, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = str(json.loads(process.stdout.readline())["url"])
            yield process, url, (folder / "internal.token").read_text().strip()
        finally:
            process.kill()


def test_what_cannot_be_stopped_ends_the_process_and_nothing_is_lost(tmp_path: Path) -> None:
    with hasty(tmp_path) as (process, url, token):
        for sql in ("CREATE TABLE t (a Int64) ENGINE = MergeTree ORDER BY a", "INSERT INTO t VALUES (1), (2)"):
            assert httpx.post(url, content=sql, auth=("internal", token)).status_code == 200
        stopped = httpx.post(url, content=ENDLESS, auth=("reader", ""), timeout=30)
        assert stopped.status_code == 408, "known-good: what looks at the clock is stopped by it"
        with pytest.raises(httpx.TransportError):
            httpx.post(url, content=TIMELESS, auth=("reader", ""), timeout=120)
        assert process.wait(30) == EXIT_OVERDUE
        assert process.stderr is not None
        said = process.stderr.read()
        assert "to be started again" in said and "arrayCount" in said
        assert "example" not in said, "texts of a statement may be about people"
    with warehouse(tmp_path) as (target, _):
        client = target.client()
        assert client.query("SELECT sum(a) FROM t").result_rows == [(3,)]
        client.close()


def test_a_sign_of_life_counts_from_then_on() -> None:
    now, ended = [0.0], list[str]()
    overdue = Overdue(90, ended.append, lambda: now[0])
    with overdue.watched("slow to be taken") as waiting:
        for at in range(0, 500, 80):
            now[0] = at
            overdue.look()
            with waiting():
                now[0] = at + 60
                overdue.look()
        with waiting():
            now[0] += 10_000
            overdue.look()
        assert ended == []
        now[0] += 91  # since it went on
        overdue.look()
        assert ended == ["slow to be taken"], "known-bad: without a sign"
    now[0] += 1_000
    overdue.look()
    assert len(ended) == 1, "what has ended is forgotten"


def test_a_process_without_statements_is_left_alone(tmp_path: Path) -> None:
    with hasty(tmp_path) as (process, url, _):
        httpx.post(url, content="SELECT 1", auth=("reader", ""))
        time.sleep(4)
        assert httpx.get(f"{url}/ping").text == "Ok.\n"
        assert process.poll() is None


def test_a_client_that_takes_nothing_of_its_answer_ends_no_process(tmp_path: Path) -> None:
    """It computes nothing meanwhile; else anybody could end the process by not reading."""
    sql = b"SELECT number, repeat('x', 900) FROM numbers(200000) FORMAT TSV"
    with hasty(tmp_path) as (process, url, _):
        at = urlsplit(url)
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((at.hostname, at.port))
            client.sendall(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % len(sql) + sql)
            assert b" 200 OK" in client.recv(100)
            time.sleep(6)
            assert process.poll() is None, "known-bad: it was taken for one that computes for ever"
            assert httpx.get(f"{url}/ping").text == "Ok.\n"
