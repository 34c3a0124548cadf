"""The doctor on a real Kafka and a real ClickHouse, each spoiled in every way that it looks for."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.config import KafkaConfig
from schemas.processes import GROUPS
from schemas.topics import TOPICS
from services.cli.commands.doctor import seen
from services.cli.commands.doctor.check import Check
from services.cli.commands.doctor.registry import examine
from services.cli.commands.doctor.tables import RECORD
from services.cli.context import Target
from streams.runtime.clickhouse import Store
from streams.runtime.topics_admin import ensure_topics
from tests.clickhouse_fixture import ClickHouse
from tests.store_fixture import fresh_store
from tests.tables import as_text, made_by_migrations
from tests.unit.test_doctor import letter

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]


@dataclass(frozen=True)
class Patient:
    """A cluster with topics and tables, and nobody who works on it."""

    target: Target
    kafka: KafkaConfig
    store: Store

    def found(self) -> dict[str, list[Check]]:
        """Name → what the doctor says under it."""
        told: dict[str, list[Check]] = {}
        for check in examine(self.target, look_s=0.3):
            told.setdefault(check.name, []).append(check)
        return told

    def says(self, name: str) -> str:
        """What it says under one name, and how bad that is."""
        return "\n".join(f"{check.state} {check.detail}" for check in self.found().get(name, []))


@pytest.fixture
def patient(
    kafka_bootstrap: str, topic_prefix: str, clickhouse_url: ClickHouse, clickhouse_database: str, tmp_path: Path
) -> Iterator[Patient]:
    kafka = KafkaConfig(bootstrap=(kafka_bootstrap,), topic_prefix=topic_prefix)
    with fresh_store(clickhouse_url, clickhouse_database) as (store, clickhouse):
        asyncio.run(ensure_topics(kafka))
        config = {
            "kafka": {"bootstrap": [kafka_bootstrap], "topic_prefix": topic_prefix},
            "clickhouse": json.loads(clickhouse.model_dump_json(exclude_defaults=True)),
        }
        config["clickhouse"]["password"] = {"file": str(clickhouse_url.data_dir / "internal.token")}
        path = tmp_path / "touchline.yaml"
        path.write_text(json.dumps(config))
        yield Patient(Target(tmp_path / "none", path), kafka, store)


def admin(patient: Patient, work: Callable[[Any], Any]) -> Any:
    async def run() -> Any:
        client: Any = AIOKafkaAdminClient(bootstrap_servers=list(patient.kafka.bootstrap))
        await client.start()
        try:
            return await work(client)
        finally:
            await client.close()

    return asyncio.run(run())


async def _produce(kafka: KafkaConfig, topic: str, *values: bytes) -> None:
    producer: Any = AIOKafkaProducer(bootstrap_servers=list(kafka.bootstrap))
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(kafka.topic_prefix + topic, value, partition=0)
    finally:
        await producer.stop()


def produce(patient: Patient, topic: str, *values: bytes) -> None:
    asyncio.run(_produce(patient.kafka, topic, *values))


def commit(patient: Patient, stage: str, topic: str, offset: int) -> None:
    async def run() -> None:
        consumer: Any = AIOKafkaConsumer(
            bootstrap_servers=list(patient.kafka.bootstrap),
            group_id=f"{patient.kafka.topic_prefix}touchline-{stage}",
            enable_auto_commit=False,
        )
        await consumer.start()
        try:
            place = TopicPartition(patient.kafka.topic_prefix + topic, 0)
            consumer.assign([place])
            await consumer.commit({place: offset})
        finally:
            await consumer.stop()

    asyncio.run(run())


def test_a_fresh_cluster_has_no_problem_but_nobody_works(patient: Patient) -> None:
    found = patient.found()
    flat = [check for checks in found.values() for check in checks]
    assert [check for check in flat if check.state == "problem"] == []
    assert {name for name, checks in found.items() if any(check.state == "warning" for check in checks)} >= {
        f"stage {stage}" for stage in GROUPS
    }
    assert found["topics"][0].detail == f"{len(TOPICS)}, as configured"
    assert found["clock of Kafka"][0].detail == "agrees with this machine's to 2 s", "it was learnt"
    assert found["tables"][0].state == found["schema"][0].state == found["dead letters"][0].state == "ok"


def test_topics(patient: Patient) -> None:
    raw, dead = (patient.kafka.topic_prefix + name for name in ("touchpoints.raw.v1", "touchpoints.dead.v1"))
    short = ConfigResource(ConfigResourceType.TOPIC, raw, {"retention.ms": "60000", "cleanup.policy": "compact"})
    admin(patient, lambda client: client.alter_configs([short]))
    admin(patient, lambda client: client.delete_topics([dead]))
    told = patient.says("topics")
    assert "touchpoints.raw.v1: retention.ms is 60000, it should be 604800000" in told
    assert "touchpoints.raw.v1: cleanup.policy is compact, it should be delete" in told
    assert "problem missing: touchpoints.dead.v1" in told


def test_dead_letters(patient: Patient) -> None:
    produce(patient, "touchpoints.dead.v1", f"[{letter(1).model_dump_json()},{letter(2).model_dump_json()}]".encode())
    assert patient.says("dead letters").startswith("warning 2 of `web` at attribute: bad_time since 2026-03-01")


@contextmanager
def member(patient: Patient, stage: str, topic: str) -> Iterator[None]:
    """Somebody who is in a stage's group and does nothing."""
    loop = asyncio.new_event_loop()
    consumer: Any = None

    async def join() -> Any:
        joined: Any = AIOKafkaConsumer(
            patient.kafka.topic_prefix + topic,
            bootstrap_servers=list(patient.kafka.bootstrap),
            group_id=f"{patient.kafka.topic_prefix}touchline-{stage}",
            enable_auto_commit=False,
        )
        await joined.start()
        return joined

    consumer = loop.run_until_complete(join())
    try:
        yield
    finally:
        loop.run_until_complete(consumer.stop())
        loop.close()


