"""What an erasure tells Kafka: the ledger's record, what it calls back, and the records of links it empties."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final

from schemas.config import KafkaConfig
from schemas.links import LINKS, AnyLink, Carried, Erasure
from schemas.retention import TOPICS_HELD
from schemas.topics import TopicName
from schemas.touchpoints import Recall
from services.common.records import history
from streams.identity.erasures import Ledger
from streams.runtime.decode import decode
from streams.runtime.kafka import partitions
from streams.runtime.writer import partition_of

LINKS_TOPIC: Final[TopicName] = "identity.links.v1"
ACCOUNTS_TOPIC: Final[TopicName] = "touchpoints.attributed.v1"
_KIND: Final = b'"kind":'
_ERASURE: Final = b'"kind":"erasure"'
NOTHING: Final = b"nothing"
"""The key of records that only move a compacted topic on: of no link, desk, action or source."""


async def publish(writer: Any, kafka: KafkaConfig, erasures: Iterable[Erasure]) -> int:
    """Put records of the ledger where every resolver reads them; returns the position of the last."""
    position = 0
    for erasure in erasures:
        position = await _publish_link(writer, kafka, erasure.changed(scoped=True))
    return position


async def _publish_link(writer: Any, kafka: KafkaConfig, link: AnyLink) -> int:
    topic, value = kafka.topic_prefix + LINKS_TOPIC, b"[" + link.encoded() + b"]"
    sent = await writer.send_and_wait(topic, value, key=link.link_id.encode(), partition=0)
    return int(sent.offset) + 1


async def call_back(writer: Any, kafka: KafkaConfig, recalls: Sequence[Recall]) -> None:
    """Ask the accounts' writers for touchpoints."""
    count = partitions(kafka, ACCOUNTS_TOPIC)
    for recall in recalls:
        key, value = recall.account_id, b"[" + recall.encoded() + b"]"
        await writer.send_and_wait(
            kafka.topic_prefix + ACCOUNTS_TOPIC, value, key=key.encode(), partition=partition_of(key, count)
        )


async def empty(writer: Any, kafka: KafkaConfig, link_ids: Iterable[str]) -> None:
    """Empty the records of links; compaction drops what they held, and later their keys, as `begin_files` says."""
    topic = kafka.topic_prefix + LINKS_TOPIC
    for link_id in link_ids:
        await writer.send_and_wait(topic, None, key=link_id.encode(), partition=0)


async def take_apart(reader: Any, writer: Any, kafka: KafkaConfig, ledger: Ledger) -> int:
    """Empty records of several links of which one speaks of somebody who was erased; how many that were.

    Earlier versions wrote what they learned at once into one record, and no link's own key stands for it. The others in
    it are published again first, each as a record of its own; where a better one was known, `attribute` publishes that
    once more.
    """
    found: dict[bytes, list[AnyLink]] = {}
    async for record in history(reader, kafka, LINKS_TOPIC):
        several = decode(record.value or b"[]", LINKS).items if (record.value or b"").count(_KIND) > 1 else ()
        links = [link for _, link in several]
        if any(not isinstance(link, (Erasure, Carried)) and ledger.covers_link(link) for link in links):
            found[record.key] = links
        else:
            found.pop(record.key, None)
    for links in found.values():
        stay = [link for link in links if isinstance(link, (Erasure, Carried)) or not ledger.covers_link(link)]
        for link in stay:
            await _publish_link(writer, kafka, link)
    await empty(writer, kafka, (key.decode() for key in found))
    return len(found)


async def begin_files(writer: Any, kafka: KafkaConfig) -> None:
    """Write a record that says nothing to every compacted topic that may hold something of people.

    Compaction spares the file that is written to, and a file ends only as something is written: where nothing is, what
    was emptied would stay for ever.
    """
    for name, held in TOPICS_HELD.items():
        for number in range(partitions(kafka, name)) if held.keeps == "latest" and held.personal else ():
            await writer.send_and_wait(kafka.topic_prefix + name, None, key=NOTHING, partition=number)


async def ledger_of(reader: Any, kafka: KafkaConfig) -> AsyncIterator[Erasure]:
    """All erasures that the topic holds, also those that share a record with links, as earlier versions wrote."""
    async for record in history(reader, kafka, LINKS_TOPIC):
        if _ERASURE in (record.value or b""):
            for _, link in decode(record.value or b"[]", LINKS).items:
                if isinstance(link, Erasure):
                    yield link
