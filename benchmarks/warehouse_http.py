"""What the embedded ClickHouse does through its HTTP interface: `python -m benchmarks.warehouse_http [--seconds 3]`."""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from tests.clickhouse_fixture import ClickHouse, warehouse

COLUMNS = {
    **dict.fromkeys(("account_id", "person_id", "event_id", "url", "payload", "title"), "String"),
    **dict.fromkeys(
        ("source", "type", "phase", "persona", "segment", "channel", "method", "rule"), "LowCardinality(String)"
    ),
    **dict.fromkeys(("emotion", "effort", "amount"), "Nullable(Float64)"),
    **dict.fromkeys(("revision", "duration_ms", "attempt"), "Int64"),
    **dict.fromkeys(("occurred_at", "received_at"), "DateTime64(3, 'UTC')"),
    "trace": "UUID",
    "aliases": "Array(String)",
    "is_deleted": "UInt8",
}
TABLE = (
    "CREATE TABLE touchpoints ("
    + ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    + ") ENGINE = ReplacingMergeTree(revision, is_deleted) PARTITION BY toYYYYMM(occurred_at)"
    + " ORDER BY (toStartOfMinute(occurred_at), account_id, event_id)"
)


def row(seed: random.Random) -> list[Any]:
    """One touchpoint-like row, 25 columns."""
    now = datetime.now(UTC)
    texts = [f"crm:{seed.randrange(1000):04}", f"p{seed.randrange(9000)}", str(uuid4())]
    texts += ["https://www.example.com/pricing?plan=team", '{"plan":"team","seats":40}', "Pricing"]
    kinds = [f"k{seed.randrange(12)}" for _ in range(8)]
    return [*texts, *kinds, None, 0.5, 99.0, 1, 1200, 1, now, now, uuid4(), ["a@example.com", "anon:1"], 0]


@contextmanager
def connected(running: ClickHouse, *, compress: bool) -> Iterator[Client]:
    client = clickhouse_connect.get_client(dsn=running.url, compress=compress)
    try:
        yield client
    finally:
        client.close()


def timed_ms(work: Callable[[], object], times: int) -> list[float]:
    """Sorted durations of `times` runs."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        taken.append((time.perf_counter() - started) * 1e3)
    return sorted(taken)


def memory_mb(pid: int, field: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def cpu_s(pid: int) -> float:
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().split()[13:15])) / 100


def measure_inserts(running: ClickHouse, seconds: float) -> None:
    seed = random.Random(1)
    rows = [row(seed) for _ in range(10_000)]
    print(f"{'insert':24} {'batch':>6} {'rows/s':>9} {'p50 ms':>8} {'p99 ms':>8} {'server CPU s / M rows':>22}")
    for compress in (False, True):
        with connected(running, compress=compress) as client:
            for batch in (2_000, 5_000, 10_000):
                client.command("DROP TABLE IF EXISTS touchpoints")
                client.command(TABLE)
                part = rows[:batch]

                def insert(client: Client = client, part: list[list[Any]] = part) -> object:
                    names, kinds = list(COLUMNS), list(COLUMNS.values())
                    return client.insert("touchpoints", part, column_names=names, column_type_names=kinds)

                insert()
                before, taken = cpu_s(running.pid), [0.0]
                started = time.perf_counter()
                while time.perf_counter() - started < seconds:
                    taken += timed_ms(insert, 1)
                total = (len(taken) - 1) * batch
                rate = total / (time.perf_counter() - started)
                cost = (cpu_s(running.pid) - before) / total * 1e6
                taken = sorted(taken[1:])
                print(
                    f"{'compressed' if compress else 'plain':24} {batch:6} {rate:9.0f} {statistics.median(taken):8.1f} "
                    f"{taken[int(len(taken) * 0.99)]:8.1f} {cost:22.1f}"
                )


def measure_queries(running: ClickHouse) -> None:
    print(f"\n{'query, p50 / p99':24} {'ms':>12}")
    reader = running.reader()
    with connected(running, compress=False) as client:
        client.command("CREATE OR REPLACE VIEW bi.bench AS SELECT account_id, phase FROM default.touchpoints FINAL")
        asks: dict[str, Callable[[], object]] = {
            "SELECT 1": lambda: client.query("SELECT 1"),
            "SELECT 1, reader": lambda: reader.query("SELECT 1"),
            "count by phase, reader": lambda: reader.query("SELECT phase, count() FROM bench GROUP BY phase"),
            "ping (HTTP alone)": client.ping,
        }
        for name, ask in asks.items():
            taken = timed_ms(ask, 200)
            print(f"{name:24} {statistics.median(taken):5.2f} / {taken[197]:5.2f}")
        sql = "SELECT number, repeat('x', 100) FROM numbers(1000000)"
        taken = timed_ms(lambda: client.query(sql, column_oriented=True), 3)
        print(f"{'1 M rows, 110 MB':24} {taken[1]:12.0f}")
        connects = timed_ms(lambda: clickhouse_connect.get_client(dsn=running.url).close(), 20)
        print(f"{'a new client':24} {statistics.median(connects):12.1f}")
    reader.close()


def main() -> None:
    """Prints one table; needs about half a minute."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each insert run")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        with warehouse(Path(folder)) as (running, _):
            print(f"ready after {time.perf_counter() - started:.2f} s on an empty folder")
            started = time.perf_counter()
            with connected(running, compress=False) as client:
                client.command("SELECT 1")
            print(f"first client and query {(time.perf_counter() - started) * 1e3:.0f} ms")
            print(f"memory at start {memory_mb(running.pid, 'VmRSS'):.0f} MB")
            measure_inserts(running, seconds)
            measure_queries(running)
            time.sleep(5)
            before = cpu_s(running.pid)
            time.sleep(10)
            idle = (cpu_s(running.pid) - before) / 10 * 100
            resident, own, peak = (memory_mb(running.pid, field) for field in ("VmRSS", "RssAnon", "VmHWM"))
            print(f"\nidle: {resident:.0f} MB resident, of it {own:.0f} MB own; peak {peak:.0f} MB; CPU {idle:.1f} %")


if __name__ == "__main__":
    main()
