"""`touchline remap`, its first part: what an older mapping read is read anew, from the requests that Kafka still has.

The requests are sent through the pipeline once more. The newer reading replaces the older one wherever it stands; what
had moved to a third account meanwhile is withdrawn there at the end. What Kafka no longer has stays as it was read, and
is counted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from aiokafka.errors import GroupCoordinatorNotAvailableError
from clickhouse_connect.driver.client import Client

from schemas.config import KafkaConfig
from schemas.processes import INPUTS
from schemas.topics import TopicName
from schemas.touchpoints import RAW, AttributedTouchpoint, RawRequest
from services.cli.records import consumer, history, producer, send_again, spans
from services.cli.refold import POLL_S, TOPIC, Say, Watch
from streams.connectors.registry import for_source
from streams.journey.leaving import outread
from streams.transport.clickhouse import query_rows
from streams.transport.kafka import GroupProgress, partitions
from streams.transport.writer import RecordWriter

RAW_TOPIC: Final = INPUTS["normalise"]
WINDOW: Final = 500
SLICE: Final = 500
SAY_EVERY_S: Final = 10.0
#: The way of a request through the stages; what recalls send back goes through two of them again.
WAY: Final[tuple[tuple[str, TopicName], ...]] = (
    *((stage, INPUTS[stage]) for stage in ("normalise", "resolve", "journey")),
    ("resolve", "touchpoints.recalled.v1"),
    *((stage, INPUTS[stage]) for stage in ("journey", "sink")),
)
Mappings = Mapping[str, int]
"""Key of a connector → the version of its mapping."""

_TWICE = """
SELECT event_id FROM (SELECT event_id, account_id FROM histories FINAL WHERE cityHash64(event_id) % 16 = {slice:UInt8})
GROUP BY event_id HAVING count() > 1 ORDER BY event_id
"""
_COPIES = """
SELECT payload FROM histories FINAL WHERE event_id IN {events:Array(String)}
"""
_BY_MAPPING = """
SELECT JSONExtractString(payload, 'touchpoint', 'vendor') AS vendor,
    JSONExtractString(payload, 'touchpoint', 'source') AS source,
    greatest(JSONExtractUInt(payload, 'touchpoint', 'mapping'), 1) AS mapping, count() AS n
