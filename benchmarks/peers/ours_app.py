"""The job alone on our own machinery: the shell around a Faust agent, its acks, the writer; no map, no links, no rules.

    python -m benchmarks.peers.ours_app KAFKA-AS-JSON

Two agents in one process, as each peer is one. Topics are those of the pipeline whose places they take.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import orjson

from benchmarks.peers.job import Event, counted, events
from schemas.config import KafkaConfig
from schemas.topics import TopicName
from streams.processors.app import attach, make_app
from streams.processors.shell import Done, Record, Stage
from streams.runtime.garbage import settle
from streams.runtime.kafka import partitions, producer
from streams.runtime.metrics import Metrics
from streams.runtime.outbox import Outbox
from streams.runtime.writer import RecordWriter

INPUT: Final[TopicName] = "touchpoints.raw.v1"
GROUPED: Final[TopicName] = "touchpoints.attributed.v1"
OUTPUT: Final[TopicName] = "journey.facts.v1"
_log = logging.getLogger("touchline.bench")


class _Hop:
    """Hands on what `work` makes of each record."""

    def __init__(self, stage: Stage, target: TopicName, work: Callable[[bytes], Iterable[Event]]) -> None:
        self.stage, self._target, self._work = stage, target, work

    async def handle(self, records: Sequence[Record]) -> Done:
        """Put into the outbox in order; acked by Kafka before the records are."""
        outputs = [
            (self._target, str(event["account"]), orjson.dumps(event))
            for record in records
            for event in self._work(record.value)
        ]
        return self.stage.outbox.acked(outputs, self.stage.outbox.put(outputs))


async def main(kafka: KafkaConfig) -> None:
    """Until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)

    def die(why: str) -> None:
        _log.error(why)
        ended.set()

    counts: Counter[str] = Counter()

    def count(record: bytes) -> Iterable[Event]:
        for event in orjson.loads(record):
            counts[event["account"]] += 1
            yield counted(event, counts[event["account"]])

    settle()
    sender = producer(kafka, "touchline-bench")
    await sender.start()
    writer = RecordWriter(sender, lambda topic: partitions(kafka, topic), topic_prefix=kafka.topic_prefix)
    app = make_app("bench", kafka, lambda broken: die(str(broken)))
    for source, target, work in ((INPUT, GROUPED, events), (GROUPED, OUTPUT, count)):
        _attach(app, kafka, source, _Hop(Stage(f"to-{target}", Outbox(writer, die), Metrics(), die), target, work))
    app.finalize()
    await app.start()
    await ended.wait()
    await app.stop()
    await sender.stop()


def _attach(app: Any, kafka: KafkaConfig, source: TopicName, hop: _Hop) -> None:
    attach(app, kafka.topic_prefix + source, lambda stream: hop.stage.process(stream, hop))


if __name__ == "__main__":
    asyncio.run(main(KafkaConfig.model_validate_json(sys.argv[1])))
