"""Clocks: this machine's, the brokers', ClickHouse's, and those of the senders."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from schemas.config import ClickHouseConfig
from services.cli.commands.doctor.check import Check, Place
from streams.runtime.clickhouse import query_rows

MAX_SKEW_S = 2.0
MAX_SUSPECT_SHARE = 0.01
LOOKS_BACK_DAYS = 7
NTP = "set both clocks by NTP"


def kafka_clock(place: Place) -> Iterator[Check]:
    """The broker that keeps our groups' offsets, against this machine."""
    if place.kafka.topics:
        yield clock("clock of Kafka", place.kafka.ahead_s)


def clickhouse_clock(place: Place) -> Iterator[Check]:
    """The server, against this machine."""
    before_s = time.time()
    (row,) = query_rows(place.store, "SELECT toUnixTimestamp64Milli(now64(3)) AS now_ms")
    there_s, after_s = int(str(row["now_ms"])) / 1000, time.time()
    yield clock("clock of ClickHouse", max(there_s - after_s, 0.0) + min(there_s + 0.001 - before_s, 0.0))


def clock(name: str, ahead_s: float | None) -> Check:
    """A clock that is ahead of ours by so much; None: it could not be learnt."""
    if ahead_s is None:
        return Check(name, "ok", "not known: its offsets may not be read here")
    if abs(ahead_s) > MAX_SKEW_S:
        direction = "ahead of" if ahead_s > 0 else "behind"
        return Check(name, "problem", f"{abs(ahead_s):.1f} s {direction} this machine's", NTP)
    return Check(name, "ok", f"agrees with this machine's to {MAX_SKEW_S:g} s")


def source_clocks(place: Place) -> Iterator[Check]:
    """Sources whose events come from the future."""
    yield from suspects(query_rows(place.store, suspects_sql(place.config.clickhouse)))


def suspects_sql(config: ClickHouseConfig) -> str:
    """Per source: touchpoints of the last days, those of a suspect clock, and by how much half of them are ahead."""
    return f"""
    SELECT source, uniqExact(event_id) AS all, uniqExactIf(event_id, clock_suspect) AS suspect,
        quantileIf(0.5)(dateDiff('second', received_at, occurred_at), clock_suspect) AS ahead_s
    FROM {config.database}.touchpoints
    WHERE minute >= now() - INTERVAL {LOOKS_BACK_DAYS} DAY AND received_at >= now() - INTERVAL {LOOKS_BACK_DAYS} DAY
    GROUP BY source ORDER BY source
    """


def suspects(rows: list[dict[str, object]]) -> Iterator[Check]:
    """One finding for each source that is ahead too often."""
    name, found = "clocks of sources", False
    for row in rows:
        total, suspect = int(str(row["all"])), int(str(row["suspect"]))
        if suspect > MAX_SUSPECT_SHARE * total:
            found = True
            detail = (
                f"`{row['source']}`: {suspect} of {total} events are from the future, half of them by {_ahead(row)}"
            )
            yield Check(
                name, "warning", detail, "set the sender's clock by NTP; its events are ordered by their receipt"
            )
    if not found:
        yield Check(name, "ok", f"{len(rows)} sources in {LOOKS_BACK_DAYS} days, none ahead")


def _ahead(row: Mapping[str, object]) -> str:
    seconds = float(str(row["ahead_s"]))
    return f"{seconds / 3600:.1f} h or more" if seconds >= 3600 else f"{seconds:.0f} s or more"
