import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from services.embedded.kafka.errors import DataFolderInUse, StartFailed
from services.embedded.kafka.process import EmbeddedBroker
from services.embedded.kafka.runtime import JavaRuntime
from services.embedded.kafka.settings import MIB, BrokerSettings
from services.embedded.kafka.setup import prepare_runtime

pytestmark = pytest.mark.kafka

TOPIC = "numbers"
SENDS = 2_000


@pytest.fixture(scope="module")
def runtime() -> JavaRuntime:
    return prepare_runtime()


@pytest.fixture
def settings(tmp_path: Path) -> BrokerSettings:
    return BrokerSettings(data_dir=tmp_path / "data", min_free_bytes=64 * MIB)


@pytest.fixture
def broker(settings: BrokerSettings, runtime: JavaRuntime) -> Iterator[EmbeddedBroker]:
    started = EmbeddedBroker(settings, runtime)
    started.start()
    yield started
    started.stop()


async def _create(bootstrap: str, topic: str, partitions: int = 1) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, partitions, 1)])
    finally:
        await admin.close()


async def _produce(bootstrap: str, topic: str, values: list[bytes]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True) as producer:
        await asyncio.gather(*[await producer.send(topic, value) for value in values])


async def _read_all(bootstrap: str, topic: str) -> list[bytes]:
    partition = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        values: list[bytes] = []
        next_offset = 0
        while next_offset < end:
            record = await consumer.getone(partition)
            values.append(record.value)
            next_offset = record.offset + 1
        return values


async def test_what_is_produced_is_consumed_by_a_group(kafka_bootstrap: str, topic_prefix: str) -> None:
    topic = topic_prefix + TOPIC
    await _create(kafka_bootstrap, topic)
    await _produce(kafka_bootstrap, topic, [b"a", b"b"])
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=kafka_bootstrap,
        group_id=topic_prefix + "readers",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    async with consumer:
        assert [(await consumer.getone()).value for _ in range(2)] == [b"a", b"b"]
        await consumer.commit()
        assert await consumer.committed(TopicPartition(topic, 0)) == 2


async def test_a_record_as_large_as_a_large_request_fits(kafka_bootstrap: str, topic_prefix: str) -> None:
    topic = topic_prefix + TOPIC
    await _create(kafka_bootstrap, topic)
    large = os.urandom(9 * MIB)
    options = {"bootstrap_servers": kafka_bootstrap, "max_request_size": 10 * MIB}
    async with AIOKafkaProducer(**options) as producer:
        await producer.send_and_wait(topic, large)
    assert await _read_all(kafka_bootstrap, topic) == [large]


async def test_acked_records_survive_kill_9_once_each(broker: EmbeddedBroker, settings: BrokerSettings) -> None:
    """The JVM dies in the middle of the sends, the same producer goes on when it is back."""
    bootstrap, jvm = broker.bootstrap, broker.pid
    assert jvm is not None
    await _create(bootstrap, TOPIC)
    acked: set[bytes] = set()

    async def send_all(producer: AIOKafkaProducer) -> None:
        for number in range(SENDS):
            value = str(number).encode()
            await producer.send_and_wait(TOPIC, value)
            acked.add(value)

    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, linger_ms=0) as producer:
        sending = asyncio.create_task(send_all(producer))
        while len(acked) < SENDS // 2:
            await asyncio.sleep(0.001)
        os.kill(jvm, signal.SIGKILL)
        assert await asyncio.to_thread(broker.wait, 5) == -signal.SIGKILL
        assert not sending.done(), "the kill must fall into the sends, else this proves nothing"
        restart_s = await asyncio.to_thread(_restart, broker)
        await asyncio.wait_for(sending, 60)
    print(f"restart after kill -9: {restart_s:.2f} s, {len(acked)} acked")
    assert broker.bootstrap == bootstrap
    seen = await _read_all(bootstrap, TOPIC)
    assert len(acked) == SENDS
    assert sorted(seen) == sorted(acked)


def _restart(broker: EmbeddedBroker) -> float:
    began = time.monotonic()
    broker.stop()
    broker.start()
    return time.monotonic() - began