FROM histories FINAL GROUP BY vendor, source, mapping ORDER BY vendor, source, mapping
"""


def is_outdated(request: RawRequest, mappings: Mappings) -> bool:
    """Whether a newer mapping would read this request than the one it was received under."""
    return request.mapping < (for_source(mappings, request.vendor, request.source) or 1)


async def send_outdated(kafka: KafkaConfig, mappings: Mappings, say: Say, *, rate_per_s: float = 0.0) -> int:
    """Send each raw record again that holds an outdated request; how many requests those were. Raises KafkaAway."""
    began_s = said_s = time.monotonic()
    looked = sent = found = 0
    waiting: list[Awaitable[object]] = []
    async with consumer(kafka) as reader, producer(kafka) as writer:
        total = sum(end - first for first, end in (await spans(reader, kafka, RAW_TOPIC)).values())
        async for record in history(reader, kafka, RAW_TOPIC):
            looked += 1
            if outdated := sum(is_outdated(request, mappings) for request in _requests(record.value)):
                waiting.append(await send_again(writer, record))
                sent, found = sent + 1, found + outdated
            if len(waiting) >= WINDOW:
                await asyncio.gather(*waiting)
                waiting.clear()
            if rate_per_s:
                await asyncio.sleep(max(0.0, began_s + sent / rate_per_s - time.monotonic()))
            if time.monotonic() - said_s > SAY_EVERY_S:
                said_s = time.monotonic()
                say(f"remap       {looked:,} of {total:,} raw records looked at, {found:,} requests are read anew")
        await asyncio.gather(*waiting)
    return found


async def gone_through(kafka: KafkaConfig) -> None:
    """Until every stage has done all that is before it now. Raises NothingMoves when one stands still."""
    async with consumer(kafka) as reader:
        for stage, topic in WAY:
            ends = {place.partition: end for place, (_, end) in (await spans(reader, kafka, topic)).items()}
            progress = GroupProgress(kafka, f"touchline-{stage}")
            try:
                await _reaches(progress, topic, ends, Watch(f"{stage} does not go on: does it run?"))
            finally:
                await progress.close()


async def withdraw_older(kafka: KafkaConfig, client: Client) -> int:
    """Withdraw older readings that stand beside newer ones in other accounts; how many. Raises StoreUnavailable."""
    async with producer(kafka) as sender:
        writer = RecordWriter(
            sender, lambda topic: partitions(kafka, topic), topic_prefix=kafka.topic_prefix, linger_s=0.01
        )
        withdrawn = 0
        for copies in await asyncio.to_thread(list, _copies(client)):
            sent = [writer.put(TOPIC, w.account_id, w.encoded()) for w in outread(copies)]
            await asyncio.gather(*sent)
            withdrawn += len(sent)
    return withdrawn


def left_as_read(client: Client, mappings: Mappings) -> dict[str, int]:
    """Connector → stored touchpoints that an older mapping read. Raises StoreUnavailable."""
    found: dict[str, int] = {}
    for row in query_rows(client, _BY_MAPPING):
        vendor = str(row["vendor"])
        if int(str(row["mapping"])) < (for_source(mappings, vendor, str(row["source"])) or 1):
            found[vendor] = found.get(vendor, 0) + int(str(row["n"]))
    return found


async def read_anew(
    kafka: KafkaConfig, client: Client, mappings: Mappings, say: Say, *, rate_per_s: float = 0.0
) -> dict[str, object]:
    """All of it, one after the other; what was done. May be broken off and started again.

    Raises KafkaAway, StoreUnavailable and NothingMoves.
    """
    if not await asyncio.to_thread(left_as_read, client, mappings):
        return {"requests_read_anew": 0}
    requests = await send_outdated(kafka, mappings, say, rate_per_s=rate_per_s)
    say(f"remap       {requests:,} requests are read anew; waiting until they have gone through")
    await gone_through(kafka)
    withdrawn = await withdraw_older(kafka, client)
    if withdrawn:
        await gone_through(kafka)
    left = await asyncio.to_thread(left_as_read, client, mappings)
    if left:
        what = ", ".join(f"{count:,} of {vendor}" for vendor, count in sorted(left.items()))
        say(f"remap       {what} stay as an older mapping read them: Kafka no longer has their requests")
    return {"requests_read_anew": requests, "withdrawn": withdrawn, "left_as_read": left}


def _requests(value: bytes) -> list[RawRequest]:
    try:
        return RAW.validate_json(value)
    except ValueError:  # normalise has put it among the dead letters
        return []


def _copies(client: Client) -> Iterator[list[AttributedTouchpoint]]:
    """Touchpoints that stand in more than one account, all copies of some at a time."""
    for number in range(16):
        twice = [str(row["event_id"]) for row in query_rows(client, _TWICE, {"slice": number})]
        for start in range(0, len(twice), SLICE):
            rows: list[dict[str, Any]] = query_rows(client, _COPIES, {"events": twice[start : start + SLICE]})
            yield [AttributedTouchpoint.decoded(row["payload"]) for row in rows]


async def _reaches(progress: GroupProgress, topic: TopicName, ends: Mapping[int, int], watch: Watch) -> None:
    while True:
        committed: dict[int, int] = {}
        with suppress(GroupCoordinatorNotAvailableError):  # a cluster on which nobody has committed anything yet
            committed = await progress.committed(topic)
        if all(committed.get(partition, 0) >= end for partition, end in ends.items()):
            return
        watch.see(sum(committed.values()))
        await asyncio.sleep(POLL_S)
