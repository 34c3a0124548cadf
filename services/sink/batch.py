"""What the sink takes from Kafka at once: decoded items, what was refused, and where to go on. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from schemas.facts import FACTS, Fact
from schemas.incidents import DELIVERIES, Delivery
from schemas.links import LINKS, AnyLink
from streams.runtime.decode import WHOLE_RECORD, Refused, decode, item_bytes

Position = tuple[str, int]
"""(topic, partition)."""
Kind = Literal["facts", "links", "deliveries"]
"""What a topic holds; links alone are compacted."""


class Record(Protocol):
    """The part of aiokafka's ConsumerRecord used here."""

    @property
    def topic(self) -> str: ...

    @property
    def partition(self) -> int: ...

    @property
    def offset(self) -> int: ...

    @property
    def value(self) -> bytes | None: ...


@dataclass(slots=True)  # not frozen: there is one for every fact, and freezing doubles what making it takes
class Item:
    """One fact, link or line of the delivery log, and the place it came from."""

    record: Record
    index: int
    fact: Fact | None = None
    link: AnyLink | None = None
    delivery: Delivery | None = None

    def refusal(self, reason: str, message: str) -> Refusal:
        """This item as one that the store will never take."""
        original = item_bytes(self.record.value or b"", self.index)
        return Refusal(Refused(self.index, reason, message, original), self.record)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was refused, and the record it stood in."""

    refused: Refused
    record: Record

    @property
    def origin(self) -> tuple[str, int, int]:
        """(topic, partition, offset)."""
        return (self.record.topic, self.record.partition, self.record.offset)


@dataclass(slots=True)
class Batch:
    """Grows record by record; records of a partition are added in offset order."""

    items: list[Item] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    next_offsets: dict[Position, int] = field(default_factory=dict)
    records: int = 0
    size_bytes: int = 0

    def add(self, record: Record, kind: Kind) -> None:
        """Decodes one record. A record without a value is a deletion in a compacted topic: nothing to store."""
        self.records += 1
        self.next_offsets[(record.topic, record.partition)] = record.offset + 1
        if record.value is None:
            if kind != "links":
                refused = Refused(WHOLE_RECORD, "malformed", "the record has no value", b"")
                self.refusals.append(Refusal(refused, record))
            return
        self.size_bytes += len(record.value)
        if kind == "links":
            links = decode(record.value, LINKS)
            self.items += [Item(record, index, link=link) for index, link in links.items]
            refused_items = links.refused
        elif kind == "deliveries":
            lines = decode(record.value, DELIVERIES)
            self.items += [Item(record, index, delivery=line) for index, line in lines.items]
            refused_items = lines.refused
        else:
            facts = decode(record.value, FACTS)
            self.items += [Item(record, index, fact) for index, fact in facts.items]
            refused_items = facts.refused
        self.refusals += [Refusal(refused, record) for refused in refused_items]
