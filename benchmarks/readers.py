"""What heavy statements of readers cost the map: its page, alone and beside four analysts who never stop asking.

The statements are the dearest that the documentation offers, over a million touchpoints, each by a client of its own,
one behind the other without a pause. A store that was filled once can be kept, as for `benchmarks.pages`:
`python -m benchmarks.readers --keep FOLDER`.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError

from benchmarks.figures import QUICK, Figure, Pace, Say
from benchmarks.kept_store import kept_store
from benchmarks.pages import QUICK_TOUCHPOINTS, TOUCHPOINTS, TimedStore, on_a_store, times
from schemas.config import ClickHouseConfig, DashboardConfig
from services.common.access import add_token
from services.dashboard.bootstrap import build
from services.dashboard.clickhouse import connect
from streams.journey.blueprints import load
from tests.clickhouse_fixture import ClickHouse

BUDGET: Final = 2.0
ROUNDS: Final = 8
REPEATS: Final = 6
"""The map alone and beside readers, in turn: what else the machine does falls on both."""
HEAVY: Final = (
    "SELECT from_type, to_type, steps FROM bi.paths ORDER BY steps DESC LIMIT 20",
    "SELECT account_id, sum(pain_sum) FROM bi.people GROUP BY account_id ORDER BY 2 DESC LIMIT 20",
    "SELECT person_id, uniqExact(touchpoint_type), quantileExact(0.9)(pain) FROM bi.touchpoints"
    " GROUP BY person_id ORDER BY 3 DESC LIMIT 20",
    "SELECT count() FROM bi.touchpoints AS a INNER JOIN bi.touchpoints AS b ON a.account_id = b.account_id"
    " WHERE a.event_id < b.event_id",
)


def run(pace: Pace, say: Say) -> list[Figure]:
    """Fills a store and asks for the map."""
    with tempfile.TemporaryDirectory(prefix="touchline-bench-") as name:
        return measured(Path(name) / "clickhouse", QUICK_TOUCHPOINTS if pace == QUICK else TOUCHPOINTS, say)


def measured(folder: Path, touchpoints: int, say: Say) -> list[Figure]:
    """`folder` may hold a store that an earlier run filled."""
    with tempfile.TemporaryDirectory() as name:
        now, tokens = datetime.now(UTC), Path(name) / "access.json"
        people = [add_token(tokens, f"analyst {number}", "operator", now) for number in range(len(HEAVY))]
        with kept_store(folder, touchpoints, "--access-file", str(tokens)) as (clickhouse, config):
            return asyncio.run(_compared(clickhouse, config, people, touchpoints, say))


async def _compared(
    clickhouse: ClickHouse, config: ClickHouseConfig, people: list[str], touchpoints: int, say: Say
) -> list[Figure]:
    store = TimedStore(partial(connect, config, clickhouse.token))
    app = build(DashboardConfig(), store=store, blueprint=load().source)
    alone: list[float] = []
    beside: list[float] = []
    answered = 0
    try:
        for _ in range(ROUNDS):
            alone += (await times(app, "/map", store, REPEATS))[0]
            with analysts(clickhouse, people) as answers:
                await asyncio.sleep(1)
                beside += (await times(app, "/map", store, REPEATS))[0]
                answered += len(answers)
    finally:
        store.close()
    what = f"`/map` of {touchpoints:,} touchpoints"
    ratio = _p95(beside) / _p95(alone)
    middle = statistics.median(beside) / statistics.median(alone)
    made = [
        Figure("readers", f"{what}, nobody else", f"{_shown(alone)}", ""),
        Figure("readers", f"{what}, beside 4 readers", f"{_shown(beside)}", ""),
        Figure(
            "readers", "beside 4 readers, of alone", f"median {middle:.2f} ×, p95 {ratio:.2f} ×", f"p95 {BUDGET:.0f} ×"
        ),
        Figure("readers", "their statements answered meanwhile", f"{answered}", ""),
    ]
    for figure in made:
        say(f"  {figure.what}: {figure.value}")
    return made


@contextmanager
def analysts(clickhouse: ClickHouse, tokens: list[str]) -> Iterator[list[str]]:
    """While it lasts, each statement of `HEAVY` is asked by the owner of a token, again and again. Gives what was
    answered."""
    stop = threading.Event()
    answers: list[str] = []

    def ask(sql: str, token: str) -> None:
        client = clickhouse_connect.get_client(
            host=clickhouse.host, port=clickhouse.port, username="reader", password=token, database="bi"
        )
        try:
            while not stop.is_set():
                try:
                    client.query(sql)
                except ClickHouseError as error:  # its limits of time and memory end the dearest
                    answers.append(str(error)[:40])
                else:
                    answers.append("")
        finally:
            client.close()

    people = [threading.Thread(target=ask, args=each) for each in zip(HEAVY, tokens, strict=True)]
    for each in people:
        each.start()
    try:
        yield answers
    finally:
        stop.set()
        for each in people:
            each.join()


def _shown(took_ms: list[float]) -> str:
    return f"median {statistics.median(took_ms):.0f} ms, p95 {_p95(took_ms):.0f} ms"


def _p95(took_ms: list[float]) -> float:
    return statistics.quantiles(took_ms, n=20)[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    on_a_store(parser, measured)


if __name__ == "__main__":
    main()
