"""The stall watchdog: when input waits, nothing moves and nobody waits knowingly, the process ends and is restarted."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from streams.processors.shell import Stage
from streams.runtime.metrics import Meter

STALL_S = 60.0
LOOK_EVERY_S = 5.0
_log = logging.getLogger("touchline.watchdog")


class Watchdog:
    """Compares the input's lag with the last ack. `lag` says how many records wait, per partition."""

    def __init__(
        self, stage: Stage, lag: Callable[[], dict[int, int]], meter: Meter, die: Callable[[str], None]
    ) -> None:
        self._stage, self._lag, self._meter, self._die = stage, lag, meter, die
        self._quiet_since = time.monotonic()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            lag = self._lag()
            for partition, records in lag.items():
                self._meter.set(
                    "touchline_consumer_lag_records", records, stage=self._stage.name, partition=str(partition)
                )
            if self.stalled(any(lag.values()), time.monotonic()):
                self._meter.inc("touchline_watchdog_exits_total", stage=self._stage.name)
                self._die(f"{self._stage.name}: nothing moved for {STALL_S:.0f} s although input waits")

    def stalled(self, behind: bool, now: float) -> bool:
        """Whether input has waited for `STALL_S` without one ack, and without a dependency known to be away."""
        if not behind or self._stage.waits:
            self._quiet_since = now
        return now - max(self._quiet_since, self._stage.moved_at) > STALL_S


def lag_of(app: Any, topics: set[str]) -> dict[int, int]:
    """Records between the committed offset and the end, per partition, as the Faust consumer sees them."""
    consumer = app.consumer
    lags: dict[int, int] = {}
    for tp in consumer.assignment() if consumer is not None else ():
        if tp.topic in topics:
            end = consumer.highwater(tp)
            done = consumer._committed_offset.get(tp)
            if end is not None and done is not None:
                lags[tp.partition] = lags.get(tp.partition, 0) + max(end - done, 0)
    return lags
