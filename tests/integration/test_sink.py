"""The sink as a process, between a real Kafka and a real ClickHouse."""

from __future__ import annotations

import asyncio
import os
import signal
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.structs import TopicPartition

from schemas.facts import Fact
from schemas.links import Edge
from services.sink.migrate import migrate
from streams.runtime.clickhouse import Store
from tests.clickhouse_fixture import ClickHouse, warehouse
from tests.listening import free_port
from tests.sink_harness import PARTITIONS, Harness, harness, record_of, records_of, store_config
from tests.store_facts import START, account_fact, correction, delivery, signal_fact, tombstone_of, touchpoint_fact
from tests.store_fixture import put

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

PLACES = ("sink_before_insert", "sink_during_insert", "sink_after_insert", "sink_before_commit")


@pytest.fixture
async def sink(
    kafka_bootstrap: str, clickhouse_url: ClickHouse, clickhouse_database: str, topic_prefix: str
) -> AsyncIterator[Harness]:
    config = store_config(clickhouse_url.base_url, clickhouse_database, clickhouse_url.data_dir / "internal.token")
    migrate(config, clickhouse_url.token)
    made = harness(kafka_bootstrap, topic_prefix, config, clickhouse_url.token)
    await made.create_topics()
    yield made
    made.stop_all()
    with made.store() as store:
        store.command(f"DROP DATABASE {config.bi_database}")


def story(accounts: int = 4, touchpoints: int = 120) -> list[Fact]:
    """Facts of some accounts: repaired, moved and withdrawn ones among them."""
    facts: list[Fact] = [touchpoint_fact(n, account=f"crm:{n % accounts}") for n in range(touchpoints)]
    for account in range(accounts):
        name = f"crm:{account}"
        first = touchpoint_fact(account, account=name)
        facts += [
            signal_fact(account, account=name, event=account),
            touchpoint_fact(account + accounts, account=name, revision=2, pain=0.9),
            tombstone_of(first, revision=3),
            touchpoint_fact(account, account=f"crm:{(account + 1) % accounts}", revision=4),
            signal_fact(account, account=name, event=account, revision=5, withdrawn=account % 2 == 0),
            account_fact(name, revision=6),
        ]
    return [*facts, correction("crm:0")]


async def expected(sink: Harness, clickhouse: ClickHouse, facts: list[Fact]) -> dict[str, str]:
    """The figures of the same facts stored at once, in a database of their own."""
    config = store_config(
        clickhouse.base_url, f"{sink.config.clickhouse.database}_x", clickhouse.data_dir / "internal.token"
    )
    migrate(config, clickhouse.token)
    whole = Harness(sink.config.model_copy(update={"clickhouse": config}), clickhouse.token)
    with Store(config, clickhouse.token) as store:
        put(store, facts)
        found = whole.figures()
        store.command(f"DROP DATABASE {config.bi_database}")
        store.command(f"DROP DATABASE {config.database}")
    return found


async def test_facts_and_links_become_rows_and_a_replay_changes_no_figure(
    sink: Harness, clickhouse_url: ClickHouse
) -> None:
    facts = story()
    await sink.send(records_of(facts))
    edge = Edge(a="email:a@acme.example", b="anonymous:1", since=START, evidence="e", source="web")
    await sink.send([(edge.link_id, record_of([edge]))], sink.links_topic)
    line = delivery(1)
    await sink.send([(line.notice_id, record_of([line]))], sink.deliveries_topic)
    sink.start()
    await sink.caught_up()
    figures = sink.figures()
    assert figures == await expected(sink, clickhouse_url, facts)
    with sink.store() as store:
        assert store.rows("SELECT link_id, position, kind FROM links FINAL") == [
            {"link_id": edge.link_id, "position": 1, "kind": "edge"}
        ]
        assert store.rows("SELECT notice_id, channel, outcome, position FROM deliveries FINAL") == [
            {"notice_id": line.notice_id, "channel": "room", "outcome": "sent", "position": 1}
        ]
    assert sink.stop_all() == [0]

    await sink.rewind()
    assert await sink.committed() == dict.fromkeys(range(PARTITIONS), 0)
    sink.start()
    await sink.caught_up()
    assert sink.figures() == figures
    assert await sink.dead_letters() == []