async def test_known_bad_a_blind_resend_is_seen_as_a_duplicate(kafka_bootstrap: str, topic_prefix: str) -> None:
    """Shows that the count above could fail: a new producer which sends again appears twice."""
    topic = topic_prefix + TOPIC
    await _create(kafka_bootstrap, topic)
    for _ in range(2):
        await _produce(kafka_bootstrap, topic, [b"1"])
    assert await _read_all(kafka_bootstrap, topic) == [b"1", b"1"]


async def test_records_and_address_survive_stop_and_another_port_works(
    broker: EmbeddedBroker, settings: BrokerSettings, runtime: JavaRuntime
) -> None:
    bootstrap = broker.bootstrap
    await _create(bootstrap, TOPIC)
    await _produce(bootstrap, TOPIC, [b"kept"])
    await asyncio.to_thread(_restart, broker)
    assert broker.bootstrap == bootstrap
    assert await _read_all(bootstrap, TOPIC) == [b"kept"]
    await asyncio.to_thread(broker.stop)
    moved = EmbeddedBroker(settings.model_copy(update={"port": _port(bootstrap) + 1}), runtime)
    address = await asyncio.to_thread(moved.start)
    try:
        assert _port(address) == _port(bootstrap) + 1
        assert await _read_all(address, TOPIC) == [b"kept"]
    finally:
        await asyncio.to_thread(moved.stop)


def _port(bootstrap: str) -> int:
    return int(bootstrap.rpartition(":")[2])


def test_a_second_broker_on_the_folder_leaves_the_first_unharmed(
    broker: EmbeddedBroker, settings: BrokerSettings, runtime: JavaRuntime
) -> None:
    with pytest.raises(DataFolderInUse):
        EmbeddedBroker(settings, runtime).start()
    assert broker.wait(0.2) is None


@pytest.mark.parametrize("damage", ["empty", "garbage", "flipped"])
def test_a_damaged_fast_start_cache_costs_time_only(
    settings: BrokerSettings, runtime: JavaRuntime, tmp_path: Path, damage: str
) -> None:
    assert runtime.aot_cache is not None
    content = bytearray(runtime.aot_cache.read_bytes())
    for position in range(len(content) // 4, len(content), 10_000):
        content[position] ^= 0xFF
    damaged = tmp_path / "damaged.aot"
    damaged.write_bytes({"empty": b"", "garbage": os.urandom(1000), "flipped": bytes(content)}[damage])
    with EmbeddedBroker(settings, replace(runtime, aot_cache=damaged)) as started:
        assert started.pid


def test_a_jvm_that_refuses_its_settings_tells_why(settings: BrokerSettings, runtime: JavaRuntime) -> None:
    broken = replace(runtime, jars=tuple(jar for jar in runtime.jars if "scala-library" not in jar.name))
    with pytest.raises(StartFailed, match="scala"):
        EmbeddedBroker(settings, broken).start()


def _foreground(settings: BrokerSettings) -> "subprocess.Popen[str]":
    argv = [sys.executable, "-m", "services.embedded.kafka.main", "--data", str(settings.data_dir)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _ready(process: "subprocess.Popen[str]") -> dict[str, object]:
    assert process.stdout is not None
    line: dict[str, object] = json.loads(process.stdout.readline())
    return line


def test_the_foreground_process_says_ready_and_stops_on_sigterm(settings: BrokerSettings) -> None:
    with _foreground(settings) as process:
        assert _ready(process)["ready"] is True
        process.terminate()
        assert process.wait(15) == 0


def test_the_foreground_process_fails_when_its_jvm_dies(settings: BrokerSettings) -> None:
    with _foreground(settings) as process:
        _ready(process)
        os.kill(_jvm(settings), signal.SIGKILL)
        assert process.wait(15) == 1
        assert process.stderr is not None
        assert "code -9" in json.loads(process.stderr.read().splitlines()[-1])["detail"]


def test_killing_every_process_at_once_leaves_a_folder_that_starts(settings: BrokerSettings) -> None:
    with _foreground(settings) as process:
        first = _ready(process)
        process.kill()
    began = time.monotonic()
    with _foreground(settings) as process:
        assert _ready(process) == first
        print(f"start after kill -9 of the process and its JVM: {time.monotonic() - began:.2f} s")
        process.terminate()


def _jvm(settings: BrokerSettings) -> int:
    return int((settings.data_dir / "jvm.pid").read_text())
