"""A journey worker handles nothing before it knows what its predecessor told, and acks nothing it has forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from schemas.touchpoints import ACCOUNT_INPUTS
from streams.journey.blueprints import load
from streams.processors.clock import Watermark
from streams.processors.journey import Journey, Parts
from streams.processors.memory import Memory
from streams.processors.shell import Record, Stage
from streams.runtime.metrics import NoMetrics
from streams.runtime.outbox import Outbox
from streams.runtime.writer import Position
from tests.journeys import attributed

RECORD = Record(ACCOUNT_INPUTS.dump_json([attributed("e1", 0)]), ("touchpoints.attributed.v1", 0, 0))


class Acking:
    """A writer whose puts are acked at once."""

    def put(self, topic: str, key: str, item: bytes) -> asyncio.Future[Position]:
        done: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
        done.set_result((0, 1))
        return done


class Nothing:
    """A store without any account, behind a sink that has stored `stored` facts."""

    def __init__(self, stored: int) -> None:
        self.stored = stored

    async def existing(self, accounts: Sequence[str]) -> set[str]:
        return set()

    def has(self, partition: int, offset: int) -> bool:
        return self.stored >= offset


def journey(stored: int = 10) -> tuple[Journey, Memory]:
    fake: Any = Nothing(stored)
    outbox = Outbox(Acking(), pytest.fail)  # type: ignore[arg-type]
    stage = Stage("journey", outbox, NoMetrics(), pytest.fail)
    memory = Memory(100, 10_000, fake.has)
    parts = Parts(stage, load(""), memory, fake, fake, Watermark(), partitions=1)
    return Journey(parts), memory


async def test_records_that_come_before_the_assignment_is_told_wait_for_it() -> None:
    worker, memory = journey(stored=4)
    early = asyncio.create_task(worker.handle([RECORD]))
    await asyncio.sleep(0.01)
    assert not early.done()
    worker.assigned({0: 5})
    (await early).close()
    assert "crm:1" in memory.dirty, "the predecessor's facts may not be stored yet: it must be read behind the fence"


async def test_without_the_end_of_the_facts_an_account_looks_new() -> None:
    """Known bad: what happens when a record is handled with the fence of no assignment at all."""
    worker, memory = journey(stored=4)
    worker.assigned({})
    (await worker.handle([RECORD])).close()
    assert "crm:1" in memory.live and "crm:1" not in memory.dirty


async def test_a_rebalance_closes_the_gate_again() -> None:
    worker, _ = journey()
    worker.assigned({0: 5})
    worker.revoked()
    late = asyncio.create_task(worker.handle([RECORD]))
    await asyncio.sleep(0.01)
    assert not late.done()
    worker.assigned({0: 5})
    (await late).close()


async def test_what_was_under_way_at_a_rebalance_is_not_acked() -> None:
    worker, memory = journey()
    worker.assigned({0: 5})
    done = asyncio.ensure_future(await worker.handle([RECORD]))
    await asyncio.sleep(0.01)
    assert not done.done(), "the account's own row is still to be told"
    worker.assigned({0: 5})
    assert not memory.live
    with pytest.raises(asyncio.CancelledError):
        await done
