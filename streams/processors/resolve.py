"""resolve: clean touchpoints in, attributed ones out; links are learned on the way, recalled ones attributed again.

Both share a process. A recall may bring 100,000 touchpoints at once; they are worked off in slices, and while live
ones come, at a rate that leaves these most of the processor, here and behind.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from operator import attrgetter

from schemas.links import Erasure, Link, supersedes
from schemas.topics import TopicName
from schemas.touchpoints import (
    CLEAN,
    RECALLED,
    AttributedTouchpoint,
    CleanTouchpoint,
    Recalled,
    Withdraw,
)
from streams.identity.erasures import CAUSE
from streams.identity.late_erasures import late_ids
from streams.processors.links import LinksReader, published
from streams.processors.shell import Done, Record, Stage
from streams.processors.turns import Turn
from streams.runtime.outbox import Output

INPUT: TopicName = "touchpoints.clean.v1"
RECALLED_INPUT: TopicName = "touchpoints.recalled.v1"
OUTPUT: TopicName = "touchpoints.attributed.v1"
SLICE = 100
#: Of recalled touchpoints while live ones come: 100,000 take three quarters of a minute.
RECALLED_PER_S = 2_700
LIVE_FOR_S = 0.5


class Resolve:
    """Teaches the links topic what a record says first, waits until it is known here too, then attributes."""

    def __init__(self, stage: Stage, links: LinksReader) -> None:
        self._stage = stage
        self._links = links
        self._last_at = -LIVE_FOR_S

    @property
    def is_busy(self) -> bool:
        """Whether live touchpoints have come of late."""
        return time.monotonic() - self._last_at < LIVE_FOR_S

    async def handle(self, records: Sequence[Record]) -> Done:
        """Records of clean touchpoints."""
        self._last_at = time.monotonic()
        found = self._stage.read(records, CLEAN)
        told = [self._links.directories.touchpoint(touchpoint) for touchpoint in found.items]
        await self._teach(told)  # of others than who was erased, too: a link is judged by itself, whenever it comes
        touchpoints = self._kept(told)
        # records of several partitions, told in the order of events: an account's writer then need not step again
        in_order = sorted(touchpoints, key=attrgetter("ordered_at"))
        outputs, turn = list[Output](), Turn()
        for touchpoint in in_order:
            for kept in self._kept([touchpoint]):  # asked again: what was learned meanwhile may be an erasure
                outputs.append(_attributed(self._attribute(kept)))
            await turn.give_way()
        outputs += self._stage.refuse(found.letters, len(found.items) + len(found.letters))
        return self._stage.outbox.acked(outputs, self._stage.outbox.put(outputs))

    def _kept(self, touchpoints: list[CleanTouchpoint]) -> list[CleanTouchpoint]:
        """Without those of people and accounts that were erased; counted by source."""
        ledger = self._links.knowledge.ledger
        if not ledger:
            return touchpoints
        kept = [touchpoint for touchpoint in touchpoints if not ledger.covers(touchpoint)]
        for source, gone in (Counter(t.source for t in touchpoints) - Counter(t.source for t in kept)).items():
            self._stage.ignore(source, "erased", gone)
        return kept

    async def _teach(self, touchpoints: Iterable[CleanTouchpoint]) -> None:
        """Publish new links and wait until they are known; an event is attributed with what it taught itself.

        Ids that turn out to be an erased person's go first: a link that is known says nothing any more.
        """
        news, erased = dict[str, Link](), dict[str, Erasure]()
        turn = Turn()
        for touchpoint in touchpoints:
            await turn.give_way()
            erased |= {one.link_id: one for one in late_ids(self._links.knowledge, touchpoint)}
            for link in self._links.knowledge.learn(touchpoint):
                known = news.get(link.link_id)
                if known is None or supersedes(link, known):
                    news[link.link_id] = link
        if told := [*erased.values(), *news.values()]:
            positions = await self._stage.outbox.deliver([published(link) for link in told], at_once=True)
            await self._links.wait_for(max(offset for _, offset in positions) + 1)

    def _attribute(self, touchpoint: CleanTouchpoint, judged: int = 1) -> AttributedTouchpoint:
        """`judged`: the newest reading that was judged before; what is judged now is to stand beside it."""
        knowledge = self._links.knowledge
        attribution = knowledge.attribute(touchpoint)
        if (mapping := max(touchpoint.mapping, judged)) > 1:
            attribution = attribution.changed(mapping=mapping)
        return AttributedTouchpoint(touchpoint=touchpoint, attribution=attribution, knowledge=knowledge.position)


class Reattribute(Resolve):
    """Attributes touchpoints again that an account's writer sent back."""

    def __init__(self, stage: Stage, links: LinksReader, live: Resolve | None = None) -> None:
        """`live` has the right of way."""
        super().__init__(stage, links)
        self._live = live

    async def handle(self, records: Sequence[Record]) -> Done:
        """Records of recalled touchpoints."""
        found = self._stage.read(records, RECALLED)
        await self._links.wait_for(max((recalled.knowledge for recalled in found.items), default=0))
        knowledge = self._links.knowledge
        if knowledge.retold or knowledge.ledger:  # they may be evidence for what was told anew, or is from later
            read = [self._links.directories.touchpoint(recalled.item.touchpoint) for recalled in found.items]
            await self._teach(read)
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
        is_busy = self._live is not None and self._live.is_busy
        await asyncio.sleep(max(worked_s, SLICE / RECALLED_PER_S - worked_s) if is_busy else 0)

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
            )
            return [(OUTPUT, item.account_id, gone.encoded())]
        now = self._attribute(touchpoint, item.attribution.mapping)
        if now.attribution.decides_like(recalled.item.attribution) and not recalled.refused:
            return []
        outputs = [_attributed(now.changed(cause=recalled.cause))]
        before = recalled.item.account_id
        if now.account_id != before:
            withdraw = Withdraw(
                account_id=before,
                event_id=now.event_id,
                to_account_id=now.account_id,
                knowledge=now.knowledge,
                cause=recalled.cause,
            )
            outputs.append((OUTPUT, before, withdraw.encoded()))
        return outputs


def _attributed(item: AttributedTouchpoint) -> Output:
    return (OUTPUT, item.account_id, item.encoded())