def test_a_stage_that_stands_still(patient: Patient) -> None:
    produce(patient, "touchpoints.raw.v1", b"[]", b"[]")
    assert patient.says("stage attribute") == "problem nobody works on it, 2 records wait"
    with member(patient, "attribute", "touchpoints.raw.v1"):
        assert patient.says("stage attribute") == "problem 2 records wait and it stands still"
    commit(patient, "attribute", "touchpoints.raw.v1", 2)
    assert patient.says("stage attribute") == "warning nobody works on it, 0 records wait"
    with member(patient, "attribute", "touchpoints.raw.v1"):
        assert patient.says("stage attribute").startswith("ok keeps up, 1 worker")


def test_a_stage_that_is_further_than_its_log(patient: Patient) -> None:
    produce(patient, "journey.facts.v1", b"[]")
    commit(patient, "sink", "journey.facts.v1", 40)
    assert "problem it has committed beyond the end of journey.facts.v1-0" in patient.says("stage sink")


def test_a_broker_whose_clock_is_wrong(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours is moved: the difference is the same."""
    monkeypatch.setattr(seen, "time", SimpleNamespace(time=lambda: time.time() + 30))
    assert patient.says("clock of Kafka").startswith("problem 30.") or "problem 29." in patient.says("clock of Kafka")


def test_tables_that_were_changed_by_hand(patient: Patient) -> None:
    store, views = patient.store, f"bi_{patient.target.load().clickhouse.database}"
    store.command("ALTER TABLE touchpoints ADD COLUMN mine UInt8")
    store.command("ALTER TABLE signals MODIFY COLUMN severity Float32")
    store.command("ALTER TABLE histories COMMENT COLUMN digest 'other words'")
    store.command("ALTER TABLE touchpoints DROP INDEX by_account")
    store.command("CREATE TABLE extra (a String) ENGINE = MergeTree ORDER BY a")
    store.command("DROP TABLE corrections")
    store.command("CREATE TABLE corrections (account_id String) ENGINE = MergeTree ORDER BY account_id")
    store.command(f"DROP VIEW {views}.accounts")
    told = patient.says("tables")
    for expected in (
        "problem store.touchpoints: column mine is not ours; index by_account is missing\n",
        "problem store.signals: column severity is `Float32`, it should be `Float64`\n",
        "problem store.histories: column digest is `UInt64, 'other words'`, it should be",
        "problem bi.accounts: is missing\n",
        "problem store.corrections: engine is `MergeTree()`, it should be `ReplacingMergeTree(corrected_at)`; order",
        "warning store.extra is not ours",
    ):
        assert expected in told, told


def test_a_view_that_was_changed_by_hand(patient: Patient) -> None:
    config = patient.target.load().clickhouse
    (row,) = patient.store.rows(
        "SELECT create_table_query AS made, as_select AS query FROM system.tables"
        " WHERE database = {db:String} AND name = 'signals'",
        {"db": config.bi_database},
    )
    made, query = str(row["made"]), str(row["query"])
    assert made.count(query) == 1
    changed = made.replace(query, f"SELECT * FROM ({query}) LIMIT 7")
    patient.store.command(changed.replace("CREATE VIEW", "CREATE OR REPLACE VIEW"))
    patient.store.command(f"CREATE VIEW {config.bi_database}.mine AS SELECT 1")
    assert patient.says("tables").splitlines() == [
        "problem bi.signals: its query has been changed",
        "warning bi.mine is not ours",
    ]


def test_migrations_that_wait_and_from_the_future(patient: Patient) -> None:
    patient.store.command("ALTER TABLE migrations DELETE WHERE version = 2 SETTINGS mutations_sync = 2")
    found = patient.found()
    assert found["schema"][0].state == "problem" and "0002_bi" in found["schema"][0].detail
    assert "tables" not in found, "what a migration is to change may differ"
    patient.store.command("INSERT INTO migrations (version, name, checksum) VALUES (9000, 'later', '')")
    assert "does not know" in patient.says("schema")


def test_a_source_whose_clock_is_ahead(patient: Patient) -> None:
    now = datetime.now(UTC)
    ahead = now + timedelta(hours=5)
    rows = [("honest", now, 0), ("ahead", ahead, 1)]
    for number, (source, at, suspect) in enumerate(rows):
        patient.store.command(
            "INSERT INTO touchpoints (minute, account_id, event_id, revision, occurred_at, received_at, source,"
            " clock_suspect) VALUES ({at:DateTime}, 'a', {id:String}, 1, {at:DateTime}, {now:DateTime}, {s:String},"
            " {suspect:UInt8})",
            {"at": at, "now": now, "id": f"e{number}", "s": source, "suspect": suspect},
        )
    assert (
        patient.says("clocks of sources")
        == "warning `ahead`: 1 of 1 events are from the future, half of them by 5.0 h or more"
    )


def test_the_record_of_tables_is_what_the_migrations_make(clickhouse_url: ClickHouse, clickhouse_database: str) -> None:
    record = made_by_migrations(clickhouse_url, clickhouse_database)
    assert as_text(record) == RECORD.read_text(encoding="utf-8"), "run `python -m tests.tables` after a migration"


def test_a_word_in_the_place_of_an_id(patient: Patient) -> None:
    patient.store.command(
        "INSERT INTO touchpoints (minute, account_id, event_id, revision, occurred_at, received_at, source, properties)"
        " SELECT now(), 'a', toString(number), 1, now(), now(), 'web', {told:String} FROM numbers(3)",
        {"told": '{"placeholder_id": "undefined"}'},
    )
    patient.store.command(
        "INSERT INTO links (link_id, position, kind, payload) SELECT toString(number), 1, 'edge',"
        " toJSONString(map('a', 'user:' || toString(number), 'b', 'anonymous:web', 'source', 'web')) FROM numbers(101)"
    )
    written, shared = (found.detail for found in patient.found()["ids of nobody"])
    assert written.startswith("`web` wrote `undefined` as an id in 3 touchpoints")
    assert shared.startswith("`anonymous:web` of `web` was seen with 101 people")
