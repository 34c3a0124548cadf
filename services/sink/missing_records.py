"""A watch for records that never came. Pure."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

P = TypeVar("P", bound=Hashable)


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
