"""Bulk work beside live events: out in slices, each only once the live flow is not held up by the one before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from streams.processors.shell import Stage
from streams.runtime.outbox import Output, slices
from streams.runtime.writer import Position

SLICE = 500
#: Input that waited longer than this shows that the live flow is held up.
BEHIND_S = 0.5
#: However far behind the live flow is, the next slice goes out after this.
PATIENCE_S = 2.0
_LOOK_EVERY_S = 0.05


class Progress(Protocol):
    """How far the sink is with the facts."""

    async def reached(self, partition: int, offset: int) -> None: ...


class Pace:
    """Delivers many outputs without filling the queues that live events stand in."""

    def __init__(self, stage: Stage, progress: Progress) -> None:
        self._stage, self._progress = stage, progress

    async def deliver(
        self, outputs: Sequence[Output], go_on: Callable[[], bool], *, stored: bool = False
    ) -> Position | None:
        """Put all outputs and wait for their acks; the position of the last. Stops when `go_on` says so.

        `stored`: they are facts of one account, and never more than two slices of them wait for the sink.
        """
        last: Position | None = None
        for part in slices(outputs, SLICE):
            if not go_on():
                break
            before, last = last, (await self._stage.outbox.deliver(part))[-1]
            await self._live_flows()
            if stored and before is not None:
                await self._progress.reached(before[0], before[1] + 1)
                self._stage.moved()
        return last

    async def _live_flows(self) -> None:
        until = time.monotonic() + PATIENCE_S
        self._stage.moved()
        while self._stage.behind_s > BEHIND_S and time.monotonic() < until:
            await asyncio.sleep(_LOOK_EVERY_S)
