"""Setting aside and resuming on a real Kafka: the leader, its successor, and the commands that know of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.config import KafkaConfig
from schemas.parking import Standing
from schemas.touchpoints import CLEAN, RAW, DeadLetter, RawRequest
from services.cli.commands.remap_mappings import Outdated, send_outdated
from services.cli.commands.replaying import replay_raw
from services.common.dead_letters import replay
from services.common.parked import Unread, resume, standings_now
from services.common.records import consumer, history, producer
from streams.processors import backlogs, parking_worker
from streams.processors.mapper import Mapper
from streams.processors.outcome import parked
from streams.processors.parking_leader import ParkingLeader
from streams.processors.parking_worker import ParkingWorker
from streams.processors.shell import Stage
from streams.runtime import kafka as transport
from streams.runtime.dead import letter
from streams.runtime.metrics import Metrics
from streams.runtime.outbox import Outbox, Output
from streams.runtime.standings import Standings, StandingsReader, said
from streams.runtime.topics_admin import ensure_topics
from streams.runtime.writer import RecordWriter
from tests.attributing import AsRead

pytestmark = pytest.mark.kafka
NOW = datetime.now(UTC)


@pytest.fixture
async def kafka(kafka_bootstrap: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch) -> KafkaConfig:
    monkeypatch.setattr(parking_worker, "PUBLISH_EVERY_S", 0.2)
    # These tests resume by command. A trial would resume sooner: the sources are aside since this module was read.
    monkeypatch.setattr(backlogs, "pause_before_trial", lambda tries: timedelta(days=1))
    config = KafkaConfig(bootstrap=(kafka_bootstrap,), partitions=2, topic_prefix=topic_prefix)
    await ensure_topics(config)
    return config


def request(source: str, number: int) -> RawRequest:
    message = {"type": "page", "messageId": f"{source}-{number}", "anonymousId": "a", "timestamp": NOW.isoformat()}
    return RawRequest(
        request_id=f"r-{source}-{number}", source=source, vendor="segment", received_at=NOW, path="/v1/batch",
        body=json.dumps({"batch": [message]}),
    )  # fmt: skip


def waiting(source: str, numbers: range) -> list[Output]:
    """Requests as `attribute` parks them."""
    return [parked(request(source, number), ("touchpoints.raw.v1", 0, number), 0) for number in numbers]


class Worker:
    """An attribute process's part in this, in this process."""

    def __init__(self, kafka: KafkaConfig) -> None:
        self.kafka, self.metrics = kafka, Metrics()
        self.sender = transport.producer(kafka, "test")
        writer = RecordWriter(
            self.sender, lambda topic: transport.partitions(kafka, topic), topic_prefix=kafka.topic_prefix
        )
        self.outbox = Outbox(writer, pytest.fail)
        stage = Stage("attribute", self.outbox, self.metrics, pytest.fail)
        self.standings = Standings()
        self._reader = StandingsReader(kafka, self.standings)
        self._parking = ParkingLeader(
            kafka, lambda: ParkingWorker(kafka, self.standings, Mapper(), AsRead(), stage, self.metrics)
        )

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[Worker]:
        await self.sender.start()
        await self._reader.start()
        await self._parking.start()
        tasks = [asyncio.create_task(each.run()) for each in (self._reader, self._parking)]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._parking.stop()
            await self._reader.stop()
            await self.sender.stop()


async def events(kafka: KafkaConfig) -> list[str]:
    async with consumer(kafka) as reader:
        values = [record.value async for record in history(reader, kafka, "touchpoints.attributed.v1")]
    return [one.vendor_event_id for value in values for one in CLEAN.validate_json(value)]


