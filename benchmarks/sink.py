"""How fast the sink is alone, and what a recomputation costs as the store grows.

    python -m benchmarks.sink                     # 100,000 facts, 200,000 touchpoints: some seconds
    python -m benchmarks.sink --facts 1000000 --touchpoints 1000000 10000000

Starts its own Kafka and ClickHouse in a temporary folder. Prints one JSON object a line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from services.embedded.kafka.process import EmbeddedBroker
from services.embedded.kafka.settings import BrokerSettings
from services.embedded.kafka.setup import prepare_runtime
from services.sink.cells import recompute
from services.sink.migrate import migrate
from streams.runtime.clickhouse import Store
from tests.clickhouse_fixture import ClickHouse, warehouse
from tests.sink_harness import Harness, harness, record_of, store_config
from tests.store_facts import START, touchpoint_fact

ITEMS_A_RECORD = 100
DIRTY_MINUTES = (1, 5, 20, 60)
TOUCHPOINTS_A_MINUTE = 1000
REPEATS = 5

# 1,000 touchpoints a minute, 5,000 accounts, 12 types in 6 phases
_FILL = """
INSERT INTO touchpoints (minute, account_id, event_id, revision, is_deleted, occurred_at, received_at, source,
    touchpoint_type, phase, persona, segment, channel, on_map, person_id, has_emotion, emotion, friction, pain)
SELECT toStartOfMinute(at), concat('crm:', toString(cityHash64(number) % 5000)), toString(generateUUIDv4(number)), 1, 0,
    at, at, 'web', concat('type_', toString(number % 12)), concat('phase_', toString(number % 6)),
    concat('persona_', toString(number % 3)), 'mid', if(number % 4 = 0, 'crm', 'web'), 1,
    concat('person-', toString(cityHash64(number) % 20000)), number % 2, if(number % 2, 0.5, nan), number % 20 = 0, 0.1
FROM (SELECT number, {start:DateTime64(3, 'UTC')} + toIntervalMillisecond(number * 60) AS at
      FROM numbers({first:UInt64}, {count:UInt64}))
"""


def say(**figures: object) -> None:
    """One line of the result."""
    print(json.dumps(figures), flush=True)


def records(facts: int) -> Iterator[tuple[str, bytes]]:
    """Facts of 500 accounts as records of ITEMS_A_RECORD, 143 touchpoints a second by their own time."""
    for first in range(0, facts, ITEMS_A_RECORD):
        account = f"crm:{first // ITEMS_A_RECORD % 500}"
        batch = [touchpoint_fact(first + n, account=account) for n in range(ITEMS_A_RECORD)]
        yield (
            account,
            record_of(batch).replace(b'"event_id":"event-', b'"event_id":"01890a5d-ac96-774b-bcce-b302099a8057-'),
        )


async def throughput(sink: Harness, facts: int) -> None:
    """Facts prepared in Kafka; from the start of the sink process until all of them are committed."""
    await sink.create_topics()
    await sink.send(records(facts))
    started = time.monotonic()
    process = sink.start()
    await sink.caught_up(3600)
    took_s = time.monotonic() - started
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if ":" in line
    )
    sink.stop_all()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    say(
        measure="sink throughput",
        facts=facts,
        took_s=round(took_s, 1),
        facts_per_s=round(facts / took_s),
        rss_mb=int(status["VmHWM"].split()[0]) // 1024,
        sink_cpu_s=round(used.ru_utime + used.ru_stime, 1),
    )


def recomputation(store: Store, touchpoints: int) -> None:
    """Milliseconds of one recomputation of the newest minutes, with `touchpoints` stored."""
    store.command("TRUNCATE TABLE touchpoints")
    store.command("TRUNCATE TABLE journey_minutes")
    for first in range(0, touchpoints, 500_000):
        count = min(500_000, touchpoints - first)
        store.command(_FILL, {"start": START.replace(tzinfo=None), "first": first, "count": count})
    newest = int(START.timestamp()) + (touchpoints // TOUCHPOINTS_A_MINUTE - 1) * 60
    for minutes in DIRTY_MINUTES:
        dirty = [newest - 60 * n for n in range(minutes)]
        recompute(store, dirty)
        say(
            measure="recomputation",
            touchpoints=touchpoints,
            minutes=minutes,
            touchpoints_read=minutes * TOUCHPOINTS_A_MINUTE,
            median_ms=round(statistics.median(_timed_ms(store, dirty) for _ in range(REPEATS)), 1),
        )


def _timed_ms(store: Store, dirty: Sequence[int]) -> float:
    started = time.perf_counter()
    recompute(store, dirty)
    return (time.perf_counter() - started) * 1e3


def _run(folder: Path, clickhouse: ClickHouse, facts: int, touchpoints: Sequence[int]) -> None:
    config = store_config(clickhouse.base_url, "bench", folder / "clickhouse" / "internal.token")
    migrate(config, clickhouse.token)
    if facts:
        with EmbeddedBroker(BrokerSettings(data_dir=folder / "kafka"), prepare_runtime()) as broker:
            asyncio.run(throughput(harness(broker.bootstrap, "bench-", config, clickhouse.token), facts))
    with Store(config, clickhouse.token) as store:
        for count in touchpoints:
            recomputation(store, count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facts", type=int, default=100_000, help="facts sent through the sink; 0 skips it")
    parser.add_argument("--touchpoints", type=int, nargs="*", default=[200_000], help="sizes of the store")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="touchline-bench-") as name:
        folder = Path(name)
        with warehouse(folder / "clickhouse") as (clickhouse, _):
            _run(folder, clickhouse, given.facts, given.touchpoints)


if __name__ == "__main__":
    main()
