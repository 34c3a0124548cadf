"""Doctor's look at Kafka's logs: had a stage to go back, because what it had read was gone?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from schemas.config import KafkaConfig
from services.cli.commands.doctor.check import Check, Place
from streams.runtime.kafka import GroupProgress
from streams.runtime.lineage import Mark
from streams.runtime.log_guard import returns_of

GROUPS = ("touchline-attribute", "touchline-recall", "touchline-journey", "touchline-sink")
TOLD_FOR = timedelta(days=7)
FIX = (
    "`touchline replay --since TIME`, with a time before the power cut, sends again what Kafka still has, and "
    "`touchline verify` reconciles the map. Look at the disk, and at what ended the broker"
)


def lately(marks: dict[TopicPartition, Mark], now: datetime) -> dict[TopicPartition, Mark]:
    """The commits of groups that went back within TOLD_FOR."""
    since = (now - TOLD_FOR).isoformat()
    return {tp: mark for tp, mark in marks.items() if mark.back is not None and mark.back.at >= since}


def logs(place: Place) -> Iterator[Check]:
    """Where groups went back lately. Nothing, too, when Kafka does not answer: another check says so."""
    try:
        found = asyncio.run(_returns(place.config.kafka))
    except (KafkaError, OSError):
        found = []
    if found:
        yield Check("Kafka's logs", "warning", "; ".join(found), FIX)
    else:
        yield Check("Kafka's logs", "ok", "no stage had to go back in one")


async def _returns(kafka: KafkaConfig) -> list[str]:
    found: list[str] = []
    for group in GROUPS:
        progress = GroupProgress(kafka, group)
        try:
            marks = {tp: mark for tp, (_, mark) in (await progress.marks()).items()}
        finally:
            await progress.close()
        stage = group.removeprefix("touchline-")
        found += [f"{stage} in {sentence}" for sentence in returns_of(lately(marks, datetime.now(UTC)))]
    return found
