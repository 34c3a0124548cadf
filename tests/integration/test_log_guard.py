"""A real Kafka whose logs lose their tail, and consumers that had read it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from services.embedded.kafka.process import EmbeddedBroker
from services.embedded.kafka.settings import MIB, BrokerSettings
from services.embedded.kafka.setup import prepare_runtime
from streams.runtime.lineage import Mark
from streams.runtime.log_guard import Broken, guard
from tests.faults.kit.tail import truncate_log

pytestmark = pytest.mark.kafka

TOPIC, GROUP = "numbers", "readers"
PLACE = TopicPartition(TOPIC, 0)


class Kafka:
    """A broker of one test, which can lose what it was told last."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._runtime = prepare_runtime()
        self._settings = BrokerSettings(data_dir=data, min_free_bytes=64 * MIB)
        self._broker = self._started()

    def _started(self) -> EmbeddedBroker:
        broker = EmbeddedBroker(self._settings, self._runtime)
        broker.start()
        return broker

    @property
    def bootstrap(self) -> str:
        return self._broker.bootstrap

    def stop(self) -> None:
        self._broker.stop()

    def start(self) -> None:
        self._broker = self._started()

    def lose(self, records: int) -> int:
        """Stop, cut, start; the log's new end."""
        self.stop()
        end = truncate_log(self.data, TOPIC, 0, records)
        self.start()
        return end

    async def make(self) -> None:
        await self._administer(lambda admin: admin.create_topics([NewTopic(TOPIC, 1, 1)]))

    async def make_again(self) -> None:
        await self._administer(lambda admin: admin.delete_topics([TOPIC]))
        await asyncio.sleep(2)
        await self.make()

    async def _administer(self, do: Any) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            await do(admin)
        finally:
            await admin.close()

    async def write(self, *values: str) -> None:
        """Each in a batch of its own."""
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap) as producer:
            for value in values:
                await producer.send_and_wait(TOPIC, value.encode(), partition=0)

    async def committed(self) -> tuple[int, Mark]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            found = (await admin.list_consumer_group_offsets(GROUP))[PLACE]
            return found.offset, Mark.read(found.metadata)
        finally:
            await admin.close()


@pytest.fixture
async def kafka(tmp_path: Path) -> AsyncIterator[Kafka]:
    started = Kafka(tmp_path / "kafka")
    await started.make()
    yield started
    started.stop()


class Reader:
    """A member of the group that commits each record as it comes, until its log is broken."""

    def __init__(self, consumer: AIOKafkaConsumer, broken: list[Broken]) -> None:
        self.consumer, self.broken, self.seen = consumer, broken, list[str]()

    async def read(self, count: int = 0, *, for_s: float = 20.0) -> list[str]:
        """Until `count` more have come, or the log is broken."""
        until, wanted = asyncio.get_running_loop().time() + for_s, len(self.seen) + count
        while asyncio.get_running_loop().time() < until and not self.broken:
            for records in (await self.consumer.getmany(timeout_ms=200)).values():
                self.seen += [record.value.decode() for record in records]
                await self.consumer.commit({PLACE: records[-1].offset + 1})
            if count and len(self.seen) >= wanted:
                break
        return self.seen


@asynccontextmanager
async def reader(kafka: Kafka, *, guarded: bool = True) -> AsyncIterator[Reader]:
    consumer = AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=kafka.bootstrap,
        group_id=GROUP,
        group_instance_id="one",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        retry_backoff_ms=50,
    )
    broken: list[Broken] = []
    if guarded:
        guard(consumer, broken.extend)
    await consumer.start()
    try:
        yield Reader(consumer, broken)
    finally:
        await consumer.stop()


def _numbers(first: int, end: int) -> list[str]:
    return [str(number) for number in range(first, end)]


async def _read_ten(kafka: Kafka) -> None:
    await kafka.write(*_numbers(0, 10))
    async with reader(kafka) as one:
        assert await one.read(10) == _numbers(0, 10)
    offset, mark = await kafka.committed()
    assert offset == 10 and mark.epoch is not None and mark.topic_id


async def _goes_back_and_reads(kafka: Kafka, to: int, wanted: list[str]) -> None:
    async with reader(kafka) as one:
        assert await one.read() == []
        assert one.broken[0].back.resumed == to and one.broken[0].back.expected == 10
    offset, mark = await kafka.committed()
    assert offset == to and mark.back is not None and f"offset {to}" in mark.back.sentence("x")
    async with reader(kafka) as one:
        assert await one.read(len(wanted)) == wanted
        assert not one.broken
    assert (await kafka.committed())[1].back == mark.back, "it is told on and on"


