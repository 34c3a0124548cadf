"""An attribute worker that is fed what a public write key allows: it keeps its place in its group, its probe tells the
truth, and everything it is given goes on.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from benchmarks.tangles import hot_desks
from schemas.config import KafkaConfig
from schemas.touchpoints import ACCOUNT_INPUTS, RAW, AttributedTouchpoint, RawRequest
from streams.runtime.kafka import broadcast_consumer, end_offsets
from streams.runtime.metrics_server import OPS_PORT_ENV
from streams.runtime.topics_admin import ensure_topics
from tests.integration.test_identity_links import outbox_on
from tests.listening import free_port

pytestmark = pytest.mark.kafka

EVENTS = 1_200
PATIENCE_S = 600
"""Ten times what it takes on a quiet machine: what is tested is the answers meanwhile, not how long it takes."""
_RUN = """
import sys
from schemas.config import Config, KafkaConfig
from streams.identity import regions
from streams.processors import main, turns
if sys.argv[3] == "unbounded":
    regions.MAX_REGION, turns.TURN_S = 10**9, 10**9
kafka = KafkaConfig(bootstrap=(sys.argv[1],), topic_prefix=sys.argv[2], partitions=1)
sources = [{"name": "web", "vendor": "segment", "secrets": [{"env": "NONE"}]}]
sys.exit(main.run("attribute", Config(kafka=kafka, sources=sources)))
"""
NOW = datetime.now(UTC)
_CALLED = {"user": "userId", "device": "anonymousId"}
"""A desk is known by what its browser is called."""


def hostile(people: int = 60, events: int = EVENTS) -> list[RawRequest]:
    """People on half as many desks, the latest first: each event may change what all later ones decided."""
    pairs = hot_desks(people, people // 2, events // 2)
    return [request(f"e{n:05}", NOW - timedelta(seconds=n), *pair) for n, pair in enumerate(pairs)]


def request(name: str, at: datetime, mailbox: str, other: str) -> RawRequest:
    kind, _, value = other.partition(":")
    message = {
        "type": "identify",
        "messageId": name,
        _CALLED[kind]: value,
        "traits": {"email": mailbox.removeprefix("email:")},
        "timestamp": at.isoformat(),
    }
    body = json.dumps({"batch": [message], "sentAt": NOW.isoformat()})
    return RawRequest(
        request_id=f"r-{name}", source="web", vendor="segment", received_at=NOW, path="/v1/batch", body=body
    )


@contextmanager
def worker(kafka: KafkaConfig, how: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    argv = [sys.executable, "-c", _RUN, kafka.bootstrap[0], kafka.topic_prefix, how]
    with subprocess.Popen(argv, env=os.environ | {OPS_PORT_ENV: str(port)}) as process:
        try:
            yield process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


def probe(port: int) -> tuple[int, dict[str, Any]]:
    """What /healthz answers within two seconds: its status (0: nothing), and what it checks."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except OSError:
        return 0, {}


async def well(port: int) -> None:
    while (await asyncio.to_thread(probe, port))[0] != 200:
        await asyncio.sleep(0.2)


async def member(kafka: KafkaConfig) -> str:
    """Who is in the group; empty while it is not at rest."""
    admin = AIOKafkaAdminClient(bootstrap_servers=list(kafka.bootstrap))
    await admin.start()
    try:
        (answer,) = await admin.describe_consumer_groups([f"{kafka.topic_prefix}touchline-attribute"])
        (group,) = answer.groups
        return ",".join(one[0] for one in group[5]) if group[2] == "Stable" else ""
    finally:
        await admin.close()


async def feed(kafka: KafkaConfig, requests: list[RawRequest]) -> None:
    async with outbox_on(kafka) as outbox:
        for start in range(0, len(requests), 200):
            some = requests[start : start + 200]
            await outbox.deliver([("touchpoints.raw.v1", one.request_id, RAW.dump_json([one])[1:-1]) for one in some])


async def carried_on(kafka: KafkaConfig) -> set[str]:
    """The events on the attributed topic."""
    consumer = broadcast_consumer(kafka, "look")
    await consumer.start()
    try:
        ends = await end_offsets(consumer, kafka, "touchpoints.attributed.v1")
        place = TopicPartition(f"{kafka.topic_prefix}touchpoints.attributed.v1", 0)
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        found = set[str]()
        while await consumer.position(place) < ends[0]:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                items = (item for record in records for item in ACCOUNT_INPUTS.validate_json(record.value))
                found |= {item.event_id for item in items if isinstance(item, AttributedTouchpoint)}
        return found
    finally:
        await consumer.stop()


async def test_it_goes_on_and_tells_the_truth(kafka_bootstrap: str, topic_prefix: str) -> None:
    kafka = KafkaConfig(bootstrap=(kafka_bootstrap,), topic_prefix=topic_prefix, partitions=1)
    await ensure_topics(kafka)
    port, events, seen = free_port(), hostile(), list[tuple[int, dict[str, Any]]]()
    with worker(kafka, "bounded", port) as process:
        async with asyncio.timeout(PATIENCE_S):
            await well(port)
            before = await member(kafka)
            feeding = asyncio.create_task(feed(kafka, events))
            while len(await carried_on(kafka)) < len(events):
                seen.append(await asyncio.to_thread(probe, port))
            await feeding
        assert process.poll() is None
        assert await member(kafka) == before != ""
        _, last = await asyncio.to_thread(probe, port)
    assert {status for status, _ in seen} == {200}
    assert last["checks"]["limits"]["aliases_tangled"] == last["checks"]["tangled_aliases"] > 60


@pytest.mark.slow
async def test_without_the_bounds_the_probe_says_that_it_stands(kafka_bootstrap: str, topic_prefix: str) -> None:
    """Known bad: regions of any size, and no turns. That this is seen shows that the test above could fail."""
    kafka = KafkaConfig(bootstrap=(kafka_bootstrap,), topic_prefix=topic_prefix, partitions=1)
    await ensure_topics(kafka)
    port = free_port()
    with worker(kafka, "unbounded", port):
        async with asyncio.timeout(PATIENCE_S):
            await well(port)
            feeding = asyncio.create_task(feed(kafka, hostile(600, 4_000)))
            while (await asyncio.to_thread(probe, port))[0] == 200:
                await asyncio.sleep(0.2)
            await feeding
