"""What an erasure tells Kafka: the ledger's record, what it calls back, and the records of links it empties."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence, Set
from typing import Any, Final

from schemas.config import KafkaConfig
from schemas.holdings import TOPICS_HELD
from schemas.incidents import ACTIONS, IncidentAction
from schemas.links import LINKS, Erasure
from schemas.topics import TopicName
from schemas.touchpoints import Recall
from services.cli.privacy.folder import SHORTEST_NAME
from services.common.records import history
from streams.identity.erasures import ERASED
from streams.runtime.decode import decode
from streams.runtime.kafka import partitions
from streams.runtime.writer import partition_of

LINKS_TOPIC: Final[TopicName] = "identity.links.v1"
NOTES_TOPIC: Final[TopicName] = "incidents.actions.v1"
ACCOUNTS_TOPIC: Final[TopicName] = "touchpoints.attributed.v1"
NOTHING: Final = b"nothing"
"""The key of records that only move a compacted topic on: of no link, desk, action or source."""


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
    """Empty the records of links; compaction drops what they held, and later their keys, as `begin_files` says."""
    topic = kafka.topic_prefix + LINKS_TOPIC
    for link_id in link_ids:
        await writer.send_and_wait(topic, None, key=link_id.encode(), partition=0)


async def begin_files(writer: Any, kafka: KafkaConfig) -> None:
    """Write a record that says nothing to every compacted topic that may hold something of people.

    Compaction spares the file that is written to, and a file ends only as something is written: where nothing is, what
    was emptied would stay for ever.
    """
    for name, held in TOPICS_HELD.items():
        for number in range(partitions(kafka, name)) if held.keeps == "latest" and held.personal else ():
            await writer.send_and_wait(kafka.topic_prefix + name, None, key=NOTHING, partition=number)


async def blank_notes(  # noqa: PLR0913 - of whom, and where
    reader: Any, writer: Any, kafka: KafkaConfig, events: Set[str], names: Iterable[str]
) -> int:
    """Empty the words of notes on incidents that these events are evidence of, or that name somebody; how many.

    Who did what and when stays. Everybody who follows the log forgets the words as they read it.
    """
    values = [value for name in names if len(value := name.partition(":")[2].lower()) >= SHORTEST_NAME]
    latest: dict[bytes, IncidentAction] = {}
    async for record in history(reader, kafka, NOTES_TOPIC):
        for _, action in decode(record.value or b"[]", ACTIONS).items:
            latest[record.key] = action
    told = [
        (key, action)
        for key, action in latest.items()
        if action.text not in ("", ERASED)
        and (not events.isdisjoint(action.events) or any(value in action.text.lower() for value in values))
    ]
    for key, action in told:
        emptied = b"[" + action.changed(text=ERASED).encoded() + b"]"
        await writer.send_and_wait(kafka.topic_prefix + NOTES_TOPIC, emptied, key=key, partition=0)
    return len(told)


async def ledger_of(reader: Any, kafka: KafkaConfig) -> AsyncIterator[Erasure]:
    """All erasures that the topic holds."""
    async for record in history(reader, kafka, LINKS_TOPIC):
        if record.key is not None and record.key.startswith(b"erasure|"):
            for _, link in decode(record.value or b"[]", LINKS).items:
                if isinstance(link, Erasure):
                    yield link
