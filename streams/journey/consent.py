"""Who declined to be followed, and from when on: of an account's people, by what was said in its own touchpoints.

From the moment a person declines, in whatever source, what they do themselves is of kind `declined`, until they agree
again. What a CRM or a helpdesk records of them stays the customer's. It is a function of the set of touchpoints. Only
changes of mind are kept, so a word with every page costs nothing; who changes it too often has declined for good.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

from schemas.touchpoints import AttributedTouchpoint
from schemas.traffic import Traffic
from streams.journey.state import SortKey
from streams.matching.traffic import RECORDS, TrafficBook

MOST: Final = 101
"""Changes of mind of one person that count; odd, so that the last of them declines."""


class Consents:
    """Each person's changes of mind, earliest first: the first one declines, the next one agrees, and so on."""

    __slots__ = ("_book", "_changes")

    def __init__(self, book: TrafficBook) -> None:
        self._book = book
        self._changes: dict[str, list[SortKey]] = {}

    def __len__(self) -> int:
        """How many changes of mind are kept."""
        return sum(map(len, self._changes.values()))

    def learn(self, items: Iterable[AttributedTouchpoint]) -> None:
        """Take in touchpoints, sorted, and none that `would_change` what was judged already."""
        for item in items:
            if self.would_change(item):
                changes = self._changes.setdefault(item.attribution.person_id, [])
                if len(changes) < MOST:
                    changes.append(item.sort_key)

    def would_change(self, item: AttributedTouchpoint) -> bool:
        """Whether it says other than what stands at its place, so that what follows it is another's to judge."""
        flags = item.touchpoint.flags
        if not flags or ("declined" not in flags and "consented" not in flags):
            return False
        person = item.attribution.person_id
        if not person or self._book.of(item) not in ("customer", "declined"):
            return False
        return self._has_declined(person, item.sort_key) != ("declined" in flags)

    def traffic(self, item: AttributedTouchpoint) -> Traffic:
        """What kind of traffic it is, by itself and by what its person said before."""
        found = self._book.of(item)
        if found != "customer" or not self._changes or item.touchpoint.action in RECORDS:
            return found
        return "declined" if self._has_declined(item.attribution.person_id, item.sort_key) else found

    def counts(self, item: AttributedTouchpoint) -> bool:
        """Whether it is on the map, and under the rules."""
        return self._book.counts(self.traffic(item))

    def _has_declined(self, person: str, moment: SortKey) -> bool:
        return bisect_right(self._changes.get(person, ()), moment) % 2 == 1
