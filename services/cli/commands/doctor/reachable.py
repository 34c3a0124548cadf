"""Whether the stores answer; what is asked of them comes after these."""

from __future__ import annotations

from collections.abc import Iterator

from services.cli.commands.doctor.check import Check, Place


def kafka(place: Place) -> Iterator[Check]:
    """The broker. Raises KafkaAway."""
    seen, where = place.kafka, ", ".join(place.config.kafka.bootstrap)
    yield Check("Kafka", "ok", f"{where}, {seen.brokers} broker(s), {len(seen.topics)} topics")


def clickhouse(place: Place) -> Iterator[Check]:
    """The store. Raises StoreUnavailable."""
    from streams.runtime.clickhouse import query_rows

    (row,) = query_rows(place.store, "SELECT version() AS version")
    yield Check("ClickHouse", "ok", f"{row['version']} at {place.config.clickhouse.url}")
