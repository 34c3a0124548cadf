"""Links that older mappings taught and newer ones do not: told anew from what is stored, or taken back.

The links topic is read twice, in little memory: for links whose evidence a newer mapping has read without repeating
them, and for what is told of these last. Evidence for them is looked for in everything that is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Final

import orjson
from clickhouse_connect.driver.client import Client

from schemas.config import KafkaConfig
from schemas.links import LINKS, AccountClaim, Carried, Erasure, Link, supersedes
from schemas.topics import TopicName
from schemas.touchpoints import AttributedTouchpoint, CleanTouchpoint
from services.common.records import consumer, history
from streams.identity.directories import Directories
from streams.identity.doubts import evidence, is_doubted, told_anew
from streams.identity.retold import accounts_of, aliases_of
from streams.runtime.clickhouse import query_rows
from streams.runtime.decode import decode
from streams.runtime.payloads import MAPPING

LINKS_TOPIC: Final[TopicName] = "identity.links.v1"
WINDOW: Final = 1_000
ROWS_AT_ONCE: Final = 20_000
#: More needles than ClickHouse takes at once are not worth looking for: then everything is looked at.
MOST_NEEDLES: Final = 200
_READ_BY = f"""
SELECT event_id, gone,
    if(gone = 1, toUInt64OrZero(payload), {MAPPING}) AS mapping
FROM
(
    SELECT event_id, argMax(is_deleted, revision) AS gone, argMax(payload, revision) AS payload
    FROM histories WHERE event_id IN {{events:Array(String)}} GROUP BY account_id, event_id
)
"""
_COUNT = "SELECT count() AS n FROM histories"
_SLICE = """
SELECT payload FROM histories FINAL WHERE cityHash64(event_id) % {slices:UInt32} = {slice:UInt32}
"""
_NAMING = f"{_SLICE} AND multiSearchAny(payload, {{needles:Array(String)}})"


async def find_retellings(
    kafka: KafkaConfig, client: Client, directories: Directories, mappings: Mapping[str, int]
) -> list[Link]:
    """What is to be told of links whose evidence newer mappings (by source) read otherwise.

    To be asked once everything has been read anew. Raises KafkaAway, StoreUnavailable.
    """
    if all(version == 1 for version in mappings.values()):
        return []
    doubted = await _doubted(kafka, client, mappings)
    if not doubted:
        return []
    found = await asyncio.to_thread(_evidence, client, directories, doubted)
    return list(told_anew(doubted, found))


async def _doubted(kafka: KafkaConfig, client: Client, mappings: Mapping[str, int]) -> dict[str, Link]:
    """By id, the links that stand and that no newer reading repeated."""
    readings: dict[str, int] = {}
    suspected: set[str] = set()
    window: dict[str, Link] = {}
    async for link in _links(kafka):
        if link.mapping < mappings.get(link.source, 1):
            window[link.link_id] = link
        if len(window) >= WINDOW:
            suspected |= await asyncio.to_thread(_suspected, client, window, readings)
            window = {}
    suspected |= await asyncio.to_thread(_suspected, client, window, readings)
    standing: dict[str, Link] = {}
    if not suspected:
        return {}
    async for link in _links(kafka):
        key = link.link_id
        if key in suspected and (key not in standing or _stands(link, standing[key])):
            standing[key] = link
    return {key: link for key, link in standing.items() if is_doubted(link, readings)}


def _stands(link: Link, known: Link) -> bool:
    """Of two records of one link; of equal ones that of the newer reading."""
    return supersedes(link, known) or (link.mapping > known.mapping and not supersedes(known, link))


async def _links(kafka: KafkaConfig) -> AsyncIterator[Link]:
    async with consumer(kafka) as reader:
        async for record in history(reader, kafka, LINKS_TOPIC):
            for _, link in decode(record.value or b"[]", LINKS).items:
                if not isinstance(link, (Carried, Erasure)):
                    yield link


def _suspected(client: Client, window: Mapping[str, Link], readings: dict[str, int]) -> set[str]:
    """Those of some links whose evidence another mapping read; notes in `readings` which one."""
    stand, left = dict[str, int](), dict[str, int]()
    for row in query_rows(client, _READ_BY, {"events": sorted({link.evidence for link in window.values()})}):
        found, event_id = (left if row["gone"] else stand), str(row["event_id"])
        found[event_id] = max(found.get(event_id, 1), int(str(row["mapping"])))
    read_by = left | stand
    readings |= {event_id: mapping for event_id, mapping in read_by.items() if mapping > 1}
    return {key for key, link in window.items() if is_doubted(link, readings)}


def _evidence(client: Client, directories: Directories, doubted: Mapping[str, Link]) -> dict[str, Link]:
    return evidence(_mentioning(client, directories, doubted), doubted)


def _mentioning(client: Client, directories: Directories, doubted: Mapping[str, Link]) -> Iterator[CleanTouchpoint]:
    """What is stored that may be evidence; among others."""
    needles = sorted({orjson.dumps(_subject(link)).decode() for link in doubted.values()})
    sql = _NAMING if len(needles) <= MOST_NEEDLES else _SLICE
    slices = int(str(query_rows(client, _COUNT)[0]["n"])) // ROWS_AT_ONCE + 1
    for number in range(slices):
        asked = {"slices": slices, "slice": number} | ({"needles": needles} if sql is _NAMING else {})
        for row in query_rows(client, sql, asked):
            yield directories.touchpoint(AttributedTouchpoint.decoded(str(row["payload"])).touchpoint)


def _subject(link: Link) -> str:
    """Who or what a link is about first: every event that is evidence for it names that."""
    return (accounts_of(link) if isinstance(link, AccountClaim) else (*aliases_of(link), *accounts_of(link)))[0]
