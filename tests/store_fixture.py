"""A migrated store of its own for a test, and the sink's way into it without Kafka."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from schemas.config import ClickHouseConfig
from schemas.facts import Fact
from services.sink.batch import Item, Refusal
from services.sink.migrate import migrate
from services.sink.sink import Sink
from streams.runtime.clickhouse import Store
from streams.runtime.metrics import NoMetrics
from tests.clickhouse_fixture import ClickHouse
from tests.sink_harness import record_of, store_config


@dataclass(frozen=True)
class FakeRecord:
    """A record as the sink sees it."""

    topic: str = "journey.facts.v1"
    partition: int = 0
    offset: int = 0
    value: bytes | None = b"[]"


@contextmanager
def fresh_store(clickhouse: ClickHouse, database: str) -> Iterator[tuple[Store, ClickHouseConfig]]:
    """Tables in `database`, views in `bi_<database>`; the views' database is dropped afterwards."""
    config = store_config(clickhouse.base_url, database, clickhouse.data_dir / "internal.token")
    migrate(config, clickhouse.token)
    with Store(config, clickhouse.token) as store:
        try:
            yield store, config
        finally:
            store.command(f"DROP DATABASE IF EXISTS {config.bi_database}")


def items_of(facts: Sequence[Fact]) -> list[Item]:
    """Facts as the items of one record."""
    record = FakeRecord(value=record_of(facts))
    return [Item(record, index, fact) for index, fact in enumerate(facts)]


def put(store: Store, facts: Sequence[Fact]) -> list[Refusal]:
    """Stores one batch exactly as the sink does; what it refused."""
    sink = Sink(store, NoMetrics(), lambda: datetime.now(UTC))
    items = items_of(facts)
    refused = sink.write(items)
    sink.recompute(items)
    return refused
