"""The accounts a writer has in memory, those that wait for a refold, and the people who have left."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from schemas.touchpoints import AttributedTouchpoint, Recall, Withdraw
from streams.journey.account import AccountJourney
from streams.journey.causes import Cause
from streams.journey.leaving import NEVER, Left
from streams.runtime.writer import Position

MAX_DEPARTED = 50_000
#: So many of the least recently used accounts are looked at in one go.
LOOK_AT_MOST = 1_000
EVERYONE = "*"


@dataclass(slots=True)
class Live:
    """An account in memory, the last thing told of it, and whether its own row is still to be told.

    `weight`: touchpoints it counts for, as of the last look. `gone`: its touchpoints that a newer mapping took away.
    """

    journey: AccountJourney
    told: asyncio.Future[Position] | None = None
    row_is_due: bool = False
    weight: int = 0
    gone: Mapping[str, Left] = field(default_factory=dict)


@dataclass(slots=True)
class Dirty:
    """Why an account waits for a refold, and with what."""

    done: asyncio.Future[None]
    causes: set[Cause] = field(default_factory=set)
    items: list[AttributedTouchpoint] = field(default_factory=list)
    withdrawn: dict[str, Left] = field(default_factory=dict)
    recalls: list[Recall] = field(default_factory=list)
    must_read: bool = False

    @property
    def can_wait(self) -> bool:
        """Whether nobody's events wait for it: only an operator asked."""
        return not self.items and all(cause.kind == "asked" for cause in self.causes)

    def withdraw(self, item: Withdraw) -> None:
        """Note that a touchpoint is another account's; of several withdrawals all hold."""
        left = Left(item.knowledge, item.mapping)
        self.withdrawn[item.event_id] = self.withdrawn.get(item.event_id, left).with_(left)


