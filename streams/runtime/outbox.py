"""Delivery that does not give up: outputs of one input, re-sent until Kafka has acked every one of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from schemas.topics import TopicName
from streams.runtime.writer import Position, RecordWriter

Output = tuple[TopicName, str, bytes]
"""(topic, key, encoded item)."""

RETRY_S = 0.5
_PATIENT = (KafkaTimeoutError, KafkaConnectionError, asyncio.TimeoutError)
_log = logging.getLogger("touchline.outbox")


def slices(outputs: Sequence[Output], size: int) -> Iterator[Sequence[Output]]:
    """The outputs in their order, so many at a time."""
    for start in range(0, len(outputs), size):
        yield outputs[start : start + size]


class Outbox:
    """Puts outputs in order and waits for their acks.

    Kafka being away is waited out. A producer that stopped for good (a sequence error, a fencing) cannot
    be trusted to have kept order, so the process is asked to end: its input was not acked, and the
    next process does it again.
    """

    def __init__(self, writer: RecordWriter, die: Callable[[str], None]) -> None:
        self._writer = writer
        self._die = die

    def put(self, outputs: Sequence[Output]) -> list[asyncio.Future[Position]]:
        """Hand outputs over now, so that later puts come after them."""
        return [self._writer.put(topic, key, item) for topic, key, item in outputs]

    async def acked(self, outputs: Sequence[Output], futures: list[asyncio.Future[Position]]) -> list[Position]:
        """Wait until Kafka has every output of a `put`; outputs that failed are put again, for ever.

        Their positions, in the order of the outputs; `futures` is changed to those of the puts that were acked.
        """
        pending = list(range(len(outputs)))
        while pending:
            results = await asyncio.gather(*(futures[n] for n in pending), return_exceptions=True)
            failed = {n: r for n, r in zip(pending, results, strict=True) if isinstance(r, BaseException)}
            for error in failed.values():
                self._judge(error)
            if failed:
                await asyncio.sleep(RETRY_S)
            pending = list(failed)
            for n in pending:
                futures[n] = self._writer.put(*outputs[n])
        return [future.result() for future in futures]

    async def deliver(self, outputs: Sequence[Output], *, at_once: bool = False) -> list[Position]:
        """`put`, then wait for every ack; `at_once`: these topics do not linger for company."""
        futures = self.put(outputs)
        if at_once:
            self._writer.hurry({topic for topic, _, _ in outputs})
        return await self.acked(outputs, futures)

    def _judge(self, error: BaseException) -> None:
        if isinstance(error, asyncio.CancelledError):
            raise error
        if isinstance(error, MessageSizeTooLargeError):
            self._die(f"a record is larger than Kafka takes: {error}")
        elif isinstance(error, KafkaError) and not isinstance(error, _PATIENT) and not _retriable(error):
            self._die(f"the producer stopped for good: {type(error).__name__}: {error}")


def _retriable(error: Any) -> bool:
    return bool(getattr(error, "retriable", False))
