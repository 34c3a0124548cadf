"""The gateway against a real Kafka: what was answered 200 is in the topic, whatever was killed and when."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.base import EPOCH
from schemas.config import Config, GatewayConfig, KafkaConfig, SecretRef, SourceConfig
from schemas.touchpoints import RAW, RawRequest
from services.common.parked import standings_of

pytestmark = pytest.mark.kafka

TOPIC = "touchpoints.raw.v1"
STANDINGS = "sources.standings.v1"
PARTITIONS = 2
RUN = """
import asyncio, sys
from schemas.config import Config
from services.gateway.main import serve
asyncio.run(serve(Config.model_validate_json(sys.argv[1]), on_listening=lambda url: print(url, flush=True)))
"""


def config(bootstrap: str, prefix: str, **gateway: float) -> Config:
    return Config(
        kafka=KafkaConfig(bootstrap=(bootstrap,), topic_prefix=prefix),
        gateway=GatewayConfig.model_validate({"port": 0, **gateway}),
        sources=(SourceConfig(name="web", vendor="segment", secrets=(SecretRef(env="WEB_KEY"),)),),
    )


@contextmanager
def process(config: Config, failpoint: str = "") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A gateway of its own, and its URL."""
    env = {**os.environ, "WEB_KEY": "WK", "TOUCHLINE_FAILPOINT": failpoint}
    argv = [sys.executable, "-c", RUN, config.model_dump_json()]
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            yield running, running.stdout.readline().strip()
        finally:
            running.kill()


async def create_topic(bootstrap: str, prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(prefix + TOPIC, PARTITIONS, 1), NewTopic(prefix + STANDINGS, 1, 1)])
    finally:
        await admin.close()


async def stored(bootstrap: str, prefix: str) -> list[RawRequest]:
    """Everything in the topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    try:
        parts = [TopicPartition(prefix + TOPIC, n) for n in range(PARTITIONS)]
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        ends = await consumer.end_offsets(parts)
        found: list[RawRequest] = []
        while any([await consumer.position(part) < ends[part] for part in parts]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [item for record in records for item in RAW.validate_json(record.value or b"[]")]
        return found
    finally:
        await consumer.stop()


def message(number: int) -> dict[str, object]:
    return {"type": "track", "event": "A", "userId": "u", "messageId": f"m{number}"}


def numbers(requests: list[RawRequest]) -> list[str]:
    return [request.body.split('"messageId":"')[1].split('"')[0] for request in requests]


async def send(http: httpx.AsyncClient, number: int) -> int:
    """The status, 0 when the connection broke."""
    try:
        return (await http.post("/v1/track", json=message(number), auth=("WK", ""))).status_code
    except httpx.TransportError:
        return 0


async def until_ready(http: httpx.AsyncClient, timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while (await http.get("/healthz")).status_code != 200:
        assert time.monotonic() < deadline, "not ready in time"
        await asyncio.sleep(0.05)


async def test_accepted_is_stored_and_sigterm_answers_what_is_in_flight(
    kafka_bootstrap: str, topic_prefix: str
) -> None:
    await create_topic(kafka_bootstrap, topic_prefix)
    with process(config(kafka_bootstrap, topic_prefix)) as (running, url):
        async with httpx.AsyncClient(base_url=url) as http:
            await until_ready(http)
            refused = await http.post("/v1/track", json=message(0), auth=("nobody's", ""))
            assert refused.status_code == 401
            sends = [asyncio.create_task(send(http, n)) for n in range(200)]
            await asyncio.sleep(0.1)
            running.send_signal(signal.SIGTERM)
            statuses = await asyncio.gather(*sends)
        assert await asyncio.to_thread(running.wait, 30) == 0
    acked = {f"m{n}" for n, status in enumerate(statuses) if status == 200}
    found = numbers(await stored(kafka_bootstrap, topic_prefix))
    assert acked and acked <= set(found)
    assert len(found) == len(set(found))
    standings = await standings_of(config(kafka_bootstrap, topic_prefix).kafka)
    assert [(one.source, one.reason, one.count) for one in standings.not_taken(EPOCH)] == [("", "invalid_key", 1)]


async def test_killed_before_the_ack_nobody_was_told_200(kafka_bootstrap: str, topic_prefix: str) -> None:
    await create_topic(kafka_bootstrap, topic_prefix)
    with process(config(kafka_bootstrap, topic_prefix), "gateway_after_read:kill") as (running, url):
        async with httpx.AsyncClient(base_url=url) as http:
            await until_ready(http)
            assert await send(http, 1) == 0
        assert running.wait(10) == -signal.SIGKILL
    assert await stored(kafka_bootstrap, topic_prefix) == []


async def test_killed_after_the_ack_the_resend_is_the_same_event(kafka_bootstrap: str, topic_prefix: str) -> None:
    from streams.connectors.registry import CONNECTORS
    from streams.connectors.results import Mapped

    await create_topic(kafka_bootstrap, topic_prefix)
    for failpoint, expected in (("gateway_after_ack:kill", 0), ("", 200)):
        with process(config(kafka_bootstrap, topic_prefix), failpoint) as (_, url):
            async with httpx.AsyncClient(base_url=url) as http:
                await until_ready(http)
                assert await send(http, 1) == expected
    requests = await stored(kafka_bootstrap, topic_prefix)
    events = [
        one.touchpoint.event_id for r in requests for one in CONNECTORS["segment"].read(r) if isinstance(one, Mapped)
    ]
    assert len(events) == 2 and len(set(events)) == 1


async def test_it_starts_without_kafka_says_so_and_recovers(topic_prefix: str, kafka_bootstrap: str) -> None:
    """A forwarder stands in for a broker that is away: first deaf, then leading to the real one."""
    with closing(socket.create_server(("127.0.0.1", 0))) as deaf:
        bootstrap = f"127.0.0.1:{deaf.getsockname()[1]}"
    settings = config(bootstrap, topic_prefix, ack_timeout_s=1.0)
    settings = settings.model_copy(
        update={"kafka": settings.kafka.model_copy(update={"bootstrap": (bootstrap, kafka_bootstrap)})}
    )
    with process(settings) as (_, url):
        async with httpx.AsyncClient(base_url=url) as http:
            answer = await http.get("/healthz")
            assert answer.status_code == 503 and answer.json()["status"] == "unready"
            refused = await http.post("/v1/track", json=message(1), auth=("WK", ""))
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
            await create_topic(kafka_bootstrap, topic_prefix)
            await until_ready(http, 40)
            assert await send(http, 2) == 200
    assert numbers(await stored(kafka_bootstrap, topic_prefix)) == ["m2"]
