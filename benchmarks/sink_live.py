"""What storing costs at a rate, as the minute under way fills: the sink's part and ClickHouse's.

    python -m benchmarks.sink_live                        # 3,000 events/s for a minute
    python -m benchmarks.sink_live --rate 1000 --seconds 20

The facts are those of the benchmarks' load, told by the real journey; they arrive by the clock and are collected as
the sink collects them, without Kafka. Starts its own ClickHouse in a temporary folder. Prints one JSON object a line:
CPU in seconds per 10,000 events, and how long an event waits at most from its arrival until it is on the map.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from benchmarks.core import Accounts, attributed, mapped, requests
from benchmarks.processes import cpu_s
from schemas.config import ClickHouseConfig
from schemas.facts import FACTS, Fact
from services.sink.batch import Batch
from services.sink.cadence import Cadence
from services.sink.migrate import migrate
from services.sink.sink import Sink
from streams.identity.knowledge import Knowledge
from streams.journey.blueprints import load
from streams.journey.facts import account_fact
from streams.runtime.clickhouse import Store
from streams.runtime.metrics import NoMetrics
from tests.clickhouse_fixture import warehouse
from tests.sink_harness import store_config
from tests.store_fixture import FakeRecord

ACCOUNTS: Final = 1000
TICK_S: Final = 0.1
ITEMS_A_RECORD: Final = 60
REPORT_EVERY_S: Final = 10

Feed = list[list[bytes]]
"""The records of each TICK_S."""


def feed(rate_per_s: int, seconds: float) -> Feed:
    """Records of facts as journey workers write them; the events happen from the begin of a minute on."""
    began = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=10)
    knowledge, accounts = Knowledge(), Accounts(load())
    before = began - timedelta(minutes=2)
    accounts.accept(attributed(knowledge, mapped(requests(0, batch=20, accounts=ACCOUNTS, began=before))))
    asked = requests(int(rate_per_s * seconds), batch=20, accounts=ACCOUNTS, rate_per_s=rate_per_s, began=began)
    a_tick = max(1, round(rate_per_s * TICK_S / 20))
    touched: set[str] = set()
    found: Feed = []
    for first in range(0, len(asked), a_tick):
        items = attributed(knowledge, mapped(asked[first : first + a_tick]))
        facts = accounts.accept(items)
        touched |= {item.account_id for item in items}
        if (len(found) + 1) % int(1 / TICK_S) == 0:  # an account's own row follows once a second
            facts += [account_fact(accounts.live[each], items[-1].touchpoint.ordered_at) for each in touched]
            touched.clear()
        found.append(list(_records(facts)))
    return found


def _records(facts: Sequence[Fact]) -> Iterator[bytes]:
    for first in range(0, len(facts), ITEMS_A_RECORD):
        yield FACTS.dump_json(list(facts[first : first + ITEMS_A_RECORD]))


@dataclass(slots=True)
class Spent:
    """What some batches took. `longest_s`: from the arrival of a batch's first record until it is on the map."""

    batches: int = 0
    items: int = 0
    cpu_s: dict[str, float] = field(default_factory=dict)
    longest_s: float = 0.0

    def add(self, other: Spent) -> None:
        self.batches += other.batches
        self.items += other.items
        self.longest_s = max(self.longest_s, other.longest_s)
        for name, spent in other.cpu_s.items():
            self.cpu_s[name] = self.cpu_s.get(name, 0.0) + spent

    def report(self, events: float, **what: object) -> None:
        costs = {name: round(spent / events * 10_000, 3) for name, spent in self.cpu_s.items()}
        sink = sum(cost for name, cost in costs.items() if not name.startswith("clickhouse"))
        figures = {"batches": self.batches, "items": self.items, "longest_s": round(self.longest_s, 2)}
        print(json.dumps(what | figures | costs | {"sink": round(sink, 3)}), flush=True)


class Live:
    """The sink's loop without Kafka, with a look at the CPU of both sides after each step."""

    def __init__(self, store: Store, pid: int) -> None:
        self._cadence = Cadence()
        self._sink = Sink(store, NoMetrics(), lambda: datetime.now(UTC))
        self._pid = pid

    def run(self, records: Feed, rate_per_s: int) -> Spent:
        """By the clock; a line every REPORT_EVERY_S, and all of it."""
        began, taken, shown = time.monotonic(), 0, 0
        whole, part = Spent(), Spent()
        while taken < len(records):
            arrived = began + taken * TICK_S
            time.sleep(max(0.0, arrived + self._cadence.collect_s() - time.monotonic()))
            due = min(len(records), int((time.monotonic() - began) / TICK_S))
            spent = self._batch(records[taken:due], arrived)
            part.add(spent)
            whole.add(spent)
            taken = due
            if (taken - shown) * TICK_S >= REPORT_EVERY_S or taken == len(records):
                part.report((taken - shown) * TICK_S * rate_per_s, until_s=round(taken * TICK_S, 1))
                part, shown = Spent(), taken
        return whole

    def _batch(self, ticks: Feed, arrived: float) -> Spent:
        batch = Batch()
        cpu: dict[str, float] = {}
        self._timed(cpu, "decode", lambda: _collect(batch, ticks))
        self._timed(cpu, "write", lambda: self._sink.write(batch.items))
        self._timed(cpu, "recompute", lambda: self._sink.recompute(batch.items))
        self._cadence.stored(len(batch.items), looked_s=0.0)
        return Spent(1, len(batch.items), cpu, time.monotonic() - arrived)

    def _timed(self, cpu: dict[str, float], name: str, step: Callable[[], object]) -> None:
        own, theirs = time.process_time(), cpu_s(self._pid)
        step()
        cpu[name] = time.process_time() - own
        cpu[f"clickhouse, {name}"] = cpu_s(self._pid) - theirs


def _collect(batch: Batch, ticks: Feed) -> None:
    for records in ticks:
        for value in records:
            batch.add(FakeRecord(value=value), "facts")


def measure(config: ClickHouseConfig, token: str, pid: int, records: Feed, rate_per_s: int) -> None:
    """All of it, with what ClickHouse does between the batches."""
    migrate(config, token)
    before = cpu_s(pid)
    with Store(config, token) as store:
        whole = Live(store, pid).run(records, rate_per_s)
    whole.cpu_s["clickhouse"] = cpu_s(pid) - before
    whole.report(len(records) * TICK_S * rate_per_s, measure="all")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=3000, help="events a second")
    parser.add_argument("--seconds", type=float, default=60)
    given = parser.parse_args()
    records = feed(given.rate, given.seconds)
    with tempfile.TemporaryDirectory(prefix="touchline-bench-") as name:
        folder = Path(name) / "clickhouse"
        with warehouse(folder) as (clickhouse, _):
            config = store_config(clickhouse.base_url, "bench", folder / "internal.token")
            measure(config, clickhouse.token, clickhouse.pid, records, given.rate)


if __name__ == "__main__":
    main()
