"""What figures and silence tell, through the whole service: Kafka, ClickHouse, the alerts service and a receiver.

Nine weeks are stored as the sink stores them, and the service has watched since yesterday: what it finds at its first
looks is news. Each of the three policies tells once, and says when it is over.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from schemas.config import KafkaConfig
from schemas.incidents import WARD, Ward
from services.alerting import hearing, measuring
from services.alerting.desks import TOPIC
from services.alerting.main import Health, digest_of
from streams.journey.blueprints import load
from streams.runtime.clickhouse import Store
from streams.runtime.kafka import partitions, producer
from streams.runtime.topics_admin import ensure_topics
from tests.alerts_running import serving
from tests.clickhouse_fixture import ClickHouse
from tests.receivers import Receiver, receiver, until
from tests.store_fixture import fresh_store

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]
BLUEPRINT: Final = load().source
PROMISED: Final = next(kind for kind in BLUEPRINT.types if "friction_rate" in kind.targets)
OTHER, SELDOM, *_ = (kind for kind in BLUEPRINT.types if kind.on_map and not kind.targets)
SECRET: Final = "whsec_" + base64.b64encode(b"k" * 32).decode()
_TOUCHPOINTS: Final = """
INSERT INTO touchpoints (minute, account_id, event_id, revision, occurred_at, received_at, source, touchpoint_type,
    phase, on_map, friction, pain)
SELECT toStartOfMinute(at), concat('crm:', toString(number % 8)), concat({run:String}, toString(number)), 1,
    at, at, {source:String}, {kind:String}, {phase:String}, 1,
    cityHash64(number) % 100 < {painful:UInt8} AS hurts, hurts * 0.4
FROM (SELECT number, {since:DateTime64(3, 'UTC')} + toIntervalSecond(number * {every_s:UInt32}) AS at
    FROM numbers({count:UInt64}))
