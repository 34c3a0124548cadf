"""What waits of the sources that are set aside, and when one of them is tried again. Pure.

A backlog is what the parked topic holds of a source from a position on. A trial reads the newest requests without
consequences: they show whether the sender, or our mapping, has been mended. When most of them can be read, the source
is resumed; until then each trial waits twice as long as the one before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from schemas.base import EPOCH
from schemas.parking import Backlog, Parked, Standing
from streams.processors.mapper import Reading

TRIAL_REQUESTS: Final = 50
TRIAL_BYTES: Final = 4 << 20
"""Of their bodies, that are kept in memory; at least the newest request is."""
TRIAL_REFUSED_AT_MOST: Final = 0.25
"""Less than what sets a source aside, so that one near the line does not come and go."""
FIRST_TRIAL: Final = timedelta(seconds=30)
LAST_TRIAL: Final = timedelta(minutes=15)
SOON: Final = timedelta(hours=1)
"""Set aside again so soon after a trial, the pauses go on where they were."""
PASSES: Final = 3
"""A source that sends faster than what waits of it can be read is not kept aside for that."""


@dataclass(slots=True)
class Waiting:
    """A source's backlog in the hands of the leader. `position`: what lies before is read."""

    source: str
    partition: int
    position: int
    end: int = 0
    requests: int = 0
    oldest_at: datetime | None = None
    lost: int = 0
    tries: int = 0
    tried_at: datetime = EPOCH
    expected: int = 0
    """What was counted before retention took some of it; 0: nothing was taken."""
    newest: deque[Parked] = field(default_factory=deque)
    is_news: bool = True
    """Whether something came since the last trial, or nobody here has tried yet."""
    goal: int = -1
    passes: int = 0
    _newest_size: int = 0
    _seen: Places = field(default_factory=lambda: Places())
    _read: Places = field(default_factory=lambda: Places())

    @classmethod
    def of(cls, known: Backlog, partition: int, first: int) -> Waiting:
        """As it was published, to be counted anew. `first`: the oldest record there is in its partition."""
        is_cut = known.is_waiting and known.position < first
        return cls(
            source=known.source,
            partition=partition,
            position=max(known.position, first),
            lost=known.lost,
            tries=known.tries,
            tried_at=known.tried_at,
            expected=known.requests if is_cut else 0,
        )

    def add(self, items: Iterable[Parked], offset: int, parked_at: datetime) -> None:
        """The requests of this source in the record there."""
        self.end = offset + 1
        for item in items:
            if self._seen.is_new(item):
                self.requests += 1
                self.oldest_at = self.oldest_at or parked_at
                self._keep(item)

    def _keep(self, item: Parked) -> None:
        self.newest.append(item)
        self._newest_size += len(item.request.body)
        while len(self.newest) > TRIAL_REQUESTS or (self._newest_size > TRIAL_BYTES and len(self.newest) > 1):
            self._newest_size -= len(self.newest.popleft().request.body)
        self.is_news = True

    def counted(self) -> int:
        """All that was reported has been looked at: how many requests retention took, where it took any."""
        lost, self.expected = max(self.expected - self.requests, 0) if self.expected else 0, 0
        self.lost += lost
        return lost

    def read(self, items: Iterable[Parked], position: int, parked_at: datetime) -> None:
        """These, before `position` and parked then, are read."""
        self.position = position
        self.requests = max(self.requests - sum(self._read.is_new(item) for item in items), 0)
        self.oldest_at = parked_at if self.position < self.end else None

    def is_through(self, end: int) -> bool:
        """Whether all is read up to `end`, or as often as it takes to say that the rest is read while it flows."""
        if self.position >= end:
            return True
        if self.position >= self.goal:
            self.passes += self.goal >= 0
            self.goal = end
        return self.passes >= PASSES

    def tried(self, standing: Standing, now: datetime) -> None:
        """There was a trial."""
        self.tries, self.tried_at, self.is_news = tries_of(standing, self) + 1, now, False

    def report(self) -> Backlog:
        """As it is published."""
        return Backlog(
            source=self.source,
            position=self.position,
            end=self.end,
            requests=self.requests,
            oldest_at=self.oldest_at,
            lost=self.lost,
            tries=self.tries,
            tried_at=self.tried_at,
        )


class Places:
    """Knows requests that were parked twice, because a process ended before it could commit.

    They come again soon after: it is enough to remember the latest. What an operator sends once more has a place of its
    own in the raw topic, and is a request of its own.
    """

    REMEMBERED: Final = 20_000

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, int], None] = {}

    def is_new(self, item: Parked) -> bool:
        """Whether its place has not been seen of late."""
        place = (item.partition, item.offset, item.index)
        if place in self._known:
            return False
        self._known[place] = None
        if len(self._known) > self.REMEMBERED:
            del self._known[next(iter(self._known))]
        return True


def tries_of(standing: Standing, waiting: Waiting) -> int:
    """How many trials count for the next pause."""
    return waiting.tries if standing.since - waiting.tried_at < SOON else 0


def pause_before_trial(tries: int) -> timedelta:
    """How long the next trial waits after so many."""
    return min(FIRST_TRIAL * (1 << min(tries, 20)), LAST_TRIAL)


def is_due(standing: Standing, waiting: Waiting, now: datetime) -> bool:
    """Whether to try a source now."""
    begun = max(standing.since, waiting.tried_at)
    return waiting.is_news and now - begun >= pause_before_trial(tries_of(standing, waiting))


@dataclass(slots=True)
class Trial:
    """Requests read without consequences."""

    messages: int = 0
    refused: int = 0

    def add(self, reading: Reading) -> None:
        """Count what one of them would have become."""
        self.messages += reading.messages
        self.refused += len(reading.letters)

    @property
    def verdict(self) -> str:
        """Why the source may be resumed; empty when it may not."""
        if not self.messages or self.refused > TRIAL_REFUSED_AT_MOST * self.messages:
            return ""
        return f"a trial could read {self.messages - self.refused:,} of the newest {self.messages:,} messages"
