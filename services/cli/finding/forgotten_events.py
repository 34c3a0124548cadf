"""A running `journey` remembers events that the store has lost, and takes their requests for repetitions.

So the accounts of such events are read anew from the store, by their own writer: then it knows no more than the
store does, and what is sent again is new to it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from schemas.config import KafkaConfig
from schemas.topics import TopicName
from schemas.touchpoints import ACCOUNT_INPUTS, AttributedTouchpoint, Refold
from services.cli.commands.refold_run import writers
from services.common.records import Spans, records_of, spans
from streams.runtime.decode import decode
from streams.sentences import said

ATTRIBUTED: Final[TopicName] = "touchpoints.attributed.v1"
CAUSE: Final = said("events_lost")


async def attributed_so_far(reader: Any, kafka: KafkaConfig) -> Spans:
    """Where the attributed touchpoints end now."""
    return {place: (end, end) for place, (_, end) in (await spans(reader, kafka, ATTRIBUTED)).items()}


async def forget(reader: Any, kafka: KafkaConfig, so_far: Spans, events: Collection[str]) -> int:
    """Has the accounts read anew that these events were attributed to since `so_far`; how many accounts.

    Raises KafkaAway; NothingMoves when `journey` does not run.
    """
    accounts = await _accounts(reader, kafka, so_far, events)
    async with writers(kafka) as found:
        await found.ask([Refold(account_id=account, cause=CAUSE) for account in sorted(accounts)])
        await found.done()
    return len(accounts)


async def _accounts(reader: Any, kafka: KafkaConfig, so_far: Spans, events: Collection[str]) -> set[str]:
    ends = await spans(reader, kafka, ATTRIBUTED)
    new = {place: (so_far[place][1], end) for place, (_, end) in ends.items()}
    accounts = set[str]()
    async for record in records_of(reader, new):
        accounts |= {item.account_id for item in _touchpoints(record.value) if item.event_id in events}
    return accounts


def _touchpoints(value: bytes | None) -> list[AttributedTouchpoint]:
    found = decode(value or b"[]", ACCOUNT_INPUTS).items
    return [item for _, item in found if isinstance(item, AttributedTouchpoint)]
