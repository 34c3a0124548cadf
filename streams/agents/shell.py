"""The shell around every processor: a Faust agent that never raises and acks only what is done.

Faust acks when a handler raises, and `take()` acks in `finally`; either loses events. So the agent takes
events without acks, the handler classifies its own failures, and an event is acked by hand once all its
outputs are in Kafka. Several records are under way at once: they are handled in order, their acks awaited apart.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from schemas.errors import TransientError
from schemas.topics import TopicName
from schemas.touchpoints import DEAD, DeadLetter
from streams.ops.metrics import Meter
from streams.transport import failpoints
from streams.transport.dead import Fuse, FuseBlown, Origin, letter
from streams.transport.outbox import Outbox, Output

MAX_UNDER_WAY = 256
RETRY_S = (0.2, 5.0)
_log = logging.getLogger("touchline.stage")

Done = Coroutine[Any, Any, object]
"""What remains to be awaited before a record may be acked."""


class Handler(Protocol):
    """A processor's part: takes a record in, in order; returns what must finish before it is acked.

    May raise TransientError (the same record is handed over again, for ever). Anything else is a bug of ours:
    the record is quarantined as a dead letter, so that the stream goes on.
    """

    async def handle(self, value: bytes, origin: Origin) -> Done: ...


class Stage:
    """One processor's flow from records to acks."""

    def __init__(self, name: str, outbox: Outbox, meter: Meter, die: Callable[[str], None]) -> None:
        self.name = name
        self.outbox = outbox
        self._meter = meter
        self._die = die
        self._fuse = Fuse()
        self._room = asyncio.Semaphore(MAX_UNDER_WAY)
        self._tasks: set[asyncio.Task[None]] = set()
        self.waiting_since: float | None = None
        self.waiting_for = ""
        self.moved_at = time.monotonic()

    async def process(self, events: Any, handler: Handler) -> None:
        """Handle the events of a Faust stream, for ever."""
        async for event in events:
            await self._room.acquire()
            message = event.message
            origin = (message.topic, message.partition, message.offset)
            failpoints.hit(f"{self.name}_after_read")
            done = await self._attempt(handler, message.value or b"[]", origin)
            task = asyncio.get_running_loop().create_task(self._finish(event, done))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _attempt(self, handler: Handler, value: bytes, origin: Origin) -> Done:
        """Hand a record over until it is taken; a bug of ours costs this record, not the stream."""
        delay_s = RETRY_S[0]
        while True:
            started = time.monotonic()
            try:
                done = await handler.handle(value, origin)
            except TransientError as error:
                self.wait(str(error))
                self._meter.inc("touchline_stage_retries_total", stage=self.name)
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, RETRY_S[1])
            except Exception as error:
                _log.exception("a record cannot be processed", extra={"origin": origin})
                return self.outbox.deliver(
                    [
                        dead_output(
                            letter(
                                self.name, value, "processing_failed", f"{type(error).__name__}: {error}", origin, -1
                            )
                        )
                    ]
                )
            else:
                self.waiting_since, self.waiting_for = None, ""
                self._meter.inc("touchline_stage_records_total", stage=self.name)
                self._meter.observe("touchline_stage_batch_seconds", time.monotonic() - started, stage=self.name)
                return done

    async def _finish(self, event: Any, done: Done) -> None:
        try:
            await done
            failpoints.hit(f"{self.name}_before_ack")
            event.ack()
            self.moved_at = time.monotonic()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._die(f"{self.name}: outputs cannot be delivered: {type(error).__name__}: {error}")
        finally:
            self._room.release()

    def wait(self, what: str) -> None:
        if self.waiting_since is None:
            self.waiting_since = time.monotonic()
            _log.warning("waiting: %s", what)
        self.waiting_for = what

    def refuse(self, letters: Sequence[DeadLetter], items: int) -> list[Output]:
        """Count a batch and its refusals; the outputs that keep them. A blown fuse ends the process."""
        self._meter.inc("touchline_stage_items_total", items, stage=self.name)
        for refused in letters:
            self._meter.inc("touchline_dead_letters_total", stage=self.name, reason=refused.reason)
        try:
            self._fuse.note(items, len(letters))
        except FuseBlown as error:
            self._die(f"{self.name}: dead-letter fuse: {error}")
        return [dead_output(refused) for refused in letters]

    async def drain(self) -> None:
        """Wait for what is under way."""
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=10)


def dead_output(refused: DeadLetter) -> Output:
    """A dead letter as an output."""
    topic: TopicName = "touchpoints.dead.v1"
    return (topic, refused.letter_id, DEAD.dump_json([refused])[1:-1])


async def nothing() -> None:
    """Nothing to wait for."""