@pytest.mark.slow
async def test_a_tail_lost_while_nobody_reads(kafka: Kafka) -> None:
    await _read_ten(kafka)
    assert kafka.lose(4) == 6
    await kafka.write("a", "b")
    await _goes_back_and_reads(kafka, 6, ["a", "b"])


async def test_a_tail_lost_and_written_over(kafka: Kafka) -> None:
    await _read_ten(kafka)
    kafka.lose(4)
    await kafka.write(*"abcdefgh")
    await _goes_back_and_reads(kafka, 6, list("abcdefgh"))


async def test_without_the_guard_what_was_written_over_is_never_seen(kafka: Kafka) -> None:
    """The known-bad variant: seven of these eight canaries would be gone, were there three more lost."""
    await _read_ten(kafka)
    kafka.lose(4)
    await kafka.write(*"abcdefgh")
    async with reader(kafka, guarded=False) as one:
        assert await one.read(4) == list("efgh")


@pytest.mark.slow
async def test_lost_twice_in_different_epochs(kafka: Kafka) -> None:
    await kafka.write(*_numbers(0, 6))
    kafka.lose(0)
    await kafka.write(*_numbers(6, 10))
    async with reader(kafka) as one:
        assert await one.read(10) == _numbers(0, 10)
    kafka.lose(2)
    await kafka.write("a")
    kafka.lose(5)
    await kafka.write(*"bcdefg")
    await _goes_back_and_reads(kafka, 4, list("bcdefg"))


@pytest.mark.slow
async def test_a_topic_made_again_while_nobody_reads(kafka: Kafka) -> None:
    await _read_ten(kafka)
    _, mark = await kafka.committed()
    await kafka.make_again()
    await kafka.write(*_numbers(100, 112))
    async with reader(kafka, guarded=False) as one:  # Kafka forgets what groups committed to a deleted topic …
        await one.consumer.commit({PLACE: (10, mark.text())})  # … unless somebody who had read it commits once more
    async with reader(kafka) as one:
        await one.read()
        assert one.broken[0].back.recreated and one.broken[0].back.resumed == 0
    async with reader(kafka) as one:
        assert await one.read(12) == _numbers(100, 112)


async def test_what_is_lost_while_one_reads_on(kafka: Kafka) -> None:
    await kafka.write(*_numbers(0, 10))
    async with reader(kafka) as one:
        await one.read(10)
        end = await asyncio.to_thread(kafka.lose, 4)
        await kafka.write(*"abcdefgh")
        assert await one.read() == _numbers(0, 10), "nothing of the other log was delivered"
        assert one.broken[0].back.resumed == end
    async with reader(kafka) as one:
        assert await one.read(8) == list("abcdefgh")


async def test_a_topic_made_again_while_one_reads_on(kafka: Kafka) -> None:
    await kafka.write(*_numbers(0, 10))
    async with reader(kafka) as one:
        await one.read(10)
        reading = asyncio.create_task(one.read())
        await kafka.make_again()
        await kafka.write(*_numbers(100, 112))
        await reading
        assert one.broken[0].back.recreated
    async with reader(kafka) as one:
        assert await one.read(12) == _numbers(100, 112)


async def test_a_restart_without_loss_is_nothing(kafka: Kafka) -> None:
    await kafka.write(*_numbers(0, 10))
    async with reader(kafka) as one:
        await one.read(10)
        await asyncio.to_thread(kafka.lose, 0)
        await kafka.write("a")
        assert await one.read(1) == [*_numbers(0, 10), "a"]
        assert not one.broken


@pytest.mark.slow
async def test_commits_of_an_older_version_go_on_or_start_over(kafka: Kafka) -> None:
    await kafka.write(*_numbers(0, 10))
    async with reader(kafka, guarded=False) as one:
        await one.read(10)
    await kafka.write("a")
    async with reader(kafka) as one:
        assert await one.read(1) == ["a"]
    async with reader(kafka, guarded=False) as one:
        await one.consumer.commit({PLACE: 11})
    kafka.lose(4)
    async with reader(kafka) as one:  # beyond the end, and nothing known of where it was cut: all that is there
        await one.read()
        assert one.broken[0].back.resumed == 0
