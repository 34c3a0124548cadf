"""What keeps the sink honest: a fuse for floods of refusals, and a watch for records that never came. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from schemas.errors import TouchlineError

P = TypeVar("P", bound=Hashable)


class FuseBlown(TouchlineError):
    """Most of the input is refused: that is a wrong writer or a wrong reader, not poison. People must look."""


class Fuse:
    """Blows when more than `ratio` of the last `window` items were refused, counted from `minimum` items on."""

    def __init__(self, *, ratio: float = 0.5, minimum: int = 100, window: int = 10_000) -> None:
        self._ratio = ratio
        self._minimum = minimum
        self._window = window
        self._batches: deque[tuple[int, int]] = deque()
        self._items = 0
        self._refused = 0

    def note(self, items: int, refused: int) -> None:
        """Counts a batch of `items`, `refused` of which were refused. Raises FuseBlown."""
        self._batches.append((items, refused))
        self._items += items
        self._refused += refused
        while self._batches and self._items - self._batches[0][0] >= self._window:
            gone_items, gone_refused = self._batches.popleft()
            self._items -= gone_items
            self._refused -= gone_refused
        if self._items >= self._minimum and self._refused > self._ratio * self._items:
            raise FuseBlown(f"{self._refused} of the last {self._items} items were refused")


@dataclass(frozen=True, slots=True)
class Gap(Generic[P]):
    """Records that were expected and did not come. `restarted`: offsets began anew, the topic is another one."""

    partition: P
    expected: int
    found: int

    @property
    def restarted(self) -> bool:
        return self.found < self.expected

    @property
    def lost(self) -> int:
        """How many records are missing; 0 when the topic began anew (then it is unknown)."""
        return max(0, self.found - self.expected)


class Continuity(Generic[P]):
    """Knows the offset each partition must go on with. A topic with cleanup `delete` has no holes of its own."""

    def __init__(self) -> None:
        self._expected: dict[P, int] = {}

    def knows(self, partition: P) -> bool:
        """Whether an offset is expected there."""
        return partition in self._expected

    def expect(self, partition: P, offset: int) -> None:
        """The partition goes on at `offset`."""
        self._expected[partition] = offset

    def forget(self, partition: P) -> None:
        """It is no longer ours; whoever has it may have moved on."""
        self._expected.pop(partition, None)

    def check(self, partition: P, first: int, last: int) -> Gap[P] | None:
        """Takes note of records `first`…`last`; the gap before them, if there is one."""
        expected = self._expected.get(partition)
        self._expected[partition] = last + 1
        return None if expected is None or expected == first else Gap(partition, expected, first)
