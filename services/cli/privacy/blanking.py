"""Words about somebody in topics that keep the latest of each key: they are emptied, and what they stand with stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter

from schemas.base import Contract
from schemas.config import KafkaConfig
from schemas.incidents import ACTIONS, IncidentAction
from schemas.parking import STANDINGS, AnyStanding, NotTaken
from schemas.topics import TopicName
from services.cli.privacy.folder import SHORTEST_NAME
from services.common.records import history
from streams.identity.erasures import ERASED
from streams.runtime.decode import decode

NOTES_TOPIC: Final[TopicName] = "incidents.actions.v1"
STANDINGS_TOPIC: Final[TopicName] = "sources.standings.v1"
_T = TypeVar("_T", bound=Contract)


async def blank_notes(  # noqa: PLR0913 - of whom, and where
    reader: Any, writer: Any, kafka: KafkaConfig, events: Set[str], names: Iterable[str]
) -> int:
    """Empty the words of notes on incidents that these events are evidence of, or that name somebody; how many.

    Who did what and when stays. Everybody who follows the log forgets the words as they read it.
    """
    values = _values(names)

    def emptied(action: IncidentAction) -> IncidentAction:
        is_about = not events.isdisjoint(action.events) or _names(action.text, values)
        return action.changed(text=ERASED) if is_about and action.text else action

    return await _blank(reader, writer, kafka, NOTES_TOPIC, ACTIONS, emptied)


async def blank_refusals(reader: Any, writer: Any, kafka: KafkaConfig, names: Iterable[str]) -> int:
    """Empty what was said of the last message that was not taken, where it names somebody; how many.

    How many were not taken, why and when stays.
    """
    values = _values(names)

    def emptied(standing: AnyStanding) -> AnyStanding:
        is_about = isinstance(standing, NotTaken) and _names(standing.detail, values)
        return standing.changed(detail=ERASED) if is_about else standing

    return await _blank(reader, writer, kafka, STANDINGS_TOPIC, STANDINGS, emptied)


def _values(names: Iterable[str]) -> list[str]:
    return [value for name in names if len(value := name.partition(":")[2].lower()) >= SHORTEST_NAME]


def _names(text: str, values: Iterable[str]) -> bool:
    return any(value in text.lower() for value in values)


async def _blank(  # noqa: PLR0913 - what is emptied, and where
    reader: Any,
    writer: Any,
    kafka: KafkaConfig,
    topic: TopicName,
    model: TypeAdapter[list[_T]],
    emptied: Callable[[_T], _T],
) -> int:
    latest: dict[bytes, list[_T]] = {}  # earlier versions wrote several into one record
    async for record in history(reader, kafka, topic):
        latest[record.key] = [item for _, item in decode(record.value or b"[]", model).items]
    count = 0
    for key, items in latest.items():
        left = [emptied(item) for item in items]
        if changed := sum(one != other for one, other in zip(items, left, strict=True)):
            value = b"[" + b",".join(item.encoded() for item in left) + b"]"
            await writer.send_and_wait(kafka.topic_prefix + topic, value, key=key, partition=0)
            count += changed
    return count
