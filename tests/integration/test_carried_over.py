"""What a version before ids carried their source left in Kafka and ClickHouse opens, and shows the same map.

The processors are killed again and again while it is carried over.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.config import KafkaConfig
from schemas.ids import bare
from schemas.links import LINKS
from streams.runtime.topics_admin import ensure_topics
from tests.clickhouse_fixture import ClickHouse
from tests.data.before import mended, recorded
from tests.integration.test_cluster_profile import JOBS, READY_WITHIN_S, Cluster, wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse, pytest.mark.fault]
PROCESSORS = ("attribute", "journey")
FILE = """
kafka: {partitions: 2}
sources:
  - {name: web, vendor: segment, secrets: [{env: NONE}], directory: product}
  - {name: product, vendor: rudderstack, secrets: [{env: NONE}]}
  - {name: crm, vendor: hubspot, secrets: [{env: NONE}]}
  - {name: support, vendor: zendesk, secrets: [{env: NONE}]}
  - {name: operators, vendor: touchline, secrets: [{env: NONE}]}
"""
KILLS = 10
SAME_WITHIN_S = 240.0
SHOWN = ("account", "person", "method", "type", "phase", "persona", "subject")
_QUERY = """
SELECT event_id, account_id AS account, person_id AS person, account_method AS method, touchpoint_type AS type,
       phase, persona, subject
FROM {database:Identifier}.touchpoints FINAL
"""


@pytest.fixture
def database(clickhouse_url: ClickHouse) -> Iterator[str]:
    name = f"before_{os.getpid()}_{time.monotonic_ns() % 10**9}"
    yield name
    client = clickhouse_url.client()
    for one in (name, f"{name}_bi"):
        client.command(f"DROP DATABASE IF EXISTS {one}")
    client.close()


async def write(bootstrap: str, prefix: str) -> None:
    """The recorded records, and how far their readers were."""
    kafka = KafkaConfig(bootstrap=(bootstrap,), topic_prefix=prefix, partitions=2)
    await ensure_topics(kafka, former=["touchpoints.clean.v1"])
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    for topic, partition, values in recorded()["logs"]:
        for value in values:
            key = LINKS.validate_json(value)[0].link_id if topic.startswith("identity") else "key"
            await producer.send(prefix + topic, value.encode(), key=key.encode(), partition=partition)
    await producer.stop()
    for stage, inputs in {"journey": ("attributed",), "resolve": ("clean", "recalled")}.items():
        read = {
            TopicPartition(prefix + topic, partition): offset
            for topic, partition, offset in recorded()["offsets"]
            if topic.split(".")[1] in inputs
        }
        consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap, group_id=f"{prefix}touchline-{stage}", enable_auto_commit=False
        )
        await consumer.start()
        consumer.assign(list(read))
        await consumer.commit(read)
        await consumer.stop()


def shown(client: Any, database: str) -> dict[str, dict[str, str]]:
    found = client.query(_QUERY, parameters={"database": database}).named_results()
    rows = {row["event_id"]: {name: row[name] for name in SHOWN} for row in found}
    return {key: row | {name: bare(row[name]) for name in ("account", "subject")} for key, row in rows.items()}


def is_left(client: Any, database: str) -> bool:
    """Whether any row still has an id of before."""
    old = "match(account_id, '^(crm|org|group):[^:]+$') OR match(subject, '^(ticket|deal|company|contact):[^:]+$')"
    query = f"SELECT count() FROM {database}.touchpoints FINAL WHERE {old}"
    return bool(client.query(query).result_rows[0][0])


def test_a_folder_of_before_shows_the_same_map(
    tmp_path: Path, kafka_bootstrap: str, clickhouse_url: ClickHouse, database: str, topic_prefix: str
) -> None:
    (tmp_path / "touchline.yaml").write_text(FILE)
    env = {
        "TOUCHLINE_KAFKA_TOPIC_PREFIX": topic_prefix,
        "TOUCHLINE_CLICKHOUSE_DATABASE": database,
        "TOUCHLINE_CLICKHOUSE_BI_DATABASE": f"{database}_bi",
        "TOUCHLINE_CONFIG": str(tmp_path / "touchline.yaml"),
        "TOUCHLINE_CLICKHOUSE_PASSWORD": clickhouse_url.token,
        "NONE": "secret",
    }
    cluster = Cluster(tmp_path, ["--kafka", kafka_bootstrap, "--clickhouse", clickhouse_url.base_url], env)
    client, expected = clickhouse_url.client(), mended()["events"]
    wanted = {event: {name: row[name] for name in SHOWN} for event, row in expected.items()}
    try:
        for job in JOBS:
            assert cluster.start(job).wait(READY_WITHIN_S) == 0, cluster.log(job)
        cluster.processes.clear()
        asyncio.run(write(kafka_bootstrap, topic_prefix))
        for name in ("sink", *PROCESSORS):
            cluster.start(name)
        chance = random.Random(7)
        for _ in range(KILLS):
            time.sleep(chance.uniform(2, 9))
            name = chance.choice(("sink", *PROCESSORS))
            cluster.processes[name].kill()
            cluster.processes[name].wait()
            cluster.start(name)
        wait_for(
            "the same map",
            lambda: shown(client, database) == wanted and not is_left(client, database),
            SAME_WITHIN_S,
        )
        signals = client.query(f"SELECT signal_id FROM {database}.signals FINAL").result_rows
        assert {row[0] for row in signals} <= {*recorded()["shown"]["signals"]}  # those of silence may not be due yet
        assert len(signals) > len(recorded()["shown"]["signals"]) / 2
        named = f"SELECT crm_id, directory FROM {database}_bi.accounts WHERE account_id = 'crm:crm:9001'"
        assert client.query(named).result_rows == [("9001", "crm")]
        objects = f"SELECT DISTINCT directory FROM {database}_bi.directory WHERE object_kind = 'contact'"
        assert client.query(objects).result_rows == [("crm",)]
    except AssertionError:
        now = shown(client, database)
        print({event: (now.get(event), wanted[event]) for event in wanted if now.get(event) != wanted[event]})
        print(*(cluster.log(name)[-1500:] for name in PROCESSORS))
        raise
    finally:
        cluster.end()
        client.close()