@pytest.mark.fault
@pytest.mark.parametrize("place", PLACES)
async def test_kill_9_at_any_place_loses_and_doubles_nothing(
    sink: Harness, clickhouse_url: ClickHouse, place: str
) -> None:
    facts, late = story(), touchpoint_fact(500, account="crm:1")
    await sink.send(records_of(facts))
    for spared in (0, 1):
        victim = sink.start(f"{place}:kill:after={spared}")
        died = asyncio.create_task(asyncio.to_thread(victim.wait, 40))
        caught_up = asyncio.create_task(sink.caught_up())
        await asyncio.wait({died, caught_up}, return_when=asyncio.FIRST_COMPLETED)
        if not died.done():  # one batch took it all: something new, so that it gets there again
            await sink.send(records_of([late]))
        caught_up.cancel()
        assert await died == -signal.SIGKILL
        if not spared:
            assert set((await sink.committed()).values()) <= {-1, 0}, "committed before it was stored"
            assert await sink.dead_letters() == []
    await sink.send(records_of([late]))
    sink.processes.clear()
    sink.start()
    await sink.caught_up()
    assert sink.figures() == await expected(sink, clickhouse_url, [*facts, late])


async def test_poison_goes_to_the_dead_letters_and_its_neighbours_go_on(sink: Harness) -> None:
    good = touchpoint_fact(1).encoded()
    bad_item = b'{"kind": "touchpoint",  "account_id": 7}'
    unstorable = touchpoint_fact(2, importance=999).encoded()
    await sink.send(
        [
            ("crm:1", b"[" + good + b"," + bad_item + b"," + unstorable + b"]"),
            ("crm:1", b"\xff not json"),
            ("crm:1", record_of([touchpoint_fact(3)])),
        ]
    )
    sink.start()
    await sink.caught_up()
    letters = {letter.origin_index: letter for letter in await sink.dead_letters()}
    assert {index: letter.reason for index, letter in letters.items()} == {
        -1: "malformed",
        1: "undecodable",
        2: "unencodable",
    }
    assert letters[1].original.encode() == bad_item
    assert letters[2].original.encode() == unstorable
    assert letters[-1].encoding == "base64"
    assert {(letter.stage, letter.origin_topic) for letter in letters.values()} == {("sink", sink.facts_topic)}
    with sink.store() as store:
        ids = store.rows("SELECT event_id FROM touchpoints FINAL ORDER BY event_id")
    assert [row["event_id"] for row in ids] == ["event-000001", "event-000003"]


async def test_without_a_dead_letter_topic_the_sink_stops_and_commits_nothing(sink: Harness) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=list(sink.config.kafka.bootstrap))
    await admin.start()
    await admin.delete_topics([sink.dead_topic])
    await admin.close()
    await sink.send([("crm:1", b"[17]")])
    process = sink.start()
    assert await asyncio.to_thread(process.wait, 60) not in (0, None)
    assert set((await sink.committed()).values()) <= {-1, 0}


async def test_the_fuse_stops_the_sink_when_most_is_refused(sink: Harness) -> None:
    await sink.send([("crm:1", b"[" + b",".join([b"17"] * 300) + b"]")])
    port = free_port()
    sink.start(ops_port=port)
    checks = await until_unhealthy(port, "fuse")
    assert "300 of the last 300" in str(checks["fuse"])
    assert await sink.dead_letters() == []
    assert set((await sink.committed()).values()) <= {-1, 0}
    assert sink.stop_all() == [0]