async def until(is_so: Any, timeout_s: float = 60.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not is_so():
            await asyncio.sleep(0.05)


async def test_resumed_by_the_command_and_its_neighbours_backlog_stays(kafka: KafkaConfig) -> None:
    worker = Worker(kafka)
    async with worker.at_work():
        aside = [said(Standing(source=name, state="parked", since=NOW, cause="test")) for name in ("web", "crm")]
        await worker.outbox.deliver(aside)
        await until(lambda: len(worker.standings.aside) == 2)
        for part in range(4):
            mixed = waiting("web", range(part * 50, part * 50 + 50)) + waiting("crm", range(part * 50, part * 50 + 50))
            await worker.outbox.deliver(mixed)
        await until(lambda: {b.requests for b in worker.standings.backlogs.values()} == {200})
        assert await events(kafka) == [], "nothing is read of a source that is set aside"
        done = await asyncio.wait_for(resume(kafka, "web", print), 60)
        assert done == {"source": "web", "state": "flowing", "replayed_requests": 200}
        assert await events(kafka) == [f"web-{number}" for number in range(200)], "each once, in their order"
        assert (await resume(kafka, "web", print))["replayed_requests"] == 0
        await worker.outbox.deliver(waiting("web", range(200, 210)))  # by one who had not heard of it
        async with asyncio.timeout(60):
            while len(found := await events(kafka)) < 210:
                await asyncio.sleep(0.1)
        assert len(found) == 210
        async with consumer(kafka) as reader:
            told = await standings_now(reader, kafka)
        assert [standing.source for standing in told.aside] == ["crm"]
        assert told.backlogs["crm"].requests == 200
        shown = worker.metrics.render().decode()
        assert 'touchline_source_set_aside{source="crm"} 1.0' in shown
        assert 'touchline_source_set_aside{source="web"} 0.0' in shown
        assert 'touchline_parked_requests{source="crm"} 200.0' in shown


async def test_the_next_on_duty_goes_on_where_the_last_one_was(kafka: KafkaConfig) -> None:
    first = Worker(kafka)
    async with first.at_work():
        await first.outbox.deliver([said(Standing(source="web", state="parked", since=NOW, cause="test"))])
        await until(lambda: first.standings.is_aside("web"))
        await first.outbox.deliver(waiting("web", range(100)))
        await until(lambda: waits(first) == 100)
        async with Worker(kafka).at_work() as second:
            assert second.standings.is_aside("web"), "known before it begins"
    async with Worker(kafka).at_work() as third:
        await third.outbox.deliver(waiting("web", range(100, 150)))
        await until(lambda: waits(third) == 150)
        await asyncio.wait_for(resume(kafka, "web", print), 60)
        assert await events(kafka) == [f"web-{number}" for number in range(150)]


def waits(worker: Worker) -> int:
    backlog = worker.standings.backlogs.get("web")
    return backlog.requests if backlog is not None else 0


def refused(kafka: KafkaConfig, one: RawRequest, offset: int) -> DeadLetter:
    """The letter of a request that stood first in a raw record."""
    origin = (f"{kafka.topic_prefix}touchpoints.raw.v1", 0, offset)
    return letter("attribute", one.body.encode(), "malformed", "", origin, 0, source=one.source)


async def test_what_sends_again_leaves_out_what_still_waits(kafka: KafkaConfig) -> None:
    worker = Worker(kafka)
    requests = [request("web", 1), request("crm", 1), request("web", 2)]
    async with worker.at_work():
        async with producer(kafka) as writer:
            for some in (requests, requests[:1]):
                topic = kafka.topic_prefix + "touchpoints.raw.v1"
                await writer.send_and_wait(topic, RAW.dump_json(some), partition=0)
        await worker.outbox.deliver([said(Standing(source="web", state="parked", since=NOW, cause="test"))])
        await until(lambda: worker.standings.is_aside("web"))
        await worker.outbox.deliver([parked(requests[n], ("touchpoints.raw.v1", 0, 0), n) for n in (0, 2)])
        await until(lambda: worker.standings.backlogs.get("web") is not None)
        done = await replay_raw(kafka, print)
        assert (done["records"], done["parked_requests_left_out"]) == (1, 3)
        assert await send_outdated(kafka, {"segment": 2}, print) == Outdated(2, left_out=3), "crm's, and crm's replayed"
        letters = [refused(kafka, requests[0], 0), refused(kafka, requests[0], 1)]
        sent_again = await replay(kafka, letters)
        assert (sent_again.records, len(sent_again.waiting), sent_again.lost) == (1, 1, [])
        async with consumer(kafka) as reader:
            raw = [record.value async for record in history(reader, kafka, "touchpoints.raw.v1")]
            assert [RAW.validate_json(value) for value in raw[2:]] == [requests[1:2]] * 4, "nothing that waits already"
            unread = await Unread.begin(reader, kafka)
            await resume(kafka, "web", print)
            await unread.read(reader)
            assert unread.ids == {"r-web-1", "r-web-2"}, "read since, so not judged: it may be under way"
            after = await Unread.begin(reader, kafka)
            await after.read(reader)
            assert after.ids == set()
