"""Faust's consumer behind a `log_guard`: three classes of its driver lead to the place where it makes one."""

from __future__ import annotations

from typing import Any

from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport

from streams.runtime.idle_polling import GROUP_WAIT_MS, patient
from streams.runtime.log_guard import LogGuard, OnBroken, guard


class _Thread(AIOKafkaConsumerThread):  # type: ignore[misc]
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        patient(consumer, GROUP_WAIT_MS)
        transport.guard = guard(consumer, transport.on_broken)
        return consumer


class _Consumer(Consumer):  # type: ignore[misc]
    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)


class GuardedTransport(Transport):  # type: ignore[misc]
    """Faust's way to Kafka; `on_broken` hears of logs that lost what was read, in the consumer's thread."""

    Consumer = _Consumer

    def __init__(self, url: Any, app: Any, on_broken: OnBroken) -> None:
        super().__init__(url, app)
        self.on_broken = on_broken
        self.guard: LogGuard | None = None

    @property
    def returns(self) -> list[str]:
        """Where the stage went back in its input, in words."""
        return self.guard.returns if self.guard is not None else []
