"""What an erasure tells Kafka: the ledger's record, what it calls back, and the records of links it empties."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final

from schemas.config import KafkaConfig
from schemas.links import LINKS, Erasure
from schemas.topics import TopicName
from schemas.touchpoints import Recall
from services.common.records import history
from streams.runtime.decode import decode
from streams.runtime.kafka import partitions
from streams.runtime.writer import partition_of

LINKS_TOPIC: Final[TopicName] = "identity.links.v1"
ACCOUNTS_TOPIC: Final[TopicName] = "touchpoints.attributed.v1"


async def tell(writer: Any, kafka: KafkaConfig, erasures: Iterable[Erasure]) -> int:
    """Put records of the ledger where every resolver reads them; returns the position of the last."""
    position = 0
    for erasure in erasures:
        value = b"[" + erasure.changed(scoped=True).encoded() + b"]"
        topic = kafka.topic_prefix + LINKS_TOPIC
        sent = await writer.send_and_wait(topic, value, key=erasure.link_id.encode(), partition=0)
        position = sent.offset + 1
    return position


async def call_back(writer: Any, kafka: KafkaConfig, recalls: Sequence[Recall]) -> None:
    """Ask the accounts' writers for touchpoints."""
    count = partitions(kafka, ACCOUNTS_TOPIC)
    for recall in recalls:
        key, value = recall.account_id, b"[" + recall.encoded() + b"]"
        await writer.send_and_wait(
            kafka.topic_prefix + ACCOUNTS_TOPIC, value, key=key.encode(), partition=partition_of(key, count)
        )


async def empty(writer: Any, kafka: KafkaConfig, link_ids: Iterable[str]) -> None:
    """Empty the records of links; compaction drops what they held, and later their keys.

    Compaction spares the file that is written to, so something is written after them.
    """
    topic = kafka.topic_prefix + LINKS_TOPIC
    for link_id in link_ids:
        await writer.send_and_wait(topic, None, key=link_id.encode(), partition=0)


async def ledger_of(reader: Any, kafka: KafkaConfig) -> AsyncIterator[Erasure]:
    """All erasures that the topic holds."""
    async for record in history(reader, kafka, LINKS_TOPIC):
        if record.key is not None and record.key.startswith(b"erasure|"):
            for _, link in decode(record.value or b"[]", LINKS).items:
                if isinstance(link, Erasure):
                    yield link
