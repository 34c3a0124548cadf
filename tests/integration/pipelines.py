"""An installation for tests: the processors and the sink as processes, on topics and a database of its own."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from clickhouse_connect.driver.client import Client

from schemas.config import ClickHouseConfig, KafkaConfig
from schemas.touchpoints import RAW, RawRequest
from streams.runtime.topics_admin import ensure_topics
from tests.clickhouse_fixture import ClickHouse
from tests.store_fixture import fresh_store

STAGES = ("attribute", "journey", "sink")
PARTITIONS = 2
_QUERY = """
SELECT event_id, account_id AS account, person_id AS person, account_method AS method, touchpoint_type AS type,
       phase, persona, subject
FROM touchpoints FINAL
"""


@dataclass
class Installation:
    """Where it is, and what runs of it."""

    folder: Path
    kafka: KafkaConfig
    store: ClickHouseConfig
    client: Client
    env: dict[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def configured(self, text: str) -> None:
        """What touchline.yaml says from the next start on, besides the number of partitions."""
        (self.folder / "touchline.yaml").write_text(f"kafka: {{partitions: {PARTITIONS}}}\n{text}")

    def start(self, *stages: str, program: str = "") -> None:
        """`touchline run STAGE`; `program` is run in its place, with the same arguments."""
        first = ("-c", program) if program else ("-m", "services.cli.main")
        for stage in stages:
            with (self.folder / f"{stage}.log").open("ab") as log:
                self.processes[stage] = self._spawned([*first, "run", stage, *self._places], stdout=log, stderr=log)

    def stop(self, *stages: str) -> None:
        """In order, as an upgrade does."""
        for stage in stages:
            self.processes[stage].terminate()
        for stage in stages:
            assert self.processes.pop(stage).wait(40) == 0, self.log(stage)

    def asked(self, *command: str) -> subprocess.CompletedProcess[bytes]:
        """A command, run to its end."""
        process = self._spawned(
            ["-m", "services.cli.main", *command, *self._places], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, said = process.communicate(timeout=180)
        return subprocess.CompletedProcess(command, process.returncode, out, said)

    def log(self, stage: str) -> str:
        """What it said."""
        return (self.folder / f"{stage}.log").read_text()

    def wait_for(self, what: Callable[[], object], wanted: object, within_s: float) -> None:
        """Until `what` is `wanted`. Shows both, and the ends of the logs, when it is not in time."""
        until = time.monotonic() + within_s
        while (found := what()) != wanted:
            ended = [stage for stage, process in self.processes.items() if process.poll() is not None]
            if ended or time.monotonic() > until:
                print(*(f"{stage}: {self.log(stage)[-1500:]}\n" for stage in STAGES))
                assert not ended
                if isinstance(found, dict) and isinstance(wanted, dict):  # only what differs
                    keys = [key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key)]
                    found, wanted = ({key: one.get(key) for key in keys} for one in (found, wanted))
                raise AssertionError(f"{found} is not {wanted} within {within_s} s")
            time.sleep(0.3)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Of a query; `bi.` is where its views are."""
        return [
            dict(row) for row in self.client.query(sql.replace("bi.", f"{self.store.bi_database}.")).named_results()
        ]

    def shown(self) -> dict[str, dict[str, str]]:
        """What the map says of each touchpoint, by its event."""
        return {row.pop("event_id"): row for row in self.rows(_QUERY)}

    def end(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()

    @property
    def _places(self) -> list[str]:
        return ["--kafka", self.kafka.bootstrap[0], "--clickhouse", self.store.url]

    def _spawned(self, arguments: Sequence[str], **pipes: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, *arguments], cwd=self.folder, env=os.environ | self.env, **pipes)


@contextmanager
def installed(folder: Path, bootstrap: str, prefix: str, running: ClickHouse, database: str) -> Iterator[Installation]:
    """Topics and tables are there, nothing runs yet; what runs at the end is killed."""
    kafka = KafkaConfig(bootstrap=(bootstrap,), partitions=PARTITIONS, topic_prefix=prefix)
    asyncio.run(ensure_topics(kafka))
    with fresh_store(running, database) as (_, config):
        env = {
            "TOUCHLINE_CONFIG": str(folder / "touchline.yaml"),
            "TOUCHLINE_KAFKA_TOPIC_PREFIX": prefix,
            "TOUCHLINE_CLICKHOUSE_DATABASE": database,
            "TOUCHLINE_CLICKHOUSE_BI_DATABASE": config.bi_database,
            "TOUCHLINE_CLICKHOUSE_PASSWORD": running.token,
            "TOUCHLINE_OPS_PORT": "0",
            "NONE": "a-secret-that-is-long-enough",
        }
        client = running.client(database)
        made = Installation(folder, kafka, config, client, env)
        try:
            yield made
        finally:
            made.end()
            client.close()


def received(kafka: KafkaConfig, requests: Sequence[RawRequest], partition: int | None = None) -> None:
    """The gateway has acked these: one record each."""

    async def write() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=list(kafka.bootstrap))
        await producer.start()
        try:
            for number, request in enumerate(requests):
                place = number % PARTITIONS if partition is None else partition
                await producer.send(
                    kafka.topic_prefix + "touchpoints.raw.v1", RAW.dump_json([request]), partition=place
                )
        finally:
            await producer.stop()

    asyncio.run(write())
