"""What an older mapping read: found in the store, sent again from Kafka, and withdrawn beside newer readings."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.config import KafkaConfig
from schemas.facts import Tombstone, TouchpointFact
from schemas.topics import TopicName
from schemas.touchpoints import AttributedTouchpoint, CleanTouchpoint, RawRequest
from services.cli.commands import refold_run as refold_module
from services.cli.commands.doubted_links import find_retellings
from services.cli.commands.refold_run import NothingMoves
from services.cli.commands.remap_mappings import WAY, Outdated, gone_through, left_as_read, send, send_outdated
from services.cli.commands.remap_rules import count_older
from services.cli.finding.vanished_touchpoints import RAW_TOPIC, find_unread
from services.common.records import consumer, history, producer
from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Ignored, Mapped
from streams.identity.directories import Directories
from streams.identity.learning import implied
from streams.processors.history import Histories
from streams.processors.links import published
from streams.runtime.clickhouse import Store
from streams.runtime.kafka import partitions
from streams.runtime.payloads import MAPPING, RULES
from streams.runtime.topics_admin import ensure_topics
from tests.clickhouse_fixture import ClickHouse
from tests.store_facts import touchpoint_fact
from tests.store_fixture import fresh_store, put

MAPPINGS = {"segment": 2}


@pytest.fixture
async def kafka(kafka_bootstrap: str, topic_prefix: str) -> KafkaConfig:
    config = KafkaConfig(bootstrap=(kafka_bootstrap,), partitions=2, topic_prefix=topic_prefix)
    await ensure_topics(config)
    return config


@pytest.fixture
def store(clickhouse_url: ClickHouse, clickhouse_database: str) -> Iterator[Store]:
    with fresh_store(clickhouse_url, clickhouse_database) as (made, _):
        yield made


AT = datetime(2026, 3, 1, 8, 0, 0, 123_456, tzinfo=UTC)


def request(mapping: int | None, vendor: str = "segment", body: str = "{}", at: datetime = AT) -> bytes:
    made = RawRequest(request_id="r", source="web", vendor=vendor, received_at=at, body=body)
    fields = orjson.loads(made.encoded())
    fields.pop("mapping", None)
    return orjson.dumps(fields | ({} if mapping is None else {"mapping": mapping}))


async def put_records(kafka: KafkaConfig, *records: bytes) -> None:
    async with producer(kafka) as writer:
        for record in records:
            await writer.send_and_wait(kafka.topic_prefix + RAW_TOPIC, record, partition=0)


@pytest.mark.kafka
async def test_records_with_an_outdated_request_are_sent_again_as_they_are(kafka: KafkaConfig) -> None:
    old, mixed = b"[" + request(None) + b"]", b"[" + request(2) + b"," + request(1) + b"]"
    fine = b"[" + request(2) + b"," + request(None, "zendesk") + b"]"
    await put_records(kafka, old, mixed, fine, b"not json")
    assert await send_outdated(kafka, MAPPINGS, print) == Outdated(2, left_out=0)
    async with consumer(kafka) as reader:
        found = [record.value async for record in history(reader, kafka, RAW_TOPIC)]
    assert found == [old, mixed, fine, b"not json", old, mixed]


@pytest.mark.kafka
async def test_waits_for_every_stage_and_says_which_one_stands(
    kafka: KafkaConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refold_module, "STALLED_AFTER_S", 1.0)
    await put_records(kafka, b"[" + request(1) + b"]")
    with pytest.raises(NothingMoves, match="attribute does not go on"):
        await gone_through(kafka)
    for stage, topic in WAY:
        await _commit_all(kafka, stage, topic)
    async with asyncio.timeout(30):
        await gone_through(kafka)


async def _commit_all(kafka: KafkaConfig, stage: str, topic: TopicName) -> None:
    worker = AIOKafkaConsumer(
        bootstrap_servers=list(kafka.bootstrap),
        group_id=f"{kafka.topic_prefix}touchline-{stage}",
        enable_auto_commit=False,
    )
    await worker.start()
    try:
        places = [TopicPartition(kafka.topic_prefix + topic, number) for number in range(partitions(kafka, topic))]
        worker.assign(places)
        await worker.commit(await worker.end_offsets(places))
    finally:
        await worker.stop()


def read_by(mapping: int, touchpoint: CleanTouchpoint, account: str = "crm:1", **fields: Any) -> TouchpointFact:
    """A touchpoint as a mapping read it, stored."""
    read = touchpoint.changed(mapping=mapping, source="web", **fields)
    fact = touchpoint_fact(1, account=account)
    item = fact.input.changed(touchpoint=read)
    return fact.changed(event_id=read.event_id, account_id=account, input=item)


def message(number: int) -> str:
    stamp = AT.isoformat()
    event = {"type": "track", "event": "Asked", "messageId": f"m{number}", "userId": "u1", "timestamp": stamp}
    return orjson.dumps(event).decode()


def told_of(body: str, at: datetime = AT) -> CleanTouchpoint:
    raw = RawRequest(request_id="r", source="web", vendor="segment", received_at=at, body=body)
    (result,) = CONNECTORS["segment"].read(raw)
    assert isinstance(result, Mapped)
    return result.touchpoint


@pytest.mark.clickhouse
@pytest.mark.kafka
async def test_what_a_newer_mapping_makes_nothing_of_is_found_by_its_receipt(kafka: KafkaConfig, store: Store) -> None:
    """Of three messages the newer mapping ignores one; of a fourth Kafka no longer has the request."""
    moments = [AT + timedelta(seconds=number) for number in range(4)]
    read = [told_of(message(number), at) for number, at in enumerate(moments)]
    put(store, [read_by(1, read[0]), read_by(1, read[1]), read_by(2, read[2]), read_by(1, read[3])])
    requests = [request(1, body=message(number), at=moments[number]) for number in range(3)]
    await put_records(kafka, *(b"[" + one + b"]" for one in requests))

    def mapped(body: Any, envelope: Any, raw: RawRequest) -> Any:
        return Ignored("asked") if body["messageId"] == "m1" else CONNECTORS["segment"].map(body, envelope, raw)

    connectors = {"segment": replace(CONNECTORS["segment"], mapping=2, map=mapped)}
    (gone,) = await find_unread(kafka, store.client, connectors, {"web": 2})
    assert (gone.account_id, gone.event_id, gone.mapping, gone.to_account_id) == ("crm:1", read[1].event_id, 2, "")
    assert await find_unread(kafka, store.client, connectors, {"web": 1}) == []
    assert left_as_read(store.client, {"segment": 2}) == {"segment": 3}


@pytest.mark.clickhouse
@pytest.mark.kafka
async def test_links_that_were_not_repeated_are_found_and_told_anew_once(kafka: KafkaConfig, store: Store) -> None:
    """Three pairs were seen together by the first mapping; the second sees one. One more was seen elsewhere, too."""
    old = told_of(message(1)).changed(aliases=("user:u1", "anonymous:a1"), scoped=True)
    both = old.changed(event_id="e2", aliases=("user:u2", "anonymous:a2"))
    later = both.changed(event_id="e3", occurred_at=AT + timedelta(hours=1))
    gone = old.changed(event_id="e4", aliases=("user:u4", "anonymous:a4"))
    same = old.changed(event_id="e5", aliases=("user:u5", "anonymous:a5"))
    taught = [link for event in (old, both, gone, same) for link in implied(event)]
    repeated = [link.changed(mapping=2) for link in implied(same)]
    await send(kafka, list(map(published, [*taught, *repeated])))
    facts = [read_by(2, old, aliases=("user:u1",)), read_by(2, both, aliases=("user:u2",)), read_by(1, later)]
    left = Tombstone(
        account_id="crm:1", event_id="e4", occurred_at=AT, knowledge=0, mapping=2, revision=9, source="web"
    )
    put(store, [*facts, read_by(2, same), left])
    news = await find_retellings(kafka, store.client, Directories(), {"web": 2})
    found = {link.link_id: (link.evidence, link.generation, link.retracted) for link in news}
    assert found == {
        "edge|user:u1|anonymous:a1": (old.event_id, 1, True),
        "edge|user:u2|anonymous:a2": ("e3", 1, False),
        "edge|user:u4|anonymous:a4": ("e4", 1, True),
    }
    await send(kafka, list(map(published, news)))
    assert await find_retellings(kafka, store.client, Directories(), {"web": 2}) == []
    assert await find_retellings(kafka, store.client, Directories(), {"web": 1}) == []


@pytest.mark.clickhouse
async def test_rows_with_every_field_and_without_their_defaults_are_read_alike(store: Store) -> None:
    """Before, every field was written. All but one have the version of mapping and rules that is left out now."""
    first = told_of(message(1)).changed(person_traits={})
    short = [
        read_by(1, first, "crm:1"),
        read_by(1, told_of(message(2)), "crm:2"),
        read_by(2, told_of(message(3)), "crm:3"),
    ]
    put(store, [fact.changed(input=_ruled(fact.input, 1)) for fact in short])
    found = _read_by_key(store)
    assert found["mappings"] == {"crm:1": 1, "crm:2": 1, "crm:3": 2} and found["readings"] == {"segment": 2}
    assert found["rules"] == {"crm:1": 1, "crm:2": 1, "crm:3": 1} and found["older"] == 3
    rows = store.rows("SELECT account_id, event_id, payload FROM histories FINAL")
    whole = [_whole(str(row["payload"])) for row in rows]
    assert all(len(each) > len(str(row["payload"])) for each, row in zip(whole, rows, strict=True))
    for row, payload in zip(rows, whole, strict=True):
        written = {"account": row["account_id"], "event": row["event_id"], "payload": payload}
        store.command(_WRITE_WHOLE, written)
    assert _read_by_key(store) == found
    assert {str(row["payload"]) for row in store.rows("SELECT payload FROM histories FINAL")} == set(whole)


_WRITE_WHOLE = """
INSERT INTO histories
SELECT * REPLACE ({payload:String} AS payload, revision + 1 AS revision)
FROM histories FINAL WHERE account_id = {account:String} AND event_id = {event:String}
"""


def _ruled(item: AttributedTouchpoint, version: int) -> AttributedTouchpoint:
    return item.changed(attribution=item.attribution.changed(rule_version=version))


def _whole(payload: str) -> str:
    return orjson.dumps(AttributedTouchpoint.decoded(payload).fields()).decode()


def _read_by_key(store: Store) -> dict[str, Any]:
    keys = f"SELECT account_id, {MAPPING} AS mapping, {RULES} AS rules FROM histories FINAL ORDER BY account_id"
    rows = store.rows(keys)
    return {
        "mappings": {row["account_id"]: row["mapping"] for row in rows},
        "rules": {row["account_id"]: row["rules"] for row in rows},
        "readings": left_as_read(store.client, {"segment": 2}),
        "older": count_older(store.client),
    }


@pytest.mark.clickhouse
async def test_copies_say_by_which_mapping_an_account_was_left(store: Store) -> None:
    one, other = told_of(message(1)), told_of(message(2))
    left = Tombstone(
        account_id="crm:2", event_id=one.event_id, occurred_at=AT, knowledge=5, mapping=3, revision=9, source="web"
    )
    put(store, [read_by(2, one), read_by(1, other), left])
    found = await Histories(store).copies([one.event_id, other.event_id])
    assert {item.event_id: item.touchpoint.mapping for item in found.items} == {one.event_id: 2, other.event_id: 1}
    assert found.left == {one.event_id: 3}
