"""How long the pages take over a million touchpoints, quiet and while a thousand a second come in.

Each page is asked for as a browser does, nothing of it known yet (`expire` forgets what was answered). What comes in
is written as the sink writes it, twice a second with the cells of the minute recomputed; the other processes are not
there. A store that was filled once can be kept: `python -m benchmarks.pages --keep FOLDER` fills it, or uses it again.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
from fastapi import FastAPI

from benchmarks.figures import QUICK, Figure, Pace, Say, table
from benchmarks.guarded import say as aloud
from schemas.blueprint import Blueprint
from schemas.config import ClickHouseConfig, DashboardConfig
from services.dashboard.bootstrap import build
from services.dashboard.clickhouse import ClickHouseStore, connect
from services.sink.cells import recompute
from services.sink.days import roll_up
from services.sink.migrate import migrate
from streams.journey.blueprints import load
from streams.runtime.clickhouse import Store
from tests.clickhouse_fixture import ClickHouse, warehouse
from tests.sink_harness import store_config

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

TOUCHPOINTS: Final = 1_000_000
QUICK_TOUCHPOINTS: Final = 50_000
DAYS: Final = 30
REPEATS: Final = 20
"""A page that takes seconds is asked so often, too: the whole takes some ten minutes while it is slow."""
RATE_PER_S: Final = 1_000
EVERY_S: Final = 0.5
WORST_ACCOUNT: Final = "crm:crm:0"
PAGES: Final = {
    "/": "300 ms",
    "/map": "300 ms",
    "/cells/all/support_ticket": "300 ms",
    "/map/blueprint/": "300 ms",
    "/map/future": "300 ms",
    "/map/life": "300 ms",
    "/incidents": "300 ms",
    "/accounts": "300 ms",
    f"/accounts/{WORST_ACCOUNT}": "300 ms",
    "/sources": "300 ms",
}
UNDER_LOAD: Final = ("/", "/map")

# 5,000 accounts (an eighth not yet identified) with four people each; some accounts and types are touched far more
_ROWS: Final = """
SELECT toStartOfMinute(at) AS minute,
    if(account % 8 = 7, concat('anon:', toString(account)), concat('crm:crm:', toString(account))) AS account_id,
    concat({run:String}, toString(number)) AS event_id, toUInt64(1) AS revision, at AS occurred_at, at AS received_at,
    'web' AS source, {kinds:Array(String)}[kind + 1] AS touchpoint_type,
    if(dice % 20 = 0, {phases:Array(String)}[dice % length({phases:Array(String)}) + 1],
        {homes:Array(String)}[kind + 1]) AS phase,
    {personas:Array(String)}[dice % length({personas:Array(String)}) + 1] AS persona,
    ['small', 'mid market', 'enterprise'][account % 3 + 1] AS segment,
    ['web', 'email', 'product', 'phone'][kind % 3 + (dice % 9 = 0) + 1] AS channel, toUInt8(1) AS on_map,
    if(dice % 10 = 0, '', concat('person-', toString(account), '-', toString(dice % 4))) AS person_id,
    toUInt8(dice % 4 = 0) AS has_emotion, if(dice % 4 = 0, dice % 200 / 100 - 1, nan) AS emotion,
    toUInt16(dice % 15 = 0) AS friction, if(dice % 15 = 0, 0.4, 0) AS pain, toUInt8(3) AS importance,
    toUInt32(1) AS blueprint_version
FROM
(
    SELECT number, toDateTime64({start:Float64} + (number - {first:UInt64}) * {step_s:Float64}, 3, 'UTC') AS at,
        cityHash64(number, 3) AS dice,
        toUInt32(floor(5000 * pow(cityHash64(number, 1) / 18446744073709551616., 1.5))) AS account,
        toUInt32(floor(length({kinds:Array(String)}) * pow(cityHash64(number, 2) / 18446744073709551616., 1.7))) AS kind
    FROM numbers({first:UInt64}, {count:UInt64})
)
"""
_COLUMNS: Final = """minute, account_id, event_id, revision, occurred_at, received_at, source, touchpoint_type, phase,
    persona, segment, channel, on_map, person_id, has_emotion, emotion, friction, pain, importance, blueprint_version"""
_FILL: Final = f"INSERT INTO touchpoints ({_COLUMNS}) SELECT {_COLUMNS} FROM ({_ROWS})"
_AROUND: Final = (
    """
