"""The desks of all accounts of the partitions held, in memory and in their compacted topic.

A desk is in Kafka before the facts it was made of are committed: after a crash they come again, and change nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Iterable
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from aiokafka import TopicPartition
from pydantic import ValidationError

from schemas.config import KafkaConfig
from schemas.incidents import PAST, WARD, Desk, Past, Ward
from schemas.topics import TopicName
from streams.runtime.kafka import broadcast_consumer, partitions
from streams.runtime.writer import partition_of

TOPIC: Final[TopicName] = "alerts.desks.v1"
PAST_MEMORY: Final = timedelta(days=15)
"""Two weeks are compared, and a day is left for a digest that comes late."""
_POLL_MS = 300
_log = logging.getLogger("touchline.alerts")


class Producer(Protocol):
    """The part of AIOKafkaProducer that is used here."""

    async def send(self, topic: str, value: bytes | None, *, key: bytes, partition: int) -> Awaitable[Any]: ...


class Desks:
    """What is remembered, by account; and a ward for each partition held."""

    def __init__(self, kafka: KafkaConfig, producer: Producer, digest: int) -> None:
        """`digest`: of the blueprint in force, policies and all."""
        self._topic = kafka.topic_prefix + TOPIC
        self._kafka = kafka
        self._producer = producer
        self._digest = digest
        self._count = partitions(kafka, TOPIC)
        self._unsaved: set[str] = set()
        self._owner: dict[str, str] = {}
        self._remembered: dict[int, Ward] = {}
        self._place_of: dict[str, int] = {}
        self.of: dict[str, Desk] = {}
        self.wards: dict[int, Ward] = {}
        self.pasts: dict[str, Past] = {}
        self.noticed: set[str] = set()
        """Accounts with messages under way."""

    def partition(self, account_id: str) -> int:
        return partition_of(account_id, self._count)

    def get(self, account_id: str) -> Desk:
        """The account's desk; an empty one when nothing is remembered of it."""
        return self.of.get(account_id) or Desk(account_id=account_id)

    def put(self, desk: Desk) -> None:
        """Remember it, unless its partition is another process's by now."""
        account_id = desk.account_id
        if self.partition(account_id) not in self.wards or self.of.get(account_id) is desk:
            return
        if desk.is_empty and account_id not in self.of:
            return
        self._hold(account_id, desk)
        self._unsaved.add(account_id)

    def put_ward(self, ward: Ward) -> None:
        """Remember how far the watch has come."""
        if ward.partition in self.wards and self.wards[ward.partition] != ward:
            self.wards[ward.partition] = ward
            self._unsaved.add(f"{WARD}{ward.partition}")

    def put_past(self, past: Past) -> None:
        """Keep what became of an incident, for the digest of the week."""
        if self.partition(past.account_id) in self.wards and self.pasts.get(past.incident_id) != past:
            self.pasts[past.incident_id] = past
            self._unsaved.add(PAST + past.incident_id)
            self._place_of[PAST + past.incident_id] = self.partition(past.account_id)

    def drop_pasts(self, now: datetime) -> None:
        """Forget what no digest will hold any more."""
        for name in [name for name, past in self.pasts.items() if _is_long_past(past, now)]:
            del self.pasts[name]
            self._unsaved.add(PAST + name)

    async def all_pasts(self) -> list[Past]:
        """Those of every partition, whoever holds it. Raises KafkaError."""
        found: dict[str, Past] = {}
        async for key, value in self._read([TopicPartition(self._topic, number) for number in range(self._count)]):
            if key.startswith(PAST):
                found.pop(key, None)
                if value is not None and (past := _past(key, value)) is not None:
                    found[key] = past
        return list(found.values())

    def neighbours(self, desk: Desk) -> set[str]:
        """Other accounts with conversations about evidence of this one's pains."""
        events = (event for part in desk.parts.values() for event in part.proof)
        found = {self._owner[event] for event in events if event in self._owner}
        return {account for account in found if account != desk.account_id and account in self.of}

    def tidy(self) -> None:
        """Forget whose evidence was what, where no conversation is about it any more."""
        threads = ((name, thread) for name, desk in self.of.items() for thread in desk.threads)
        self._owner = {event: name for name, thread in threads for event in thread.events}

    async def save(self) -> None:
        """Everything that changed is in Kafka afterwards. Raises KafkaError; may be called again."""
        keys, self._unsaved = self._unsaved, set()
        try:
            acks = [await self._sent(key) for key in sorted(keys)]
            await asyncio.gather(*acks)
        except BaseException:
            self._unsaved |= keys
            raise

    async def load(self, numbers: Iterable[int], now: datetime) -> None:
        """Take over these partitions: read what is remembered of them. Raises KafkaError."""
        places = [TopicPartition(self._topic, number) for number in numbers]
        desks: dict[str, Desk] = {}
        async for key, value in self._read(places):
            self._learn(key, value, desks)
        # all at once: whoever sends must not see a desk whose partition is not held
        for account_id, desk in desks.items():
            self._hold(account_id, desk)
        for place in places:
            self._watch(place.partition, now)

    async def _read(self, places: list[TopicPartition]) -> AsyncIterator[tuple[str, bytes | None]]:
        """All that these partitions have now, in their order."""
        consumer = broadcast_consumer(self._kafka, "touchline-alerts-desks")
        try:
            await consumer.start()
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            ends = await consumer.end_offsets(places)
            for place in places:
                while await consumer.position(place) < ends[place]:
                    for record in (await consumer.getmany(place, timeout_ms=_POLL_MS)).get(place, []):
                        yield record.key.decode(), record.value
        finally:
            await consumer.stop()

    def forget(self, numbers: Iterable[int]) -> None:
        """Another process has these partitions."""
        left = set(numbers)
        self.wards = {number: ward for number, ward in self.wards.items() if number not in left}
        self.of = {name: desk for name, desk in self.of.items() if self.partition(name) not in left}
        self.pasts = {name: one for name, one in self.pasts.items() if self.partition(one.account_id) not in left}
        self.noticed &= self.of.keys()
        self._unsaved = {key for key in self._unsaved if self._place(key) not in left}

    def _hold(self, account_id: str, desk: Desk) -> None:
        if desk.is_empty:
            self.of.pop(account_id, None)
        else:
            self.of[account_id] = desk
        for thread in desk.threads:
            self._owner |= dict.fromkeys(thread.events, account_id)
        if any(thread.notices for thread in desk.threads):
            self.noticed.add(account_id)
        else:
            self.noticed.discard(account_id)

    def _watch(self, number: int, now: datetime) -> None:
        """Go on with the watch, or begin one: with another blueprint everything before is history."""
        ward = self._remembered.get(number)
        if ward is None:
            ward = Ward(partition=number, blueprint_digest=self._digest, since=now, until=now)
        elif ward.blueprint_digest != self._digest:
            ward = ward.changed(blueprint_digest=self._digest, since=ward.until)
        self.wards[number] = ward
        self._unsaved.add(f"{WARD}{number}")

    def _learn(self, key: str, value: bytes | None, desks: dict[str, Desk]) -> None:
        try:
            if value is None:
                desks.pop(key, None)
                self.pasts.pop(key.removeprefix(PAST), None)
            elif key.startswith(WARD):
                ward = Ward.model_validate_json(value[1:-1])
                self._remembered[ward.partition] = ward
            elif key.startswith(PAST):
                past = _past(key, value)
                if past is not None:
                    self.pasts[past.incident_id] = past
                    self._place_of[key] = self.partition(past.account_id)
            else:
                desks[key] = Desk.model_validate_json(value[1:-1])
        except ValidationError as error:
            _left_out(key, error)

    def _place(self, key: str) -> int:
        if key.startswith(PAST):
            return self._place_of[key]
        return int(key.removeprefix(WARD)) if key.startswith(WARD) else self.partition(key)

    async def _sent(self, key: str) -> Awaitable[Any]:
        held: Desk | Ward | Past | None = self.of.get(key)
        if key.startswith(WARD):
            held = self.wards.get(self._place(key))
        elif key.startswith(PAST):
            held = self.pasts.get(key.removeprefix(PAST))
        value = b"[" + held.encoded() + b"]" if held is not None else None
        return await self._producer.send(self._topic, value, key=key.encode(), partition=self._place(key))


def _is_long_past(past: Past, now: datetime) -> bool:
    is_open = past.state == "told" and now - past.opened_at <= 4 * PAST_MEMORY
    return not is_open and now - (past.ended_at or past.opened_at) > PAST_MEMORY


def _past(key: str, value: bytes) -> Past | None:
    """None, and a line in the log, where another version wrote it."""
    try:
        return Past.model_validate_json(value[1:-1])
    except ValidationError as error:
        _left_out(key, error)
        return None


def _left_out(key: str, error: ValidationError) -> None:
    _log.error("a desk of another version is left out", extra={"account": key, "error": str(error)[:200]})
