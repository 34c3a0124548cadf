"""The accounts a writer has in memory, those that wait for a refold, and the people who have left."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from schemas.touchpoints import AttributedTouchpoint, Recall
from streams.journey.account import AccountJourney
from streams.journey.causes import Cause
from streams.transport.writer import Position

MAX_DEPARTED = 50_000
EVERYONE = "*"


@dataclass(slots=True)
class Live:
    """An account in memory and the last thing told of it."""

    journey: AccountJourney
    told: asyncio.Future[Position] | None = None


@dataclass(slots=True)
class Dirty:
    """Why an account waits for a refold, and with what."""

    done: asyncio.Future[None]
    causes: set[Cause] = field(default_factory=set)
    items: list[AttributedTouchpoint] = field(default_factory=list)
    withdrawn: dict[str, int] = field(default_factory=dict)
    recalls: list[Recall] = field(default_factory=list)
    must_read: bool = False

    @property
    def can_wait(self) -> bool:
        """Whether nobody's events wait for it: only an operator asked."""
        return not self.items and all(cause.kind == "asked" for cause in self.causes)


class Memory:
    """What one journey worker knows. Everything here can be rebuilt from ClickHouse and the input."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.live: OrderedDict[str, Live] = OrderedDict()
        self.dirty: dict[str, Dirty] = {}
        self.departed: OrderedDict[str, dict[str, int]] = OrderedDict()
        #: What left: the last word of accounts that nothing is left of. The store must have it before they are read.
        self.emptied: dict[str, asyncio.Future[Position]] = {}

    def unknown(self, accounts: Iterable[str]) -> list[str]:
        """Accounts that are neither in memory nor about to be."""
        return [account for account in accounts if account not in self.live and account not in self.dirty]

    def use(self, account_id: str) -> Live | None:
        """An account in memory, as most recently used."""
        live = self.live.get(account_id)
        if live is not None:
            self.live.move_to_end(account_id)
        return live

    def soil(self, account_id: str, cause: Cause, *, must_read: bool = False) -> Dirty:
        """Mark an account for a refold."""
        entry = self.dirty.get(account_id)
        if entry is None:
            entry = self.dirty[account_id] = Dirty(asyncio.get_running_loop().create_future())
        entry.causes.add(cause)
        entry.must_read = entry.must_read or must_read
        return entry

    def depart(self, recall: Recall) -> None:
        """From now on these people's touchpoints, attributed with less knowledge, are not taken in here."""
        people = self.departed.setdefault(recall.account_id, {})
        for person_id in recall.person_ids or (EVERYONE,):
            people[person_id] = max(people.get(person_id, 0), recall.knowledge)
        self.departed.move_to_end(recall.account_id)
        while len(self.departed) > MAX_DEPARTED:
            self.departed.popitem(last=False)

    def left_at(self, item: AttributedTouchpoint) -> int:
        """The knowledge a touchpoint must have to be taken in; 0 when anything goes."""
        people = self.departed.get(item.account_id)
        if not people:
            return 0
        return max(people.get(item.attribution.person_id, 0), people.get(EVERYONE, 0))

    def shrink(self) -> dict[int, int]:
        """Forget the least recently used accounts, those whose last word Kafka has.

        Returns, by partition, the offset that must be stored before a forgotten account may be read again.
        """
        ends: dict[int, int] = {}
        for account_id in list(islice(self.live, max(len(self.live) - self._most, 0))):
            if _is_over(self.live[account_id].told, ends):
                del self.live[account_id]
        for account_id in list(islice(self.emptied, max(len(self.emptied) - self._most, 0))):
            if _is_over(self.emptied[account_id], ends):
                del self.emptied[account_id]
        return ends

    def clear(self) -> None:
        """Partitions changed hands: forget all; unfinished input is not acked and comes again."""
        for entry in self.dirty.values():
            entry.done.cancel()
        self.live.clear()
        self.dirty.clear()
        self.departed.clear()
        self.emptied.clear()


def _is_over(told: asyncio.Future[Position] | None, ends: dict[int, int]) -> bool:
    """Whether Kafka has the last word of an account; notes where it ends."""
    if told is not None and not told.done():
        return False
    if told is not None and not told.cancelled() and told.exception() is None:
        partition, offset = told.result()
        ends[partition] = max(ends.get(partition, 0), offset + 1)
    return True
