"""Touchpoints of which a newer mapping makes nothing: it ignores or refuses their message, or tells fewer of them.

Nothing comes of such a message when it is read anew, so nothing replaces what the older mapping gave. It is found by
the moment of its receipt: what is stored as an older mapping read it, though its request was read anew.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from schemas.base import EPOCH
from schemas.config import KafkaConfig
from schemas.processes import INPUTS
from schemas.touchpoints import RAW, RawRequest, Withdraw
from services.common.records import Spans, consumer, records_of, spans
from streams.connectors.registry import for_source
from streams.connectors.results import Mapped
from streams.connectors.spec import Connector
from streams.journey.leaving import unread
from streams.runtime.clickhouse import query_rows
from streams.runtime.decode import decode
from streams.runtime.payloads import MAPPING

RAW_TOPIC: Final = INPUTS["attribute"]
#: So much later than the first request that is kept, a request is kept with all that came at the same moment.
SURE_AFTER: Final = timedelta(minutes=1)
_OLDER = f"""
WITH JSONExtractString(payload, 'touchpoint', 'source') AS source,
    {MAPPING} AS mapping
SELECT account_id, event_id, source, JSONExtractString(payload, 'touchpoint', 'received_at') AS receipt
FROM histories FINAL
WHERE received_at > {{since:DateTime64(3, 'UTC')}}
    AND mapping < transform(source, {{sources:Array(String)}}, {{versions:Array(UInt64)}}, toUInt64(1))
"""
_Receipt = tuple[str, datetime]
"""(source, when it was received)."""


@dataclass(frozen=True, slots=True)
class _Copy:
    account_id: str
    event_id: str


async def find_unread(
    kafka: KafkaConfig, client: Client, connectors: Mapping[str, Connector], mappings: Mapping[str, int]
) -> list[Withdraw]:
    """Withdrawals of what the newest mappings (by source) make nothing of, from the requests that Kafka still has.

    To be asked once everything has been read anew. Raises KafkaAway, StoreUnavailable.
    """
    async with consumer(kafka) as reader:
        kept = await spans(reader, kafka, RAW_TOPIC)
        since = await _complete_since(reader, kept)
        older = await asyncio.to_thread(_older, client, mappings, since)
        if not older:
            return []
        events = {copy.event_id for copies in older.values() for copy in copies}
        read_anew, given = set[_Receipt](), set[str]()
        async for record in records_of(reader, kept):
            for request in _requests(record):
                receipt, version = (request.source, request.received_at), mappings.get(request.source, 1)
                if version == 1:
                    continue
                given |= events & set(_events(request, connectors))
                if receipt in older and request.mapping < version:
                    read_anew.add(receipt)
    return [
        unread(copy.account_id, copy.event_id, mappings[receipt[0]])
        for receipt in sorted(read_anew)
        for copy in older[receipt]
        if copy.event_id not in given
    ]


async def _complete_since(reader: Any, kept: Spans) -> datetime:
    """From when on every request is kept: retention takes the first of a partition."""
    since = EPOCH
    for place, (first, end) in kept.items():
        if 0 < first < end:
            async for record in records_of(reader, {place: (first, first + 1)}):
                stamps = [request.received_at for request in _requests(record)]
                since = max([since, *(stamp + SURE_AFTER for stamp in stamps)])
    return since


def _older(client: Client, mappings: Mapping[str, int], since: datetime) -> dict[_Receipt, list[_Copy]]:
    """What is stored as older mappings read it, by receipt."""
    newer = {source: version for source, version in mappings.items() if version > 1}
    asked = {"since": since.replace(tzinfo=None), "sources": list(newer), "versions": list(newer.values())}
    found: dict[_Receipt, list[_Copy]] = defaultdict(list)
    for row in query_rows(client, _OLDER, asked) if newer else ():
        receipt = (str(row["source"]), datetime.fromisoformat(str(row["receipt"])))
        found[receipt].append(_Copy(str(row["account_id"]), str(row["event_id"])))
    return dict(found)


def _requests(record: Any) -> list[RawRequest]:
    return [request for _, request in decode(record.value or b"[]", RAW).items]


def _events(request: RawRequest, connectors: Mapping[str, Connector]) -> Iterator[str]:
    connector = for_source(connectors, request.vendor, request.source)
    for result in connector.read(request) if connector else ():
        if isinstance(result, Mapped):
            yield result.touchpoint.event_id
