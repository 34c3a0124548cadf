"""What was erased, what is left and until when; it names nobody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from schemas.config import Config
from schemas.holdings import TOPICS_HELD
from streams.runtime.topics_admin import roll_hours

Receipt = dict[str, Any]
#: Kafka looks every five minutes for files to drop, and does so a minute later.
_KAFKA_LOOKS: Final = timedelta(minutes=10)
#: The first pass drops what was emptied; the key that stands for it is kept for as long again, counted from that pass,
#: and the pass after that may come a moment too early.
_PASSES: Final = 3
#: How often `touchline erase --requested` runs, as the guide says: a pass needs something that is written after it.
_SCHEDULE: Final = timedelta(hours=1)
#: ClickHouse removes the files of parts that a merge or mutation has replaced after eight minutes.
_CLICKHOUSE_REMOVES: Final = timedelta(minutes=10)


def left(config: Config, at: datetime) -> Iterator[dict[str, str]]:
    """What cannot be rewritten, and when it is gone at the latest."""
    kafka = config.kafka
    for topic, held in TOPICS_HELD.items():
        if not held.personal:
            continue
        if held.keeps == "log":
            hours = kafka.hours_of(topic)
            gone, why = timedelta(hours=hours + roll_hours(hours)) + _KAFKA_LOOKS, "Kafka drops whole files by age"
        else:
            gone = _PASSES * (timedelta(hours=kafka.compaction_hours) + _SCHEDULE) + _KAFKA_LOOKS
            why = (
                "the values with the next compaction, the keys with the two after it; `touchline erase --requested` "
                "once an hour keeps Kafka at it where nothing else is written"
            )
        yield {"where": f"topic {topic}", "gone_by": _stamp(at + gone), "why": why}
    yield {
        "where": "ClickHouse's replaced files",
        "gone_by": _stamp(at + _CLICKHOUSE_REMOVES),
        "why": "no query reads them; they are removed a while after what replaced them",
    }
    yield {"where": "backups from before", "gone_by": "", "why": "as long as you keep them; a restore erases again"}


def words(receipt: Mapping[str, Any]) -> str:
    """The receipt for people."""
    counted = ", ".join(f"{count} {what}" for what, count in receipt["erased"].items())
    lines = [
        f"Erasure {receipt['erasure_id']} of {'a person' if receipt['kind'] == 'person' else 'an account'}",
        f"Asked for {receipt['requested_at']} by {receipt['by'] or 'an operator'}; done {receipt['finished_at']}.",
        f"Gone is what occurred up to {receipt['before']}, also when it arrives later"
        + ("; what occurs after that is dropped, too." if receipt["suppress"] else "."),
        f"Known by {receipt['ids']} ids. Erased: {counted}.",
        "Every figure that they were a part of is computed anew.",
        "",
        "What is left, and until when:",
        *(f"- {one['where']}: {one['gone_by'] or 'see there'} ({one['why']})" for one in receipt["left"]),
        "",
        "Not found: a name that somebody else wrote in a text of theirs, and what was exported from here before.",
    ]
    return "\n".join(lines) + "\n"


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