"""
_HEARD: Final = """
INSERT INTO source_freshness SELECT source, max(occurred_at), max(received_at), max(received_at) FROM touchpoints
GROUP BY source
"""
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


class World:
    """A store, a topic prefix and a configuration with one webhook."""

    def __init__(self, folder: Path, kafka: KafkaConfig, store: Store) -> None:
        self.folder, self.kafka, self.store = folder, kafka, store
        self.now = datetime.now(UTC)
        self.whole = self.now.replace(minute=0, second=0, microsecond=0)

    def put(self, kind: Any, source: str, since: datetime, until_: datetime, every: timedelta, painful: int) -> None:
        """One touchpoint each so often; so many of a hundred hurt."""
        count = max(0, int((until_ - since) / every))
        named = {"source": source, "kind": kind.id, "phase": kind.phase, "painful": painful, "since": since}
        more = {"run": f"{source}/{kind.id}/{since:%j%H%M}/", "count": count}
        self.store.command(_TOUCHPOINTS, named | more | {"every_s": int(every.total_seconds())})
        self.store.command(_HEARD)

    def configure(self, config: Any, heard: Receiver) -> None:
        (self.folder / "secret").write_text(SECRET)
        (self.folder / "secret").chmod(0o600)
        (self.folder / "source").write_text("k" * 32)
        (self.folder / "source").chmod(0o600)
        source = {"vendor": "touchline", "secrets": [{"file": "source"}]}
        hook = {"name": "hook", "url": heard.url, "secrets": [{"file": "secret"}], "per_minute": 600}
        kafka = {"bootstrap": list(self.kafka.bootstrap), "topic_prefix": self.kafka.topic_prefix}
        password = {"file": str(config.password.file)}
        there = {"url": config.url, "database": config.database, "bi_database": config.bi_database}
        document = {
            "kafka": kafka,
            "clickhouse": there | {"password": password},
            "sources": [source | {"name": "web"}, source | {"name": "erp", "secrets": [{"file": "other"}]}],
            "alerts": {"allow_private": ["127.0.0.1"], "webhooks": [hook]},
        }
        (self.folder / "other").write_text("o" * 32)
        (self.folder / "other").chmod(0o600)
        (self.folder / "touchline.yaml").write_text(yaml.safe_dump(document))

    async def watched_since_yesterday(self) -> None:
        """As an earlier process of the same blueprint left it."""
        writer = producer(self.kafka, "test")
        await writer.start()
        try:
            since = self.now - timedelta(days=1)
            topic = f"{self.kafka.topic_prefix}{TOPIC}"
            for number in range(partitions(self.kafka, TOPIC)):
                ward = Ward(
                    partition=number,
                    blueprint_digest=digest_of(BLUEPRINT),
                    since=since,
                    until=self.now,
                    heard={"web": self.now},
                )
                value = b"[" + ward.encoded() + b"]"
                await writer.send_and_wait(topic, value, key=f"{WARD}{number}".encode(), partition=number)
        finally:
            await writer.stop()

    def service(self) -> AbstractAsyncContextManager[Health]:
        return serving(self.folder / "touchline.yaml")

    def all_is_wrong(self) -> None:
        """A promise is missed, something is unusual, and a source that tells every hour has been silent for twelve."""
        now, whole = self.now, self.whole
        self.put(OTHER, "web", whole - timedelta(weeks=9), whole - 6 * HOUR, 3 * MINUTE, 3)
        self.put(OTHER, "web", whole - 6 * HOUR, now, 3 * MINUTE, 70)
        self.put(PROMISED, "web", now - HOUR, now, MINUTE, 100)
        self.put(SELDOM, "erp", whole - timedelta(weeks=4), whole - 12 * HOUR, HOUR, 0)


def told(heard: Receiver) -> list[tuple[str, str]]:
    """(policy, kind) of each message, in order."""
    messages = (json.loads(request.body)["data"] for request in heard.got)
    return [(message["policy"], message["kind"]) for message in messages]


@pytest.fixture
def looks_each_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "LOOK_EVERY_S", 0.5)
    monkeypatch.setattr(measuring, "LOOK_EVERY_S", 0.5)


@pytest.fixture
async def ground(kafka_bootstrap: str, topic_prefix: str) -> KafkaConfig:
    kafka = KafkaConfig(bootstrap=(kafka_bootstrap,), topic_prefix=topic_prefix)
    await ensure_topics(kafka)
    return kafka


@pytest.fixture
def stored(clickhouse_url: ClickHouse, clickhouse_database: str) -> Iterator[tuple[Store, Any]]:
    with fresh_store(clickhouse_url, clickhouse_database) as made:
        yield made


@pytest.mark.usefixtures("looks_each_second")
async def test_a_missed_promise_an_unusual_change_and_a_late_source_are_told_once_and_closed(
    tmp_path: Path, ground: KafkaConfig, stored: tuple[Store, Any]
) -> None:
    store, config = stored
    world = World(tmp_path, ground, store)
    world.all_is_wrong()
    async with receiver() as heard:
        world.configure(config, heard)
        await world.watched_since_yesterday()
        async with world.service():
            await until(lambda: len(heard.got) >= 3, 60)
            await asyncio.sleep(3)
            opened = Counter(told(heard))
            assert opened == {(name, "opened"): 1 for name in ("promise_missed", "unusual_change", "source_late")}
            world.put(SELDOM, "erp", world.now - MINUTE, world.now, MINUTE, 0)
            await until(lambda: len(heard.got) >= 4, 60)
        assert told(heard)[3:] == [("source_late", "closed")]


@pytest.mark.usefixtures("looks_each_second")
async def test_nobody_is_told_of_what_was_so_before_anybody_watched(
    tmp_path: Path, ground: KafkaConfig, stored: tuple[Store, Any]
) -> None:
    """The same figures, found at the first start of all: history."""
    store, config = stored
    world = World(tmp_path, ground, store)
    world.all_is_wrong()
    async with receiver() as heard:
        world.configure(config, heard)
        async with world.service() as health:
            watcher = health.watcher
            assert watcher is not None
            await until(lambda: len(watcher._desks.of) >= 3, 60)
            await asyncio.sleep(3)
        assert heard.got == []
