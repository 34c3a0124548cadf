"""Three real brokers from the files of the cluster profile: what is acknowledged survives the loss of one."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from schemas.config import KafkaConfig
from schemas.topics import TOPICS
from services.embedded.kafka.ports import pick_free
from services.embedded.kafka.setup import prepare_runtime
from streams.runtime.kafka import broadcast_consumer, end_offsets, producer
from streams.runtime.topics_admin import ensure_topics

pytestmark = [pytest.mark.kafka, pytest.mark.fault, pytest.mark.slow]
SHIPPED = Path(__file__).parents[2] / "infra" / "kafka" / "cluster"
NODES = (1, 2, 3)
READY_WITHIN_S = 120.0
STARTS = {"kafka-storage.sh": "kafka.tools.StorageTool", "kafka-server-start.sh": "kafka.Kafka"}


def installed(home: Path) -> None:
    """A KAFKA_HOME with the two scripts of Kafka's image that start.sh calls, on the bundled JRE."""
    (home / "bin").mkdir(parents=True)
    runtime = prepare_runtime()
    for script, main in STARTS.items():
        command = " ".join(f"'{part}'" for part in runtime.command(main, heap_mb=384))
        path = home / "bin" / script
        path.write_text(f'#!/bin/bash\nexec {command} "$@"\n')
        path.chmod(0o755)


def node(folder: Path, number: int, ports: dict[int, tuple[int, int]]) -> subprocess.Popen[bytes]:
    """start.sh as the container runs it, with this machine's ports instead of its host names."""
    here = folder / f"node-{number}"
    (here / "tmp").mkdir(parents=True)
    client, controller = ports[number]
    for name in ("server.properties", "start.sh"):
        text = (SHIPPED / name).read_text().replace("/var/lib/kafka/data", str(here))
        for other, (_, voter) in ports.items():
            text = text.replace(f"kafka-{other}:9093", f"127.0.0.1:{voter}")
        text = text.replace("://:", "://127.0.0.1:").replace(":9092", f":{client}").replace(":9093", f":{controller}")
        (here / name).write_text(text)
    env = os.environ | {
        "KAFKA_HOME": str(folder / "kafka"),
        "KAFKA_NODE_ID": str(number),
        "KAFKA_CLUSTER_ID": "dG91Y2hsaW5lLWthZmthMQ",
        "HOSTNAME": "127.0.0.1",
        "TMPDIR": str(here / "tmp"),
    }
    with (here / "out").open("ab") as log:
        return subprocess.Popen(["/bin/bash", str(here / "start.sh")], cwd=here, env=env, stdout=log, stderr=log)


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[KafkaConfig, dict[int, subprocess.Popen[bytes]]]]:
    installed(folder / "kafka")
    ports = {number: (pick_free(), pick_free()) for number in NODES}
    nodes = {number: node(folder, number, ports) for number in NODES}
    bootstrap = tuple(f"127.0.0.1:{client}" for client, _ in ports.values())
    try:
        yield KafkaConfig(bootstrap=bootstrap, partitions=3, replication=3, min_insync=2), nodes
    finally:
        for process in nodes.values():
            process.kill()
            process.wait()


async def send(kafka: KafkaConfig, count: int) -> None:
    sender = producer(kafka, "test")
    await sender.start()
    try:
        for number in range(count):
            await asyncio.wait_for(sender.send_and_wait("touchpoints.raw.v1", b"[]", key=b"%d" % number), 60)
    finally:
        await sender.stop()


async def stored(kafka: KafkaConfig) -> int:
    consumer = broadcast_consumer(kafka, "test")
    await consumer.start()
    try:
        return sum((await end_offsets(consumer, kafka, "touchpoints.raw.v1")).values())
    finally:
        await consumer.stop()


async def test_what_is_acknowledged_survives_the_loss_of_a_broker(tmp_path: Path) -> None:
    with cluster(tmp_path) as (kafka, nodes):
        deadline = time.monotonic() + READY_WITHIN_S
        made: list[str] = []
        while not made:  # until all three have joined, three replicas are refused
            assert time.monotonic() < deadline, (tmp_path / "node-1" / "out").read_text()[-2000:]
            made = await ensure_topics(kafka, deadline_s=READY_WITHIN_S)
        assert sorted(made) == sorted(TOPICS)
        await send(kafka, 30)
        nodes[1].send_signal(signal.SIGKILL)
        nodes[1].wait()
        await send(kafka, 30)
        assert await stored(kafka) == 60
