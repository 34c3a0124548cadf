"""Touchpoints that an account's writer sent back are attributed again, beside those that come in.

A recall may bring 100,000 touchpoints at once; they are worked off in slices, and while live ones come, at a rate that
leaves these most of the processor, here and behind.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from schemas.topics import TopicName
from schemas.touchpoints import RECALLED, CleanTouchpoint, Recalled, Withdraw
from streams.identity.erasures import CAUSE
from streams.processors.attributor import OUTPUT, Attributor, output_of
from streams.processors.shell import Done, Record, Stage
from streams.runtime.outbox import Output

INPUT: TopicName = "touchpoints.recalled.v1"
SLICE = 100
#: Of recalled touchpoints while live ones come: 100,000 take three quarters of a minute.
RECALLED_PER_S = 2_700


class Reattribute:
    """Attributes touchpoints again that an account's writer sent back."""

    def __init__(self, stage: Stage, by: Attributor) -> None:
        """What comes to `by` live has the right of way."""
        self._stage, self._by, self._links = stage, by, by.links

    async def handle(self, records: Sequence[Record]) -> Done:
        """Records of recalled touchpoints."""
        found = self._stage.read(records, RECALLED)
        await self._links.wait_for(max((recalled.knowledge for recalled in found.items), default=0))
        knowledge = self._links.knowledge
        if knowledge.retold or knowledge.ledger:  # they may be evidence for what was written anew, or is from later
            read = [self._links.directories.touchpoint(recalled.item.touchpoint) for recalled in found.items]
            await self._by.publish(read)
        outputs = self._stage.refuse(found.letters, len(found.items) + len(found.letters))
        futures = self._stage.outbox.put(outputs)
        for start in range(0, len(found.items), SLICE):
            began = time.monotonic()
            moved = [output for recalled in found.items[start : start + SLICE] for output in self._moved(recalled)]
            futures += self._stage.outbox.put(moved)
            outputs += moved
            await self._give_way(time.monotonic() - began)
        return self._stage.outbox.acked(outputs, futures)

    async def _give_way(self, worked_s: float) -> None:
        await asyncio.sleep(max(worked_s, SLICE / RECALLED_PER_S - worked_s) if self._by.is_busy else 0)

    def _moved(self, recalled: Recalled) -> list[Output]:
        """Nothing when all stays as it was; else the new attribution, and the old account's leave to forget."""
        item = recalled.item
        touchpoint, knowledge = self._links.directories.touchpoint(item.touchpoint), self._links.knowledge
        if knowledge.ledger.covers(touchpoint):
            gone = Withdraw(
                account_id=item.account_id,
                event_id=item.event_id,
                to_account_id="",
                knowledge=knowledge.position,
                cause=CAUSE,
                mapping=_mapping(touchpoint),
            )
            return [(OUTPUT, item.account_id, gone.encoded())]
        now = self._by.attribute(touchpoint, item.attribution.mapping)
        if now.attribution.decides_like(recalled.item.attribution) and not recalled.refused:
            return []
        outputs = [output_of(now.changed(cause=recalled.cause))]
        before = recalled.item.account_id
        if now.account_id != before:
            withdraw = Withdraw(
                account_id=before,
                event_id=now.event_id,
                to_account_id=now.account_id,
                knowledge=now.knowledge,
                cause=recalled.cause,
                mapping=_mapping(touchpoint),
            )
            outputs.append((OUTPUT, before, withdraw.encoded()))
        return outputs


def _mapping(touchpoint: CleanTouchpoint) -> int:
    """Which reading moves: one that a newer mapping made since moves by itself."""
    return touchpoint.mapping if touchpoint.read_anew else 1
