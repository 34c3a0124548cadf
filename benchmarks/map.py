"""How long the map takes over its windows, from minutes alone and with days rolled up.

    python -m benchmarks.map                       # 1,000,000 touchpoints over 30 days: some minutes
    python -m benchmarks.map --touchpoints 100000

Starts its own ClickHouse in a temporary folder. Prints one JSON object a line. The naive figure is what a query over
the touchpoints themselves takes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.processes import cpu_s
from services.dashboard.catalogue import Catalogue
from services.dashboard.clickhouse import ClickHouseStore
from services.dashboard.clickhouse import connect as dashboard_client
from services.dashboard.numbers import PREVIOUS_WINDOWS
from services.dashboard.reader import Reader
from services.dashboard.scope import Scope, WindowId
from services.sink.cells import recompute
from services.sink.days import roll_up
from services.sink.migrate import migrate
from streams.runtime.clickhouse import Store
from tests.clickhouse_fixture import ClickHouse, warehouse
from tests.dashboard_fakes import BLUEPRINT
from tests.sink_harness import store_config

DAYS: Final = 30
REPEATS: Final = 9
WINDOWS: Final[tuple[WindowId, ...]] = ("1h", "24h", "7d", "30d")

# 5,000 accounts (an eighth not yet identified) with four people each, 45 types in 7 phases; some are touched far more
_FILL: Final = """
INSERT INTO touchpoints (minute, account_id, event_id, revision, is_deleted, occurred_at, received_at, source,
    touchpoint_type, phase, persona, segment, channel, on_map, person_id, has_emotion, emotion, friction, pain,
    importance, blueprint_version)
SELECT toStartOfMinute(at), concat(if(account % 8 = 7, 'anon:', 'crm:'), toString(account)), toString(number), 1, 0,
    at, at, 'web', concat('type_', toString(kind)),
    concat('phase_', toString(least(6, intDiv(kind, 7) + (dice % 20 = 0)))), concat('persona_', toString(dice % 4)),
    concat('segment_', toString(account % 3)),
    concat('channel_', toString(kind % 3 + (dice % 9 = 0))), 1,
    if(dice % 10 = 0, '', concat('person-', toString(account), '-', toString(dice % 4))), dice % 4 = 0,
    if(dice % 4 = 0, dice % 200 / 100 - 1, nan), dice % 15 = 0, if(dice % 15 = 0, 0.4, 0), 3, 1
FROM
(
    SELECT number, toDateTime64({start:Float64} + number * {step_s:Float64}, 3, 'UTC') AS at,
        cityHash64(number, 3) AS dice,
        toUInt32(floor(5000 * pow(cityHash64(number, 1) / 18446744073709551616., 1.5))) AS account,
        toUInt32(floor(45 * pow(cityHash64(number, 2) / 18446744073709551616., 1.7))) AS kind
    FROM numbers({first:UInt64}, {count:UInt64})
)
"""
_NAIVE: Final = """
SELECT phase, touchpoint_type, count(), uniqExact(account_id), uniqExact(person_id), sum(pain)
FROM touchpoints FINAL WHERE minute >= now('UTC') - toIntervalDay(30) AND on_map GROUP BY phase, touchpoint_type
"""


def say(**figures: object) -> None:
    """One line of the result."""
    print(json.dumps(figures), flush=True)


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """Times a question by the clock and by the CPU time of ClickHouse, which other work hardly changes."""

    pid: int

    async def __call__(self, question: Callable[[], Awaitable[object]], repeats: int = REPEATS) -> dict[str, float]:
        """After one run: the median by the clock, and the mean by the CPU."""
        await question()
        took: list[float] = []
        before_s = cpu_s(self.pid)
        for _ in range(repeats):
            started = time.perf_counter()
            await question()
            took.append((time.perf_counter() - started) * 1e3)
        cpu_ms = (cpu_s(self.pid) - before_s) / repeats * 1e3
        return {"median_ms": round(statistics.median(took)), "least_ms": round(min(took)), "cpu_ms": round(cpu_ms)}


def fill(store: Store, touchpoints: int) -> None:
    """Touchpoints evenly over the days before now, and their cells; as if that were some time ago."""
    start, step_s = datetime.now(UTC) - timedelta(days=DAYS), DAYS * 86_400 / touchpoints
    for first in range(0, touchpoints, 250_000):
        count = min(250_000, touchpoints - first)
        store.command(_FILL, {"start": start.timestamp(), "step_s": step_s, "first": first, "count": count})
    minute = int(start.timestamp()) // 60 * 60
    recompute(store, range(minute, minute + DAYS * 86_400 + 60, 60))
    store.command("CREATE TABLE aged AS journey_minutes")
    store.command(
        "INSERT INTO aged SELECT * REPLACE (version - toIntervalHour(1) AS version) FROM journey_minutes FINAL"
    )
    store.command("EXCHANGE TABLES aged AND journey_minutes")
    store.command("DROP TABLE aged SYNC")


async def ask(clickhouse: ClickHouse, folder: Path, *, rolled: bool) -> None:
    """The map as BI tools and as the page ask for it."""
    config, watch = store_config(clickhouse.base_url, "bench", folder / "internal.token"), Stopwatch(clickhouse.pid)
    answers = ClickHouseStore(partial(dashboard_client, config, clickhouse.token))
    reader = Reader(answers, Catalogue(BLUEPRINT), lambda: datetime.now(UTC))
    bi = config.bi_database
    for name, sql in (
        ("the same by the touchpoints themselves", _NAIVE),
        ("bi.journey_map", f"SELECT * FROM {bi}.journey_map"),
        ("bi.journey_map_daily", f"SELECT count(), sum(accounts) FROM {bi}.journey_map_daily"),
    ):
        say(measure=name, rolled=rolled, **await watch(partial(answers.rows, sql)))
    for window in WINDOWS:
        scope = Scope(window)
        span = await reader.span(scope, datetime.now(UTC))
        for name, question in (
            ("cells and sparklines", partial(answers.cells, scope, span)),
            ("earlier windows, once a minute", partial(answers.history, scope, span, PREVIOUS_WINDOWS)),
            ("/api/map", partial(reader.map, scope)),
        ):
            say(measure=name, window=window, rolled=rolled, **await watch(question))
    answers.close()


def run(folder: Path, clickhouse: ClickHouse, touchpoints: int) -> None:
    config = store_config(clickhouse.base_url, "bench", folder / "internal.token")
    migrate(config, clickhouse.token)
    with Store(config, clickhouse.token, timeout_s=600) as store:
        fill(store, touchpoints)
        cells = store.rows("SELECT count() AS n FROM journey_minutes FINAL")[0]["n"]
        say(measure="filled", touchpoints=touchpoints, cells=cells)
        asyncio.run(ask(clickhouse, folder, rolled=False))
        before_s = cpu_s(clickhouse.pid)
        days = roll_up(store, None, limit=DAYS + 2)
        cpu_ms = (cpu_s(clickhouse.pid) - before_s) * 1e3 / len(days)
        rows = store.rows("SELECT count() AS n FROM journey_days FINAL")[0]["n"]
        say(measure="roll-up", days=len(days), rows=rows, cpu_ms_a_day=round(cpu_ms))
        asyncio.run(ask(clickhouse, folder, rolled=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--touchpoints", type=int, default=1_000_000, help="stored over 30 days")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="touchline-bench-") as name:
        folder = Path(name) / "clickhouse"
        with warehouse(folder) as (clickhouse, _):
            run(folder, clickhouse, given.touchpoints)


if __name__ == "__main__":
    main()
