"""An account that a refold emptied stays empty, however little of that the store has when more comes for it."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import patch

from schemas.facts import FACTS
from schemas.touchpoints import AttributedTouchpoint, Withdraw
from streams.journey.blueprints import load
from streams.processors import journey as journey_module
from streams.processors.memory import Memory
from streams.processors.shell import Record
from streams.runtime.writer import partition_of
from tests.journeys import AS_OF, attributed
from tests.pipeline import PARTITIONS, Pipeline

ACCOUNT = "crm:1"
PARTITION = partition_of(ACCOUNT, PARTITIONS)


def test_a_repeated_withdrawal_does_not_bring_it_back() -> None:
    assert emptied_and_told_again() == (0, True)


def test_without_its_last_word_the_check_fails() -> None:
    """Known bad: the refold forgets what it told of an account that it emptied, and reads half of it."""
    with patch.object(Memory, "__init__", _forgetful):
        assert emptied_and_told_again() != (0, True)


def emptied_and_told_again() -> tuple[int, bool]:
    """Three touchpoints, withdrawn; one withdrawal comes again when the sink has stored the first tombstone only."""

    async def play() -> tuple[int, bool]:
        pipeline, events = Pipeline(load(), AS_OF, 1), ("e1", "e2", "e3")
        try:
            await _give(pipeline, 0, *(attributed(event, n) for n, event in enumerate(events)))
            await _store_all(pipeline)
            await _give(pipeline, 3, *(_withdraw(event) for event in events))
            log = pipeline.topics.logs["journey.facts.v1", PARTITION]
            first = next(offset for offset, value in enumerate(log) if b"tombstone" in value)
            for fact in FACTS.validate_json(log[first]):
                pipeline.store.apply(fact)
            pipeline.progress.applied[PARTITION] = first + 1
            await _give(pipeline, 6, _withdraw("e2"))
            await _store_all(pipeline)
            await _settle()
            await _store_all(pipeline)
            own = pipeline.store.accounts[ACCOUNT]
            return own.touchpoints, own.deleted
        finally:
            await pipeline.close()

    with patch.object(journey_module, "ROWS_EVERY_S", 0.0):
        return asyncio.run(play())


def _withdraw(event_id: str) -> Withdraw:
    return Withdraw(account_id=ACCOUNT, event_id=event_id, to_account_id="crm:2", knowledge=5)


async def _give(pipeline: Pipeline, offset: int, *items: AttributedTouchpoint | Withdraw) -> None:
    records = [
        Record(b"[" + item.encoded() + b"]", ("touchpoints.attributed.v1", PARTITION, offset + n))
        for n, item in enumerate(items)
    ]
    asyncio.ensure_future(await pipeline.journey.handle(records))  # noqa: RUF006 - the pipeline is closed with the test
    await _settle()


async def _settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0.005)


async def _store_all(pipeline: Pipeline) -> None:
    while pipeline._unstored():
        await pipeline._sink()


_init = Memory.__init__


class _Deaf(dict[str, Any]):
    def __setitem__(self, key: str, value: object) -> None:
        return


def _forgetful(self: Memory, *bounds: Any) -> None:
    _init(self, *bounds)
    self.emptied = _Deaf()