class Memory:
    """What one journey worker knows. Everything here can be rebuilt from ClickHouse and the input.

    Accounts and the touchpoints they count for are bounded. The least recently used leave first, and only those of
    which the store has everything: they are read again when something comes for them.
    """

    def __init__(self, most: int, most_touchpoints: int, stored: Callable[[int, int], bool]) -> None:
        """`stored(partition, offset)`: whether the store has the facts before that offset."""
        self._most, self._most_touchpoints, self._stored = most, most_touchpoints, stored
        self.live: OrderedDict[str, Live] = OrderedDict()
        self.dirty: dict[str, Dirty] = {}
        self.marked = asyncio.Event()
        """Is set whenever an account is marked; who waits for it clears it."""
        self.departed: OrderedDict[str, dict[str, int]] = OrderedDict()
        #: Touchpoints that a newer mapping read as another account's: older readings may still be under way.
        self.read_elsewhere: OrderedDict[tuple[str, str], Left] = OrderedDict()
        #: What left: the last word of accounts that nothing is left of. The store must have it before they are read.
        self.emptied: dict[str, asyncio.Future[Position]] = {}
        self.touchpoints = 0

    @property
    def waiting(self) -> int:
        """Touchpoints that wait for a refold of their account."""
        return sum(len(entry.items) for entry in self.dirty.values())

    @property
    def is_full(self) -> bool:
        """Whether nothing more may come in: not of accounts, of their touchpoints, nor of those that wait."""
        return self._is_above() or self.waiting > self._most_touchpoints

    def _is_above(self) -> bool:
        return len(self.live) > self._most or self.touchpoints > self._most_touchpoints

    def unknown(self, accounts: Iterable[str]) -> list[str]:
        """Accounts that are neither in memory nor about to be."""
        return [account for account in accounts if account not in self.live and account not in self.dirty]

    def use(self, account_id: str) -> Live | None:
        """An account in memory, as most recently used."""
        live = self.live.get(account_id)
        if live is not None:
            self.live.move_to_end(account_id)
        return live

    def keep(self, account_id: str, live: Live) -> None:
        """An account comes into memory, as most recently used."""
        self.forget(account_id)
        self.live[account_id] = live
        self.weigh(live)

    def weigh(self, live: Live) -> None:
        """Count an account for what it takes now; one alone never for so much that it drives all others out."""
        weight = min(live.journey.weight + len(live.gone) // 3, self._most_touchpoints // 4)
        self.touchpoints += weight - live.weight
        live.weight = weight

    def forget(self, account_id: str) -> None:
        """An account leaves; nothing happens when it is not there."""
        live = self.live.pop(account_id, None)
        if live is not None:
            self.touchpoints -= live.weight
            live.weight = 0

    def mark_dirty(self, account_id: str, cause: Cause, *, must_read: bool = False) -> Dirty:
        """Mark an account for a refold."""
        entry = self.dirty.get(account_id)
        if entry is None:
            entry = self.dirty[account_id] = Dirty(asyncio.get_running_loop().create_future())
        entry.causes.add(cause)
        entry.must_read = entry.must_read or must_read
        self.marked.set()
        return entry

    def depart(self, recall: Recall) -> None:
        """From now on these people's touchpoints, attributed with less knowledge, are not taken in here."""
        people = self.departed.setdefault(recall.account_id, {})
        for person_id in recall.person_ids or (EVERYONE,):
            people[person_id] = max(people.get(person_id, 0), recall.knowledge)
        self.departed.move_to_end(recall.account_id)
        while len(self.departed) > MAX_DEPARTED:
            self.departed.popitem(last=False)

    def leave(self, item: Withdraw) -> None:
        """From now on no older reading of this touchpoint is taken in here."""
        if item.mapping > 1:
            self.read_elsewhere[item.account_id, item.event_id] = Left(item.knowledge, item.mapping)
            while len(self.read_elsewhere) > MAX_DEPARTED:
                self.read_elsewhere.popitem(last=False)

    def is_outread(self, item: AttributedTouchpoint) -> bool:
        """Whether a newer mapping read this touchpoint as another account's, or as nothing.

        The store may have said so to an account when it came into memory: `read_elsewhere` has only what came since
        the worker started.
        """
        if self.read_elsewhere.get((item.account_id, item.event_id), NEVER).is_newer_than(item):
            return True
        live = self.live.get(item.account_id)
        return live is not None and live.gone.get(item.event_id, NEVER).is_newer_than(item)

    def left_at(self, item: AttributedTouchpoint) -> int:
        """The knowledge a touchpoint must have to be taken in; 0 when anything goes."""
        people = self.departed.get(item.account_id)
        if not people:
            return 0
        return max(people.get(item.attribution.person_id, 0), people.get(EVERYONE, 0))

    def shrink(self) -> int:
        """Forget the least recently used accounts that are above the bounds and wholly stored; how many."""
        forgotten = 0
        for account_id in list(islice(self.live, LOOK_AT_MOST)) if self._is_above() else ():
            if not self._is_above():
                break
            if self._is_stored(self.live[account_id]):
                self.forget(account_id)
                forgotten += 1
        for account_id in list(islice(self.emptied, max(len(self.emptied) - self._most, 0))):
            if self._has(self.emptied[account_id]):
                del self.emptied[account_id]
        return forgotten

    def oldest_unstored(self) -> Live | None:
        """The least recently used account that the store has not everything of, when Kafka has or will have it."""
        first = islice(self.live.values(), LOOK_AT_MOST)
        return next((live for live in first if live.told is not None and not self._has(live.told)), None)

    def _is_stored(self, live: Live) -> bool:
        return not live.row_is_due and (live.told is None or self._has(live.told))

    def _has(self, told: asyncio.Future[Position]) -> bool:
        if not told.done() or told.cancelled() or told.exception() is not None:
            return False
        partition, offset = told.result()
        return self._stored(partition, offset + 1)

    def clear(self) -> None:
        """Partitions changed hands: forget all; unfinished input is not acked and comes again."""
        for entry in self.dirty.values():
            entry.done.cancel()
        self.live.clear()
        self.touchpoints = 0
        self.dirty.clear()
        self.departed.clear()
        self.read_elsewhere.clear()
        self.emptied.clear()
