"""Whose touchpoints are: what they say is published as links first, and is known here before they are attributed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from operator import attrgetter

from schemas.links import Erasure, Link, supersedes
from schemas.topics import TopicName
from schemas.touchpoints import AttributedTouchpoint, CleanTouchpoint
from streams.identity.late_erasures import late_ids
from streams.processors.links import LinksReader, published
from streams.processors.shell import Stage
from streams.processors.turns import Turn
from streams.runtime import failpoints
from streams.runtime.outbox import Output

OUTPUT: TopicName = "touchpoints.attributed.v1"
LIVE_FOR_S = 0.5


class Attributor:
    """Publishes what touchpoints say of identities, waits until it is known here too, then attributes them.

    One a worker; what comes in, what was parked and what is recalled may use it at the same time.
    """

    def __init__(self, stage: Stage, links: LinksReader) -> None:
        self._stage = stage
        self.links = links
        self._last_at = -LIVE_FOR_S

    @property
    def is_busy(self) -> bool:
        """Whether live touchpoints have come of late."""
        return time.monotonic() - self._last_at < LIVE_FOR_S

    async def attributed(self, touchpoints: Sequence[CleanTouchpoint]) -> list[Output]:
        """Touchpoints as the accounts' writers take them; without those of people and accounts that were erased."""
        if not touchpoints:
            return []
        self._last_at = time.monotonic()
        read = [self.links.directories.touchpoint(touchpoint) for touchpoint in touchpoints]
        await self.publish(read)  # of others than who was erased, too: a link is judged by itself, whenever it comes
        # records of several partitions, sent in the order of events: an account's writer then need not step again
        in_order = sorted(self._kept(read), key=attrgetter("ordered_at"))
        outputs, turn = list[Output](), Turn()
        for touchpoint in in_order:
            for kept in self._kept([touchpoint]):  # asked again: what was learned meanwhile may be an erasure
                outputs.append(output_of(self.attribute(kept)))
            await turn.give_way()
        return outputs

    def attribute(self, touchpoint: CleanTouchpoint, judged: int = 1) -> AttributedTouchpoint:
        """By what is known now.

        `judged`: the newest reading that was judged before; what is judged now is to stand beside it.
        """
        knowledge = self.links.knowledge
        attribution = knowledge.attribute(touchpoint)
        if touchpoint.staff:  # it is known by now, and they are not who this is of: erasing them must not need it
            touchpoint = touchpoint.changed(staff={})
        if (mapping := max(touchpoint.mapping, judged)) > 1:
            attribution = attribution.changed(mapping=mapping)
        return AttributedTouchpoint(touchpoint=touchpoint, attribution=attribution, knowledge=knowledge.position)

    async def publish(self, touchpoints: Iterable[CleanTouchpoint]) -> None:
        """Publish new links and wait until they are known; an event is attributed with what it taught itself.

        Ids that turn out to be an erased person's go first: a link that is known says nothing any more.
        """
        news, erased = dict[str, Link](), dict[str, Erasure]()
        turn = Turn()
        for touchpoint in touchpoints:
            await turn.give_way()
            erased |= {one.link_id: one for one in late_ids(self.links.knowledge, touchpoint)}
            for link in self.links.knowledge.learn(touchpoint):
                known = news.get(link.link_id)
                if known is None or supersedes(link, known):
                    news[link.link_id] = link
        if sent := [*erased.values(), *news.values()]:
            positions = await self._stage.outbox.deliver([published(link) for link in sent], at_once=True)
            failpoints.hit("attribute_after_links")
            await self.links.wait_for(max(offset for _, offset in positions) + 1)

    def _kept(self, touchpoints: list[CleanTouchpoint]) -> list[CleanTouchpoint]:
        """Without those of people and accounts that were erased; counted by source."""
        ledger = self.links.knowledge.ledger
        if not ledger:
            return touchpoints
        kept = [touchpoint for touchpoint in touchpoints if not ledger.covers(touchpoint)]
        for source, gone in (Counter(t.source for t in touchpoints) - Counter(t.source for t in kept)).items():
            self._stage.ignore(source, "erased", gone)
        return kept


def output_of(item: AttributedTouchpoint) -> Output:
    """A touchpoint on its way to its account's writer."""
    return (OUTPUT, item.account_id, item.encoded())