@pytest.mark.fault
async def test_clickhouse_away_is_waited_for(kafka_bootstrap: str, topic_prefix: str, tmp_path: Path) -> None:
    folder = tmp_path / "clickhouse"
    port = free_port()
    with warehouse(folder) as (first, server):
        config = store_config(first.base_url, "away", folder / "internal.token")
        migrate(config, first.token)
        sink = harness(kafka_bootstrap, topic_prefix, config, first.token)
        await sink.create_topics()
        sink.start(ops_port=port)
        await sink.send(records_of([touchpoint_fact(n) for n in range(10)]))
        await sink.caught_up()
        server.send_signal(signal.SIGKILL)
        server.wait()
    try:
        await sink.send(records_of([touchpoint_fact(n) for n in range(10, 400)], size=3))
        checks = await until_unhealthy(port, "waiting")
        assert str(checks["waiting"]).startswith("waiting for ClickHouse since 20")
        before = await sink.committed()
        await asyncio.sleep(5)
        assert await sink.committed() == before
        with warehouse(folder):
            await sink.caught_up()
            with sink.store() as store:
                assert store.rows("SELECT count() AS n, uniqExact(event_id) AS ids FROM touchpoints FINAL") == [
                    {"n": 400, "ids": 400}
                ]
            assert health(port)[0] == 200
            assert await sink.dead_letters() == []
    finally:
        sink.stop_all()


@pytest.mark.fault
async def test_what_retention_took_away_is_counted_never_passed_over_in_silence(sink: Harness) -> None:
    port = free_port()
    await sink.send([("crm:1", record_of([touchpoint_fact(n)])) for n in range(10)])
    sink.start(ops_port=port)
    await sink.caught_up()
    sink.stop_all()
    await sink.send([("crm:1", record_of([touchpoint_fact(n)])) for n in range(10, 30)])
    partition = next(p for p, offset in (await sink.committed()).items() if offset == 10)
    await delete_before(sink, partition, 17)
    sink.start(ops_port=port)
    await sink.caught_up()
    status, checks = health(port)
    assert (status, checks["lost_records"]) == (200, 7)
    with sink.store() as store:
        assert store.rows("SELECT count() AS n FROM touchpoints FINAL") == [{"n": 23}]


@pytest.mark.fault
async def test_a_second_sink_and_a_frozen_one_change_no_figure(sink: Harness, clickhouse_url: ClickHouse) -> None:
    """Rebalances under load: one joins, one freezes beyond its session and comes back as a zombie."""
    facts = story(accounts=8, touchpoints=400)
    records = records_of(facts, size=2)
    zombie = sink.start("sink_during_insert:sleep:13:after=6")
    await sink.send(records[: len(records) // 2])
    sink.start()
    await sink.send(records[len(records) // 2 :])
    await asyncio.sleep(1)
    os.kill(zombie.pid, signal.SIGSTOP)
    await sink.caught_up(60)
    os.kill(zombie.pid, signal.SIGCONT)
    await asyncio.sleep(3)
    assert sink.figures() == await expected(sink, clickhouse_url, facts)


def health(port: int) -> tuple[int, dict[str, object]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return answer.status, orjson.loads(answer.read())["checks"]
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, orjson.loads(refused.read())["checks"]


async def until_unhealthy(port: int, check: str) -> dict[str, object]:
    for _ in range(200):
        try:
            status, checks = await asyncio.to_thread(health, port)
        except OSError:
            status, checks = 0, {}
        if status == 503 and check in checks and "Kafka" not in str(checks[check]):
            return checks
        await asyncio.sleep(0.1)
    raise AssertionError(f"/healthz never said `{check}`")


async def delete_before(sink: Harness, partition: int, offset: int) -> None:
    """What retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=list(sink.config.kafka.bootstrap))
    await admin.start()
    try:
        place = TopicPartition(sink.facts_topic, partition)
        await admin.delete_records({place: RecordsToDelete(before_offset=offset)})
    finally:
        await admin.close()
