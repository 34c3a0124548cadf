"""`touchline remap`, its first part: what an older mapping read is read anew, from the requests that Kafka still has.

The requests are sent through the pipeline once more, and the newer readings replace the older ones. Then what nothing
came of is withdrawn, and links that only older readings taught are taken back. What Kafka no longer has stays as it
was read, and is counted. Each step asks what is left to do, so a run that was broken off is simply started again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from aiokafka.errors import GroupCoordinatorNotAvailableError
from clickhouse_connect.driver.client import Client

from schemas.config import Config, KafkaConfig
from schemas.processes import INPUTS
from schemas.topics import TopicName
from schemas.touchpoints import RAW, RawRequest
from services.cli.commands.doubted_links import find_retellings
from services.cli.commands.refold_run import POLL_S, TOPIC, Say, Watch
from services.cli.commands.resending import Resent, resend
from services.cli.finding.vanished_touchpoints import find_unread
from services.common.records import consumer, producer, spans
from streams.connectors.registry import connectors_of, directories_of, for_source, mappings_of
from streams.processors.links import published
from streams.runtime.clickhouse import query_rows
from streams.runtime.kafka import GroupProgress, partitions
from streams.runtime.outbox import Output
from streams.runtime.payloads import MAPPING
from streams.runtime.writer import RecordWriter

#: The way of a link and of a request through the stages; what recalls send back goes through two of them again.
WAY: Final[tuple[tuple[str, TopicName], ...]] = (
    ("recall", "identity.links.v1"),
    *((stage, INPUTS[stage]) for stage in ("attribute", "journey")),
    ("attribute", "touchpoints.recalled.v1"),
    *((stage, INPUTS[stage]) for stage in ("journey", "sink")),
)
Mappings = Mapping[str, int]
"""Key of a connector → the version of its mapping."""

_BY_MAPPING = f"""
SELECT JSONExtractString(payload, 'touchpoint', 'vendor') AS vendor,
    JSONExtractString(payload, 'touchpoint', 'source') AS source,
    {MAPPING} AS mapping, count() AS n
FROM histories FINAL GROUP BY vendor, source, mapping ORDER BY vendor, source, mapping
"""


def is_outdated(request: RawRequest, mappings: Mappings) -> bool:
    """Whether a newer mapping would read this request than the one it was received under."""
    return request.mapping < (for_source(mappings, request.vendor, request.source) or 1)


@dataclass(frozen=True, slots=True)
class Outdated:
    """How many requests of older mappings were sent again, and how many are still to be read, so were left out."""

    requests: int
    left_out: int


async def send_outdated(kafka: KafkaConfig, mappings: Mappings, say: Say, *, rate_per_s: float = 0.0) -> Outdated:
    """Send each raw record again that holds an outdated request, without those of sources that are set aside.

    These wait unread, and would wait there twice; today's mapping reads them when they are resumed. Raises KafkaAway.
    """
    found = 0

    def is_wanted(kept: bytes) -> bool:
        nonlocal found
        outdated = sum(is_outdated(request, mappings) for request in _requests(kept))
        found += outdated
        return outdated > 0

    def said(now: Resent) -> None:
        say(f"remap       {now.looked:,} of {now.total:,} raw records looked at, {found:,} requests are read anew")

    done = await resend(kafka, is_wanted, said, rate_per_s=rate_per_s)
    return Outdated(found, done.left_out)


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


async def send(kafka: KafkaConfig, outputs: Iterable[Output]) -> list[tuple[int, int]]:
    """Send items to their topics; returns partition and offset of each once Kafka has them. Raises KafkaAway."""
    async with producer(kafka) as sender:
        writer = RecordWriter(
            sender, lambda topic: partitions(kafka, topic), topic_prefix=kafka.topic_prefix, linger_s=0.01
        )
        return list(await asyncio.gather(*(writer.put(*output) for output in outputs)))


def left_as_read(client: Client, mappings: Mappings) -> dict[str, int]:
    """Connector → stored touchpoints that an older mapping read. Raises StoreUnavailable."""
    found: dict[str, int] = {}
    for row in query_rows(client, _BY_MAPPING):
        vendor = str(row["vendor"])
        if int(str(row["mapping"])) < (for_source(mappings, vendor, str(row["source"])) or 1):
            found[vendor] = found.get(vendor, 0) + int(str(row["n"]))
    return found


async def read_anew(config: Config, client: Client, say: Say, *, rate_per_s: float = 0.0) -> dict[str, object]:
    """All of it, one after the other; what was done. May be broken off and started again.

    Raises KafkaAway, StoreUnavailable and NothingMoves.
    """
    kafka, connectors, sources = config.kafka, connectors_of(config.sources), mappings_of(config.sources)
    mappings = {key: connector.mapping for key, connector in connectors.items()}
    if all(version == 1 for version in sources.values()):
        return {"requests_read_anew": 0}
    await gone_through(kafka)  # what the version before was at may not be stored yet
    sent = Outdated(0, 0)
    if await asyncio.to_thread(left_as_read, client, mappings):
        sent = await send_outdated(kafka, mappings, say, rate_per_s=rate_per_s)
        say(f"remap       {sent.requests:,} requests are read anew; waiting until they have gone through")
        if sent.left_out:
            say(f"remap       {sent.left_out:,} requests wait unread until their sources are resumed")
        await gone_through(kafka)
    gone = await find_unread(kafka, client, connectors, sources)
    if gone:
        say(f"remap       {len(gone):,} touchpoints leave: the newer mapping makes nothing of their messages")
        await send(kafka, [(TOPIC, withdraw.account_id, withdraw.encoded()) for withdraw in gone])
        await gone_through(kafka)
    links = await find_retellings(kafka, client, directories_of(config), sources)
    if links:
        say(f"remap       {len(links):,} links are told anew or taken back")
        await send(kafka, map(published, links))
        await gone_through(kafka)
    left = await asyncio.to_thread(left_as_read, client, mappings)
    if left:
        what = ", ".join(f"{count:,} of {vendor}" for vendor, count in sorted(left.items()))
        say(f"remap       {what} stay as an older mapping read them: Kafka no longer has their requests")
    return {
        "requests_read_anew": sent.requests,
        "parked_requests_left_out": sent.left_out,
        "touchpoints_withdrawn": len(gone),
        "links_taken_back": sum(link.retracted for link in links),
        "links_told_anew": sum(not link.retracted for link in links),
        "left_as_read": left,
    }


def _requests(value: bytes) -> list[RawRequest]:
    try:
        return RAW.validate_json(value)
    except ValueError:  # attribute has put it among the dead letters
        return []


async def _reaches(progress: GroupProgress, topic: TopicName, ends: Mapping[int, int], watch: Watch) -> None:
    while True:
        committed: dict[int, int] = {}
        with suppress(GroupCoordinatorNotAvailableError):  # a cluster on which nobody has committed anything yet
            committed = await progress.committed(topic)
        if all(committed.get(partition, 0) >= end for partition, end in ends.items()):
            return
        watch.see(sum(committed.values()))
        await asyncio.sleep(POLL_S)
