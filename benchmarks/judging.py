"""What it costs to judge figures every minute, over a million touchpoints: promises, and what is unusual in each cell.

The looks are as the service makes them, on its own clock: usual minutes, the turn of an hour, and usual ones again. The
CPU is that of the service's part (asking, counting, judging) and of ClickHouse.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from benchmarks.figures import QUICK, Figure, Pace, Say, table
from benchmarks.guarded import say as aloud
from benchmarks.pages import QUICK_TOUCHPOINTS, TOUCHPOINTS, fill
from benchmarks.processes import cpu_s
from schemas.blueprint import Blueprint
from schemas.incidents import Desk
from services.alerting.measuring import LOOK_EVERY_S, Measuring
from services.sink.migrate import migrate
from streams.incidents.counts import judging
from streams.incidents.intake import Lens
from streams.incidents.type_desks import Check, desk_id, looked
from streams.journey.blueprints import load
from streams.runtime.clickhouse import Store
from tests.clickhouse_fixture import warehouse
from tests.sink_harness import store_config

MINUTES: Final = 5
"""Usual looks before the turn of the hour, and after it."""
HOUR: Final = timedelta(hours=1)
_BROKEN: Final = """
INSERT INTO signals (account_id, signal_id, revision, is_deleted, rule, rule_version, polarity, severity, event_id,
    person_id, touchpoint_type, phase, opened_at, is_closed, closed_at, evidence, evidence_count, explanation)
SELECT account_id, concat('b-', event_id), 1, 0,
    {rules:Array(String)}[cityHash64(event_id, 1) % length({rules:Array(String)}) + 1], 1,
    'friction', 0.6, event_id, person_id, touchpoint_type, phase, occurred_at + toIntervalHour(4), 0,
    occurred_at + toIntervalHour(4), [event_id], 1, 'no answer in time'
FROM touchpoints WHERE cityHash64(event_id, 2) % 100 = 0 AND occurred_at < now() - toIntervalHour(4)
"""


@dataclass(slots=True)
class Looks:
    """CPU seconds of looks: here, and in ClickHouse."""

    here: list[float] = field(default_factory=list)
    there: list[float] = field(default_factory=list)


class Judge:
    """What the service does with checks: every type's desk looks at them."""

    def __init__(self, blueprint: Blueprint) -> None:
        self._types = Lens(blueprint).types
        self._desks: dict[str, Desk] = {}

    def judged(self, checks: Mapping[str, Sequence[Check]], now: datetime) -> None:
        for name, kind in self._types.items():
            desk = self._desks.get(name) or Desk(account_id=desk_id(kind))
            self._desks[name] = looked(desk, kind, checks.get(name, ()), now)


def run(pace: Pace, say: Say) -> list[Figure]:
    """Fills a store and judges it."""
    with tempfile.TemporaryDirectory(prefix="touchline-bench-") as name:
        return measured(Path(name) / "clickhouse", QUICK_TOUCHPOINTS if pace == QUICK else TOUCHPOINTS, say)


def measured(folder: Path, touchpoints: int, say: Say) -> list[Figure]:
    """`folder` may hold a store that an earlier run filled."""
    is_there, blueprint = folder.exists(), load().source
    with warehouse(folder) as (clickhouse, _):
        config = store_config(clickhouse.base_url, "bench", folder / "internal.token")
        if not is_there:
            migrate(config, clickhouse.token)
        with Store(config, clickhouse.token, timeout_s=600) as store:
            if not is_there:
                fill(store, blueprint, touchpoints)
            _break_promises(store, blueprint)
            return asyncio.run(_looks(store, clickhouse.pid, blueprint, touchpoints, say))


def _break_promises(store: Store, blueprint: Blueprint) -> None:
    """A hundredth of what came was not answered in time, unless the store has such signals already."""
    rules = sorted(judging(blueprint))
    if not store.rows("SELECT 1 FROM signals WHERE rule IN {rules:Array(String)} LIMIT 1", {"rules": rules}):
        store.command(_BROKEN, {"rules": rules})


async def _looks(store: Store, pid: int, blueprint: Blueprint, touchpoints: int, say: Say) -> list[Figure]:
    turn = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    minute = timedelta(seconds=LOOK_EVERY_S)
    now, judge = turn, Judge(blueprint)
    measuring = Measuring(store, blueprint, lambda: now, judge.judged, lambda: True)
    first, usual, at_turn = Looks(), Looks(), Looks()
    for at, kept in (
        (turn - HOUR / 2, first),
        *((turn - HOUR / 2 + n * minute, usual) for n in range(1, MINUTES + 1)),
        (turn, at_turn),
        *((turn + n * minute, usual) for n in range(1, MINUTES + 1)),
    ):
        now = at
        here, there = time.process_time(), cpu_s(pid)
        await measuring.step()
        kept.here.append(time.process_time() - here)
        kept.there.append(cpu_s(pid) - there)
        say(f"{at:%H:%M} {kept.here[-1]:.2f} s here, {kept.there[-1]:.2f} s in ClickHouse")
    part, looks_an_hour = f"judging, {touchpoints:,} touchpoints", HOUR / minute
    hour_s = sum((looks_an_hour - 1) * statistics.mean(of) for of in (usual.here, usual.there))
    hour_s += at_turn.here[0] + at_turn.there[0]
    kinds = (("the first look", first), ("a usual look", usual), ("at the turn of an hour", at_turn))
    each = [
        Figure(part, what, f"{statistics.mean(of.here):.2f} s here, {statistics.mean(of.there):.2f} s in ClickHouse")
        for what, of in kinds
    ]
    return [Figure(part, "CPU of one core", f"{hour_s / HOUR.total_seconds() * 100:.1f} %"), *each]


def main() -> None:
    """Measures a store that is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, required=True, help="folder of the store; filled where it is empty")
    parser.add_argument("--touchpoints", type=int, default=TOUCHPOINTS)
    asked = parser.parse_args()
    aloud(table(measured(asked.keep / "clickhouse", asked.touchpoints, aloud)))


if __name__ == "__main__":
    main()