INSERT INTO histories (account_id, event_id, revision, is_deleted, occurred_at, received_at, knowledge, digest, payload)
SELECT account_id, event_id, 1, 0, occurred_at, received_at, 0, 0, '{"touchpoint":{},"attribution":{}}' FROM touchpoints
""",
    """
INSERT INTO signals (account_id, signal_id, revision, is_deleted, rule, rule_version, polarity, severity, event_id,
    person_id, touchpoint_type, phase, opened_at, is_closed, closed_at, evidence, evidence_count, explanation)
SELECT account_id, concat('s-', event_id), 1, 0, ['low_score', 'rage_click', 'client_error', 'payment_failed'][
    cityHash64(event_id) % 4 + 1] AS r, 1, 'friction', 0.4, event_id, person_id, touchpoint_type, phase, occurred_at, 1,
    occurred_at, [event_id], 1, r FROM touchpoints WHERE friction > 0
""",
    """
INSERT INTO account_journeys (account_id, revision, is_deleted, name, phase, segment, traits, touchpoints,
    on_map_touchpoints, people, friction_signals, first_seen_at, last_seen_at, transitions, committee_completeness)
SELECT account_id, 1, 0, concat('Company ', account_id), argMax(phase, occurred_at), any(segment), '{}', count(),
    count(), uniqExact(person_id), sum(friction), min(occurred_at), max(occurred_at), '[]', 0
FROM touchpoints GROUP BY account_id
""",
    """
