"""Facts that Kafka has and the store has not, found by id; and storing them, as the sink does.

Compared is what the sink has committed: every record before that offset must be stored, or lie in the dead letters.
So nothing under way is taken for a hole, however busy the store is, and nothing has to come to rest first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from schemas.base import EPOCH
from schemas.config import KafkaConfig
from schemas.facts import Correction, SignalFact, Tombstone, TouchpointFact
from schemas.topics import TopicName
from services.common.dead_letters import items_put_away
from services.common.records import Spans, consumer, records_of, spans_since
from services.sink.batch import Batch, Item, Kind
from services.sink.main import TOPICS
from services.sink.presence import Ask, described, missing
from services.sink.verify import EXAMPLES, Finding
from streams.runtime.kafka import GroupProgress

GROUP: Final = "touchline-sink"
WINDOW_ITEMS: Final = 2_000
WINDOW_BYTES: Final = 8 << 20
SAY_EVERY_S: Final = 10.0

Kept = Callable[[Sequence[Item]], Sequence[Item]]
"""The items that should be stored: those of erased people should not."""
_NO_AGE: Final = datetime.max.replace(tzinfo=UTC)
Repair = Callable[[Sequence[Item]], None]
"""Stores items as the sink does. Raises StoreUnavailable."""


@dataclass(slots=True)
class Holes:
    """What was found: per table how many rows are not there, some of them, and whose touchpoints they are."""

    records: int = 0
    items: int = 0
    repaired: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    accounts: set[str] = field(default_factory=set)

    def note(self, found: dict[str, list[Item]]) -> None:
        """Rows that are not there."""
        for table, items in found.items():
            self.counts[table] = self.counts.get(table, 0) + len(items)
            some = self.examples.setdefault(table, [])
            some += [described(table, item) for item in items[: EXAMPLES - len(some)]]

    def findings(self) -> list[Finding]:
        """As `verify` tells them."""
        return [
            Finding(f"facts in Kafka whose row in {table} is not there", count, tuple(self.examples[table]))
            for table, count in sorted(self.counts.items())
        ]


async def find_holes(  # noqa: PLR0913 - what is asked
    kafka: KafkaConfig,
    ask: Ask,
    say: Callable[[str], None],
    *,
    from_at: datetime | None,
    repair: Repair | None,
    since: datetime = EPOCH,
    kept: Kept = lambda items: items,
) -> Holes:
    """Reads what the sink has committed, from `from_at` (None: from the beginning), and compares it with the store.

    What happened before `since` the store may have forgotten as it should. With `repair` what is missing is stored, and
    looked for again: only what is still missing is reported. Raises KafkaAway, StoreUnavailable.
    """
    holes = Holes()
    async with consumer(kafka) as reader:
        refused = await items_put_away(reader, kafka, "sink")
        for topic, kind in TOPICS.items():
            wanted = await _committed(reader, kafka, topic, from_at)
            total = sum(max(0, end - first) for first, end in wanted.values())
            look = _Look(holes, ask, repair, refused, say, kind, topic, total, since, kept)
            await _compare(reader, wanted, look)
    return holes


async def _committed(reader: Any, kafka: KafkaConfig, topic: TopicName, from_at: datetime | None) -> Spans:
    """What is there of the topic and should be stored."""
    progress = GroupProgress(kafka, GROUP)
    try:
        done = await progress.committed(topic)
    finally:
        await progress.close()
    found = await spans_since(reader, kafka, topic, from_at)
    return {place: (first, min(end, done.get(place.partition, 0))) for place, (first, end) in found.items()}


@dataclass(slots=True)
class _Look:
    """One topic's comparison."""

    holes: Holes
    ask: Ask
    repair: Repair | None
    refused: set[tuple[str, int, int, int]]
    say: Callable[[str], None]
    kind: Kind
    topic: TopicName
    total: int
    since: datetime
    kept: Kept
    done: int = 0
    said_s: float = 0.0

    def take(self, batch: Batch) -> None:
        """Compares one window; blocks."""
        items = [item for item in batch.items if _place(item) not in self.refused and _time(item) >= self.since]
        items = list(self.kept(items))
        self.holes.records += batch.records
        self.holes.items += len(items)
        found = missing(items, self.ask)
        if found and self.repair is not None:
            lacking = list({id(item): item for some in found.values() for item in some}.values())
            self.repair(lacking)
            self.holes.accounts |= {account for item in lacking if (account := _account(item))}
            found = missing(lacking, self.ask)
            left = {id(item) for some in found.values() for item in some}
            self.holes.repaired += len(lacking) - len(left)
        self.holes.note(found)

    def progress(self, now_s: float) -> None:
        """One line now and then."""
        if now_s - self.said_s > SAY_EVERY_S:
            self.said_s = now_s
            self.say(f"verify      {self.done} of {self.total} records of {self.topic}")


async def _compare(reader: Any, wanted: Spans, look: _Look) -> None:
    now = asyncio.get_running_loop().time
    look.said_s = now()
    batch = Batch()
    async for record in records_of(reader, wanted):
        batch.add(record, look.kind)
        look.done += 1
        if len(batch.items) >= WINDOW_ITEMS or batch.size_bytes >= WINDOW_BYTES:
            await asyncio.to_thread(look.take, batch)
            batch = Batch()
            look.progress(now())
    await asyncio.to_thread(look.take, batch)


def _account(item: Item) -> str:
    """Whose history the item is a part of; empty: nobody's."""
    return item.fact.account_id if item.fact is not None and item.fact.kind in ("touchpoint", "tombstone") else ""


def _time(item: Item) -> datetime:
    """By which the store counts the age of its row; the latest for what has no age."""
    match item.fact:
        case TouchpointFact() as fact:
            return fact.input.touchpoint.occurred_at
        case Tombstone() as fact:
            return fact.occurred_at
        case SignalFact() as fact:
            return fact.opened_at
        case Correction() as fact:
            return fact.corrected_at
    return item.delivery.at if item.delivery is not None else _NO_AGE


def _place(item: Item) -> tuple[str, int, int, int]:
    return (item.record.topic, item.record.partition, item.record.offset, item.index)
