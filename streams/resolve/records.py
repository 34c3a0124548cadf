"""What became of the CRM's records: accounts and contacts that were deleted, restored, or made one with another.

A set of what was told, and every answer follows from the times in it: the latest word counts, so the order in which
it was learned never shows. A record that was merged into another shares that one's fate; its own deletion, which
some CRMs tell after the merge, says nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from schemas.links import RecordChange

NEVER = datetime.max.replace(tzinfo=UTC)

Gap = tuple[datetime, datetime]
"""A time in which a record was gone: after the first moment, until the second."""
Rank = tuple[datetime, str]
"""(time, event): of two the higher one is the later word."""


class Records:
    """By account id or alias of a contact; those that only exist are not in it."""

    def __init__(self) -> None:
        self._changes: dict[str, list[RecordChange]] = {}
        self._merged: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._changes)

    def known(self, change: RecordChange) -> RecordChange | None:
        """The link with this id, as it is known."""
        same = (known for known in self._changes.get(change.record, ()) if known.link_id == change.link_id)
        return next(same, None)

    def knows(self, change: RecordChange) -> bool:
        """Whether nothing new would be learned from it."""
        known = self.known(change)
        return known is not None and not change.outdoes(known)

    def add(self, change: RecordChange) -> None:
        """Take it in, unless nothing new is learned."""
        if self.knows(change):
            return
        others = [known for known in self._changes.get(change.record, ()) if known.link_id != change.link_id]
        self._changes[change.record] = sorted([*others, change], key=lambda told: told.rank)
        if change.into:
            self._merged.setdefault(change.into, set()).add(change.record)

    def survivor(self, record: str) -> str:
        """The record that this one is now: itself, or what it was merged into, and that one in turn."""
        if not self._changes:
            return record
        way = [record]
        while (into := self._into(way[-1])) and into not in way:
            way.append(into)
        return min(way[way.index(into) :]) if into else way[-1]  # merged in a circle: any of them, but one and the same

    def gaps(self, record: str) -> tuple[Gap, ...]:
        """When it was gone, earliest first."""
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

    def _last(self, record: str, *how: str) -> RecordChange | None:
        return next((told for told in reversed(self._changes.get(record, ())) if told.how in how), None)

    def _gaps(self, record: str) -> Iterator[Gap]:
        gone_at: datetime | None = None
        for told in self._changes.get(self.survivor(record), ()):
            if told.how == "removed" and gone_at is None:
                gone_at = told.since
            elif told.how == "restored" and gone_at is not None:
                yield (gone_at, told.since)
                gone_at = None
        if gone_at is not None:
            yield (gone_at, NEVER)