INSERT INTO source_freshness SELECT source, max(occurred_at), max(received_at), max(received_at) FROM touchpoints
GROUP BY source
""",
)
# As if it had been written some time ago: only then a day may come to rest.
_AGED: Final = (
    "CREATE TABLE aged AS journey_minutes",
    "INSERT INTO aged SELECT * REPLACE (version - toIntervalHour(1) AS version) FROM journey_minutes FINAL",
    "EXCHANGE TABLES aged AND journey_minutes",
    "DROP TABLE aged SYNC",
)


def run(pace: Pace, say: Say) -> list[Figure]:
    """Fills a store and asks every page of it."""
    with tempfile.TemporaryDirectory(prefix="touchline-bench-") as name:
        return measured(Path(name) / "clickhouse", QUICK_TOUCHPOINTS if pace == QUICK else TOUCHPOINTS, say)


def measured(folder: Path, touchpoints: int, say: Say, only: str = "") -> list[Figure]:
    """`folder` may hold a store that an earlier run filled."""
    is_there = folder.exists()
    with warehouse(folder) as (clickhouse, _):
        config = store_config(clickhouse.base_url, "bench", folder / "internal.token")
        blueprint = load().source
        migrate(config, clickhouse.token)
        if not is_there:
            with Store(config, clickhouse.token, timeout_s=600) as store:
                fill(store, blueprint, touchpoints)
        return asyncio.run(_asked(clickhouse, config, blueprint, touchpoints, say, only))


def fill(store: Store, blueprint: Blueprint, touchpoints: int) -> None:
    """Touchpoints evenly over the days before now, and all that is made of them; settled days are rolled up."""
    start, step_s = datetime.now(UTC) - timedelta(days=DAYS), DAYS * 86_400 / touchpoints
    for first in range(0, touchpoints, 250_000):
        count = min(250_000, touchpoints - first)
        at = start.timestamp() + first * step_s
        store.command(_FILL, _named(blueprint, "e-", at, step_s, first, count))
    minute = int(start.timestamp()) // 60 * 60
    recompute(store, range(minute, minute + DAYS * 86_400 + 60, 60))
    for statement in (*_AROUND, *_AGED):
        store.command(statement)
    roll_up(store, None, limit=DAYS + 2)


def _named(blueprint: Blueprint, run: str, start_s: float, step_s: float, first: int, count: int) -> dict[str, object]:
    kinds = [kind for kind in blueprint.types if kind.on_map]
    return {
        "run": run,
        "kinds": [kind.id for kind in kinds],
        "homes": [kind.phase for kind in kinds],
        "phases": [phase.id for phase in blueprint.phases],
        "personas": [persona.id for persona in blueprint.personas],
        "start": start_s,
        "step_s": step_s,
        "first": first,
        "count": count,
    }


@contextmanager
def incoming(config: ClickHouseConfig, password: str, blueprint: Blueprint) -> Iterator[None]:
    """While it lasts, touchpoints of now are written as the sink does: a batch, and the cells of its minutes."""
    stop = threading.Event()

    def write() -> None:
        count, first = int(RATE_PER_S * EVERY_S), 10**9
        with Store(config, password, timeout_s=60) as store:
            while not stop.is_set():
                began_s, now_s = time.monotonic(), time.time()
                run = f"l{now_s:.0f}-"
                store.command(_FILL, _named(blueprint, run, now_s - EVERY_S, EVERY_S / count, first, count))
                recompute(store, [int(now_s - EVERY_S) // 60 * 60, int(now_s) // 60 * 60])
                first += count
                stop.wait(max(0.0, EVERY_S - (time.monotonic() - began_s)))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


async def _asked(
    clickhouse: ClickHouse, config: ClickHouseConfig, blueprint: Blueprint, touchpoints: int, say: Say, only: str
) -> list[Figure]:
    store = TimedStore(partial(connect, config, clickhouse.token))
    app = build(DashboardConfig(), store=store, blueprint=blueprint)
    figures: list[Figure] = []

    def report(what: str, took_ms: list[float], budget: str) -> None:
        value = f"median {statistics.median(took_ms):.0f} ms, p95 {statistics.quantiles(took_ms, n=20)[-1]:.0f} ms"
        figures.append(Figure("pages", what, value, budget))
        say(f"  {what}: {value}")

    try:
        for path in [each for each in PAGES if only in each]:
            whole_ms, _ = await times(app, path, store)
            report(f"`{path}` of {touchpoints:,} touchpoints, quiet", whole_ms, PAGES[path])
        with incoming(config, clickhouse.token, blueprint):
            await asyncio.sleep(3)
            for path in [each for each in UNDER_LOAD if only in each]:
                whole_ms, asked_ms = await times(app, path, store)
                report(f"`{path}` while {RATE_PER_S:,} a second come in", whole_ms, PAGES[path])
                report(f"of it its questions to ClickHouse, `{path}`", asked_ms, "p95 150 ms")
    finally:
        store.close()
    return figures


class TimedStore(ClickHouseStore):
    """Notes when each question was under way."""

    def __init__(self, dial: Callable[[], Client]) -> None:
        super().__init__(dial)
        self.asked: list[tuple[float, float]] = []

    def _ask(self, statement: str, parameters: dict[str, object]) -> list[dict[str, Any]]:
        began_s = time.perf_counter()
        try:
            return super()._ask(statement, parameters)
        finally:
            self.asked.append((began_s, time.perf_counter()))

    def under_way_ms(self) -> float:
        """How long at least one was under way since the last call."""
        asked, self.asked = sorted(self.asked), []
        total_s, until_s = 0.0, 0.0
        for began_s, ended_s in asked:
            total_s += max(0.0, ended_s - max(began_s, until_s))
            until_s = max(until_s, ended_s)
        return total_s * 1e3


async def times(app: FastAPI, path: str, store: TimedStore, repeats: int = REPEATS) -> tuple[list[float], list[float]]:
    """Milliseconds from the request to the last byte, and of them those in which ClickHouse was asked.

    After one that warms up; every answer is computed anew.
    """
    transport = httpx.ASGITransport(app=app)
    took_ms, asked_ms = [], []
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        for _ in range(repeats + 1):
            app.state.desk.snapshots.expire()
            store.under_way_ms()
            began_s = time.perf_counter()
            answer = await client.get(path)
            answer.raise_for_status()
            took_ms.append((time.perf_counter() - began_s) * 1e3)
            asked_ms.append(store.under_way_ms())
            await asyncio.sleep(0.05)
    return took_ms[1:], asked_ms[1:]


def on_a_store(parser: argparse.ArgumentParser, measured: Callable[..., list[Figure]]) -> None:
    """Print what `measured(folder, say=…, OPTION=…)` finds on a store that is kept, or made for it and removed."""
    parser.add_argument("--touchpoints", type=int, default=TOUCHPOINTS, help="stored over 30 days")
    parser.add_argument("--keep", type=Path, help="folder of a store that is kept, or filled before")
    options = vars(parser.parse_args())
    with tempfile.TemporaryDirectory(prefix="touchline-bench-") as name:
        folder = options.pop("keep") or Path(name) / "clickhouse"
        print(table(measured(folder, say=aloud, **options)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="pages whose address has this in it")
    on_a_store(parser, measured)


if __name__ == "__main__":
    main()
