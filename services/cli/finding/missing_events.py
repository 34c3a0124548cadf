"""Events of kept requests that the store has never heard of: found by id, and their requests sent through once more.

This finds what Kafka's facts no longer hold, because retention took them before the raw requests. Judged is only
what has had its way through every stage: not requests that wait unread because their source is set aside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

from schemas.base import EPOCH
from schemas.config import KafkaConfig
from schemas.processes import INPUTS
from schemas.topics import TopicName
from schemas.touchpoints import RAW, CleanTouchpoint, RawRequest
from services.cli.finding.forgotten_events import attributed_so_far, forget
from services.common.dead_letters import each_letter
from services.common.parked import Unread
from services.common.records import Spans, consumer, producer, records_of, send_again, spans_since
from services.sink.presence import Ask, chunks
from services.sink.rows import minute_of
from services.sink.verify import EXAMPLES, Finding
from streams.connectors.registry import CONNECTORS, for_source
from streams.connectors.results import Mapped
from streams.connectors.spec import Connector
from streams.runtime.decode import decode
from streams.runtime.kafka import GroupProgress, end_offsets

WINDOW: Final = 2_000
FLOW_TIMEOUT_S: Final = 60.0
POLL_S: Final = 0.5
CHECK: Final = "events of kept requests that are neither stored nor among the dead letters"
_NEAR: Final = (
    "SELECT DISTINCT event_id FROM touchpoints"
    " WHERE minute IN {minutes:Array(UInt32)} AND event_id IN {events:Array(String)}"
)
_ANYWHERE: Final = "SELECT DISTINCT event_id FROM histories WHERE event_id IN {events:Array(String)}"


@dataclass(slots=True)
class Unseen:
    """`ids` are still missing; `sent`: requests sent once more; `parked`: those that wait unread.

    `judged` is False where the pipeline is behind.
    """

    judged: bool = True
    requests: int = 0
    parked: int = 0
    sent: int = 0
    ids: list[str] = field(default_factory=list)

    def findings(self) -> list[Finding]:
        """As `verify` tells them."""
        return [Finding(CHECK, len(self.ids), tuple(self.ids[:EXAMPLES]))] if self.ids else []


@dataclass(frozen=True, slots=True)
class _Kept:
    """One event of a request."""

    event_id: str
    minute: int
    record: Any


@dataclass(frozen=True, slots=True)
class _Known:
    """Why an event may rightly not be stored: ids of events that were refused, and of requests that wait unread.

    since: the minute before which the store may have forgotten events, in seconds.
    """

    refused: set[str]
    parked: set[str]
    is_erased: Callable[[CleanTouchpoint], bool]
    since: int


async def find_unseen(  # noqa: PLR0913 - what is asked, and how requests are read
    kafka: KafkaConfig,
    ask: Ask,
    say: Callable[[str], None],
    *,
    from_at: datetime | None,
    send: bool,
    connectors: Mapping[str, Connector] = CONNECTORS,
    since: datetime = EPOCH,
    is_erased: Callable[[CleanTouchpoint], bool] = lambda touchpoint: False,
) -> Unseen:
    """Reads the raw requests from `from_at` on; with `send`, those of events that are missing go through once more.

    Not what happened before `since`: the store may have forgotten it. Again where a running `journey` takes them for
    repetitions. Raises KafkaAway, StoreUnavailable, NothingMoves.
    """
    found = Unseen()
    async with consumer(kafka) as reader:
        wanted = await spans_since(reader, kafka, "touchpoints.raw.v1", from_at)
        unread = await Unread.begin(reader, kafka)
        if not await flowed(reader, kafka):
            say("the pipeline is behind: whether every kept request came through is not judged")
            return Unseen(judged=False)
        refused = {each async for letter in each_letter(reader, kafka) for each in _ids(letter.original)}
        await unread.read(reader)
        missing = await _missing(
            reader, wanted, ask, _Known(refused, unread.ids, is_erased, minute_of(since)), found, connectors
        )
        if missing and send:
            so_far = await attributed_so_far(reader, kafka)
            found.sent = await _send(kafka, missing)
            missing = await _still(reader, kafka, missing, ask)
            if missing and await forget(reader, kafka, so_far, {one.event_id for one in missing}):
                await _send(kafka, missing)
                missing = await _still(reader, kafka, missing, ask)
    found.ids = [one.event_id for one in missing]
    return found


async def _missing(  # noqa: PLR0913 - as above
    reader: Any, wanted: Spans, ask: Ask, known: _Known, found: Unseen, connectors: Mapping[str, Connector]
) -> list[_Kept]:
    missing: list[_Kept] = []
    window: list[_Kept] = []
    reader.assign(list(wanted))
    async for record in records_of(reader, wanted):
        found.requests += 1
        requests = [request for _, request in decode(record.value or b"[]", RAW).items]
        read = [request for request in requests if request.request_id not in known.parked]
        found.parked += len(requests) - len(read)
        events = _events(record, read, connectors, known.is_erased)
        window += [one for one in events if one.event_id not in known.refused and one.minute >= known.since]
        if len(window) >= WINDOW:
            missing += await asyncio.to_thread(_unknown, window, ask)
            window = []
    return missing + await asyncio.to_thread(_unknown, window, ask)


def _events(
    record: Any,
    requests: Sequence[RawRequest],
    connectors: Mapping[str, Connector],
    is_erased: Callable[[CleanTouchpoint], bool],
) -> Iterator[_Kept]:
    for request in requests:
        connector = for_source(connectors, request.vendor, request.source)
        for result in connector.read(request) if connector else ():
            if isinstance(result, Mapped) and not is_erased(result.touchpoint):
                yield _Kept(result.touchpoint.event_id, minute_of(result.touchpoint.occurred_at), record)


def _unknown(kept: Sequence[_Kept], ask: Ask) -> list[_Kept]:
    """Those that the store has no row of, under any account, be it a tombstone; blocks."""
    left = {each.event_id: each for each in kept}
    for keys in chunks([(each.minute, each.event_id) for each in kept]):
        events = sorted({str(event) for _, event in keys})
        for row in ask(_NEAR, {"minutes": sorted({minute for minute, _ in keys}), "events": events}):  # type: ignore[type-var]
            left.pop(str(row["event_id"]), None)
    for keys in chunks([(event,) for event in left]):  # another delivery of it may have given another time
        for row in ask(_ANYWHERE, {"events": [event for (event,) in keys]}):
            left.pop(str(row["event_id"]), None)
    return list(left.values())


async def _still(reader: Any, kafka: KafkaConfig, missing: list[_Kept], ask: Ask) -> list[_Kept]:
    """Those of the missing that are not stored once what was sent has come through."""
    return await asyncio.to_thread(_unknown, missing, ask) if await flowed(reader, kafka) else missing


async def _send(kafka: KafkaConfig, missing: Sequence[_Kept]) -> int:
    records = {(one.record.partition, one.record.offset): one.record for one in missing}
    async with producer(kafka) as writer:
        for record in records.values():
            await (await send_again(writer, record))
    return len(records)


async def flowed(reader: Any, kafka: KafkaConfig) -> bool:
    """Waits until what Kafka has now has had its way through every stage; False when that takes too long."""
    try:
        async with asyncio.timeout(FLOW_TIMEOUT_S):
            for stage, topic in INPUTS.items():
                await _passed(reader, kafka, stage, topic)
    except TimeoutError:
        return False
    return True


async def _passed(reader: Any, kafka: KafkaConfig, stage: str, topic: TopicName) -> None:
    progress = GroupProgress(kafka, f"touchline-{stage}")
    try:
        ends = await end_offsets(reader, kafka, topic)
        while True:
            done = await progress.committed(topic)
            if all(done.get(partition, 0) >= end for partition, end in ends.items()):
                return
            await asyncio.sleep(POLL_S)
    finally:
        await progress.close()


def _ids(original: str) -> Iterator[str]:
    """The events that a letter's item is about; none where it cannot be read."""
    try:
        yield from _named(orjson.loads(original))
    except orjson.JSONDecodeError:
        return


def _named(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "event_id" and isinstance(inner, str):
                yield inner
            else:
                yield from _named(inner)
