"""When what an erasure cannot rewrite is gone: every byte of the data folder is searched until the time of the receipt.

ClickHouse's time is the real one; the hours of Kafka's topics are made seconds, each as it is configured.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.config import Config, KafkaConfig
from schemas.links import Edge
from schemas.retention import TOPICS_HELD
from schemas.topics import TOPICS
from services.cli.privacy.receipt import left
from services.cli.privacy.topics import LINKS_TOPIC
from streams.runtime.topics_admin import settings_of
from tests.faults.kit.campaign import load_of
from tests.faults.kit.driver import sending
from tests.faults.kit.lag import wait_idle
from tests.faults.kit.scenario import PLACES, Call, Scenario
from tests.faults.kit.system import System
from tests.faults.kit.traces import Searched, searched, stored_rows

pytestmark = [pytest.mark.slow, pytest.mark.fault, pytest.mark.kafka, pytest.mark.clickhouse]
SEED = 34
ADDRESS, BROWSER, WORDS = "zand@kastelen.example", "browser-zandkasteel", "Zandkasteelmoord"
DEVICE, STAYS = "device-zandkasteel", "browser-of-cees"
HOUR_S = 3600
FAST = 500.0


def theirs() -> tuple[Call, ...]:
    """A page and a complaint in words of theirs, who they are, and a message of theirs that cannot be read."""
    at = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    page = {"path": f"/pricing/{WORDS}", "url": f"https://www.example.com/pricing/{WORDS}", "title": WORDS}
    said: list[dict[str, object]] = [
        {"type": "page", "messageId": "z1", "anonymousId": BROWSER, "timestamp": at, "context": {"page": page}},
        {"type": "identify", "messageId": "z2", "anonymousId": BROWSER, "timestamp": at, "traits": {"email": ADDRESS}},
        {"type": "track", "event": "NPS Answered", "messageId": "z3", "anonymousId": BROWSER, "timestamp": at,
         "properties": {"comment": f"I hate this {WORDS}", "score": 1}},
        {"type": ADDRESS, "messageId": "z4", "anonymousId": BROWSER, "timestamp": at, "traits": {"email": ADDRESS}},
    ]  # fmt: skip
    return tuple(Call("web", PLACES["web"], json.dumps({"batch": [one]}), 1) for one in said)


async def learned_at_once(bootstrap: str) -> None:
    """Two links in one record, as earlier versions wrote what they learned at once."""
    since = datetime.now(UTC) - timedelta(hours=1)
    ends = ((f"email:{ADDRESS}", f"device:{DEVICE}"), ("email:cees@kastelen.example", f"anonymous:{STAYS}"))
    links = [Edge(a=a, b=b, since=since, evidence="e", source="web", scoped=True) for a, b in ends]
    writer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await writer.start()
    try:
        value = b"[" + b",".join(link.encoded() for link in links) + b"]"
        await writer.send_and_wait(LINKS_TOPIC, value, key=b"0123456789abcdef0123456789abcdef", partition=0)
    finally:
        await writer.stop()


async def hours_are_seconds(bootstrap: str, kafka: KafkaConfig) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        changed = []
        for name, topic in TOPICS.items():
            own = settings_of(topic, kafka)
            times = {key: str(int(value) // HOUR_S) for key, value in own.items() if key.endswith(".ms")}
            changed.append(ConfigResource(ConfigResourceType.TOPIC, name, own | times))
        await admin.alter_configs(changed)
    finally:
        await admin.close()


def stated_s(config: Config, where: str) -> float:
    """Until when the receipt says it is gone; of Kafka's hours, seconds, and what it adds for looking in full."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    (gone_by,) = (one["gone_by"] for one in left(config, now) if one["where"] == where)
    hours, rest = divmod((datetime.fromisoformat(gone_by) - now).total_seconds(), HOUR_S)
    return hours + rest


@pytest.mark.timeout(2400)
def test_every_byte_is_gone_when_the_receipt_says(fresh: Path) -> None:
    config = Config()
    with System(fresh) as system:
        others = load_of("bytes", SEED, events=300)
        with sending(Scenario("bytes", SEED, (*others.calls, *theirs())), system, FAST) as running:
            assert {answer.status for answer in running.finish()} == {200}
        asyncio.run(learned_at_once(system.kafka))
        wait_idle(system)
        told = json.loads(system.cli("person", "export", ADDRESS).stdout)
        words = (ADDRESS, BROWSER, WORDS, DEVICE, told["identity"]["person_id"])

        def look(when: str) -> Searched:
            seen = searched(fresh, words, [os.getpid()])
            print(f"{when}: {seen.found} in {seen.files} files, {seen.read_bytes / 1e6:.0f} MB")
            assert not seen.unread, seen.unread
            return seen

        before = look("before")
        assert {"kafka/kafka", "clickhouse/engine"} <= {place.rsplit("/", 1)[0] for place in before.found}
        assert any("touchpoints.dead.v1" in place for place in before.found), (
            "what cannot be read is kept with its bytes"
        )
        done = system.cli("erase", ADDRESS, "--by", "the test")
        assert done.returncode == 0, done.stderr
        print(json.loads(done.stdout)["left"])
        erased_s = time.monotonic()
        after = look("right after")
        assert {place.rsplit("/", 1)[0] for place in after.found} == {"kafka/kafka", "clickhouse/engine"}, (
            "the search sees parts that are no longer used, and nothing but these and Kafka's logs is left"
        )
        assert not any(stored_rows(system, word) for word in words), "what is left is in parts that nobody reads"
        asyncio.run(hours_are_seconds(system.kafka, config.kafka))
        aged_s = time.monotonic()
        personal = [topic for topic, held in TOPICS_HELD.items() if held.personal]
        topics = {f"kafka/kafka/{topic}-": stated_s(config, f"topic {topic}") for topic in personal}
        store_s = stated_s(config, "ClickHouse's replaced files")
        gone: dict[str, float] = {}
        while left_there := look(f"after {time.monotonic() - erased_s:.0f} s").found:
            gone |= {place: round(time.monotonic() - aged_s) for place in after.found.keys() - left_there - gone.keys()}
            for place in left_there:
                limit_s = next((s for name, s in topics.items() if place.startswith(name)), None)
                since_s = erased_s if limit_s is None else aged_s
                assert time.monotonic() - since_s < (limit_s or store_s), f"{place} is still there"
            time.sleep(15)
            assert system.cli("erase", "--requested").returncode == 0
        print("gone after", gone)
        kept = searched(fresh, [STAYS]).found
        assert {"kafka/kafka/identity.links.v1-0", "clickhouse/engine/store"} <= kept.keys(), "what is of others stays"
