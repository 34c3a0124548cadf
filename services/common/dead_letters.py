"""The dead-letter topic: what could not be processed, and sending it again once the cause is gone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from schemas.config import KafkaConfig
from schemas.errors import TransientError
from schemas.touchpoints import DEAD, DeadLetter
from services.common.parked import Unread, without
from services.common.records import consumer, history, producer, record_at, send_again

Wanted = Callable[[DeadLetter], bool]
RAW = "touchpoints.raw.v1"


def wanted(ids: Sequence[str] = (), stage: str = "", reason: str = "") -> Wanted:
    """Chooses letters: any of `ids` (none: all), of this stage, for this reason."""

    def choose(letter: DeadLetter) -> bool:
        by_id = not ids or letter.letter_id in ids
        return by_id and (not stage or letter.stage == stage) and (not reason or letter.reason == reason)

    return choose


async def find(kafka: KafkaConfig, choose: Wanted, *, newest: int | None = None) -> list[DeadLetter]:
    """The letters chosen, oldest first, each once however often it was written. Raises KafkaAway.

    `newest`: look at so many records of each partition only, the last ones.
    """
    found: dict[str, DeadLetter] = {}
    async with consumer(kafka) as reader:
        async for record in history(reader, kafka, "touchpoints.dead.v1", newest=newest):
            found |= {letter.letter_id: letter for letter in _letters(record.value) if choose(letter)}
    return sorted(found.values(), key=lambda letter: letter.failed_at)


async def items_put_away(reader: Any, kafka: KafkaConfig, stage: str) -> set[tuple[str, int, int, int]]:
    """(topic, partition, offset, index) of every item that this stage refused. Raises KafkaAway."""
    return {
        (letter.origin_topic, letter.origin_partition, letter.origin_offset, letter.origin_index)
        async for letter in each_letter(reader, kafka)
        if letter.stage == stage
    }


async def each_letter(reader: Any, kafka: KafkaConfig) -> AsyncIterator[DeadLetter]:
    """Every letter, as often as it was written, one record in memory at a time."""
    async for record in history(reader, kafka, "touchpoints.dead.v1"):
        for letter in _letters(record.value):
            yield letter


def _letters(value: bytes | None) -> list[DeadLetter]:
    try:
        return DEAD.validate_json(value or b"[]")
    except ValidationError as error:
        raise TransientError(f"the dead-letter topic holds a record of another version: {error}") from error


def summary(letter: DeadLetter) -> dict[str, object]:
    """One letter in a list: everything but its bytes."""
    return letter.model_dump(mode="json", exclude={"original", "encoding", "origin_index", "vendor", "received_at"})


@dataclass(slots=True)
class Replayed:
    """What a replay came to. `lost` and `waiting`: a line for each letter that was not sent, and why."""

    records: int = 0
    lost: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)


async def replay(kafka: KafkaConfig, letters: Sequence[DeadLetter]) -> Replayed:
    """Send the records the letters came from to their topics again.

    A whole record goes, with the neighbours of the refused item: everything downstream overwrites by id. Requests
    that wait unread, because their source is set aside, are left out: they would wait there twice. Once retention has
    taken the record, an item is sent alone if it is complete in the letter; a request's part is not. Raises KafkaAway.
    """
    done, sent = Replayed(), set[tuple[str, int, int]]()
    async with consumer(kafka) as reader, producer(kafka) as writer:
        unread = await Unread.now(reader, kafka)
        for letter in letters:
            place = (letter.origin_topic, letter.origin_partition, letter.origin_offset)
            if place not in sent and await _send(reader, writer, letter, unread, done):
                sent.add(place)
    done.records = len(sent)
    return done


async def _send(reader: Any, writer: Any, letter: DeadLetter, unread: Unread, done: Replayed) -> bool:
    is_raw = letter.origin_topic.endswith(RAW)
    record = await record_at(reader, letter.origin_topic, letter.origin_partition, letter.origin_offset)
    if record is not None:
        kept, left = without(record.value or b"[]", unread.ids) if is_raw else (record.value, 0)
        if left and kept == b"[]":
            waits = f"it waits unread until `touchline sources resume {letter.source}`"
            done.waiting.append(f"{letter.letter_id}: {letter.source} is set aside, {waits}")
            return False
        await (await send_again(writer, record, kept))
        return True
    if is_raw or letter.encoding != "utf-8":
        where = f"its record is no longer in {letter.origin_topic}"
        done.lost.append(f"{letter.letter_id}: {where}; `dlq show` has its bytes")
        return False
    value = b"[" + letter.original.encode() + b"]"
    await writer.send_and_wait(letter.origin_topic, value, partition=letter.origin_partition)
    return True
