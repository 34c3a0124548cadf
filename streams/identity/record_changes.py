"""What became of the CRM's records: accounts and contacts that were deleted, restored, or made one with another.

A set of what was told, and every answer follows from the times in it: the latest word counts, so the order in which
it was learned never shows. A record that was merged into another shares that one's fate; its own deletion, which
some CRMs tell after the merge, says nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from sys import intern
from typing import Literal

from schemas.links import RecordChange

NEVER = datetime.max.replace(tzinfo=UTC)

Gap = tuple[datetime, datetime]
"""A time in which a record was gone: after the first moment, until the second."""
Rank = tuple[datetime, str]
"""(time, event): of two the higher one is the later word."""


@dataclass(slots=True, eq=False)
class _Told:
    """A change as it is kept: a fifth of the memory of a link."""

    how: Literal["removed", "restored", "merged"]
    into: str
    since: datetime
    evidence: str
    source: str

    @property
    def rank(self) -> Rank:
        return (self.since, self.evidence)

    def link(self, record: str) -> RecordChange:
        return RecordChange(
            record=record, how=self.how, into=self.into, since=self.since, evidence=self.evidence, source=self.source
        )

    def is_about(self, change: RecordChange) -> bool:
        """Whether both are links with one id."""
        return (self.how, self.into, self.since) == (change.how, change.into, change.since)


class Records:
    """By account id or alias of a contact; those that only exist are not in it."""

    def __init__(self) -> None:
        self._changes: dict[str, tuple[_Told, ...]] = {}
        self._merged: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._changes)

    def known(self, change: RecordChange) -> RecordChange | None:
        """The link with this id, as it is known."""
        same = (told for told in self._changes.get(change.record, ()) if told.is_about(change))
        return next((told.link(change.record) for told in same), None)

    def knows(self, change: RecordChange) -> bool:
        """Whether nothing new would be learned from it."""
        known = self.known(change)
        return known is not None and not change.outdoes(known)

    def add(self, change: RecordChange) -> None:
        """Take it in, unless nothing new is learned."""
        if self.knows(change):
            return
        record, into = intern(change.record), intern(change.into)
        others = [told for told in self._changes.get(record, ()) if not told.is_about(change)]
        new = _Told(change.how, into, change.since, change.evidence, intern(change.source))
        self._changes[record] = tuple(sorted([*others, new], key=lambda told: told.rank))
        if into:
            self._merged.setdefault(into, set()).add(record)

    def retell(self, change: RecordChange) -> None:
        """Put a link in the place of what was known of it, or, retracted, nothing."""
        rest = tuple(told for told in self._changes.pop(change.record, ()) if not told.is_about(change))
        if rest:
            self._changes[change.record] = rest
        if not change.retracted:
            self.add(change)

    def names(self) -> Iterator[str]:
        """Every record that anything became of, or that others were made one with."""
        yield from self._changes
        yield from self._merged

    def links(self, record: str) -> Iterator[RecordChange]:
        """What became of it, and of what was made one with it."""
        yield from (told.link(record) for told in self._changes.get(record, ()))
        for other in sorted(self._merged.get(record, ())):
            yield from (told.link(other) for told in self._changes.get(other, ()) if told.into == record)

    def survivor(self, record: str) -> str:
        """The record that this one is now: itself, or what it was merged into, and that one in turn."""
        if not self._changes:
            return record
        way = [record]
        while (into := self._into(way[-1])) and into not in way:
            way.append(into)
        return min(way[way.index(into) :]) if into else way[-1]  # merged in a circle: any of them, but one and the same

    def gaps(self, record: str) -> tuple[Gap, ...]:
        """When it was gone: from each deletion, also of what was gone already, to the next restoration."""
        return tuple(self._gaps(record)) if self._changes else ()

    def gone(self, record: str) -> Rank | None:
        """When it was deleted, if it is gone now."""
        if not self._changes:
            return None
        last = self._last(self.survivor(record), "removed", "restored")
        return last.rank if last is not None and last.how == "removed" else None

    def family(self, record: str) -> set[str]:
        """Every record whose fate depends on this one's: itself, and what was ever merged into it or those."""
        found, waiting = set[str](), [record]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self._merged.get(name, ())
        return found

    def _into(self, record: str) -> str:
        last = self._last(record, "merged", "restored")
        return last.into if last is not None else ""

    def _last(self, record: str, *how: str) -> _Told | None:
        return next((told for told in reversed(self._changes.get(record, ())) if told.how in how), None)

    def _gaps(self, record: str) -> Iterator[Gap]:
        back_at = NEVER
        for told in reversed(self._changes.get(self.survivor(record), ())):
            if told.how == "restored":
                back_at = told.since
            elif told.how == "removed":
                yield (told.since, back_at)
