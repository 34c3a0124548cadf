"""Two readings of one request in two accounts: the older one leaves, whichever is stored first.

A new version may begin while records that the old one read are still on their way, and a request may come again and
be read anew meanwhile. Neither account knows of the other. So whoever tells a reading that is not the only one there
may be looks, once the store has it, for the other one: of two, the one that is stored later finds both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from schemas.errors import TransientError
from schemas.topics import TopicName
from schemas.touchpoints import AttributedTouchpoint
from streams.journey.leaving import outread
from streams.processors.history import Histories
from streams.processors.shell import Stage
from streams.runtime.outbox import Output

INPUT: TopicName = "touchpoints.attributed.v1"
RETRY_S = 0.5
_WHO = "readings"


@dataclass(frozen=True, slots=True)
class Readings:
    """`mappings`: source → version of the mapping that reads it now; those that are not named are read by the first."""

    stage: Stage
    histories: Histories
    mappings: Mapping[str, int]

    def others_may_be(self, item: AttributedTouchpoint) -> bool:
        """Whether the request it came from may have been read by another mapping, too."""
        touchpoint = item.touchpoint
        return touchpoint.read_anew or touchpoint.mapping < self.mappings.get(touchpoint.source, 1)

    async def settle(
        self, items: Iterable[AttributedTouchpoint], stored: Callable[[Iterable[str]], Awaitable[None]]
    ) -> None:
        """Withdraw the older ones of two readings, once these are `stored` in their accounts; tries for ever."""
        told = [item for item in items if self.others_may_be(item)]
        while told:
            try:
                await stored({item.account_id for item in told})
                await self.call_back(told, [])
            except TransientError as error:
                self.stage.waits.wait(_WHO, str(error))
                await asyncio.sleep(RETRY_S)
            else:
                self.stage.waits.go_on(_WHO)
                return

    async def call_back(self, about: Iterable[AttributedTouchpoint], coming: Iterable[AttributedTouchpoint]) -> None:
        """Withdraw what an older mapping read of the same requests from the accounts it was put in.

        `coming`: readings that are not stored yet. Raises StoreUnavailable.
        """
        there = await self.histories.copies(item.event_id for item in about)
        outputs: list[Output] = [
            (INPUT, w.account_id, w.encoded()) for w in outread([*there.items, *coming], there.left)
        ]
        await self.stage.outbox.acked(outputs, self.stage.outbox.put(outputs))
