"""How many lines in `corrections` an account's changes make: each change is in one, and there are not too many.

Nothing is held back. Above the bound a change goes into the line that was told last, which is told again under its id
and replaces what the store has of it; so a writer that ends loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from streams.journey.causes import Cause

MOST: Final = 60
WITHIN: Final = timedelta(hours=1)
MOST_CAUSES: Final = 50
"""Causes that a line remembers; it names the first few of them."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """What is told anew: touchpoints and signals that look other, are gone, are taken back; and why."""

    touchpoints: int = 0
    removed: int = 0
    signals: int = 0
    withdrawn: int = 0
    causes: frozenset[Cause] = frozenset()

    def with_(self, more: Corrected) -> Corrected:
        """Both in one."""
        return Corrected(
            self.touchpoints + more.touchpoints,
            self.removed + more.removed,
            self.signals + more.signals,
            self.withdrawn + more.withdrawn,
            frozenset(sorted(self.causes | more.causes)[:MOST_CAUSES]),
        )


class CorrectionLimit:
    """An account's lines of this hour: how many, and the last of them."""

    __slots__ = ("_last", "_since", "_told")

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._told = 0
        self._last = ("", Corrected())

    def line(self, correction_id: str, now: Corrected, as_of: datetime) -> tuple[str, Corrected, bool]:
        """Under which id a change is told, what that line tells then, and whether it told of others before."""
        if self._since is None or as_of - self._since >= WITHIN:
            self._since, self._told = as_of, 0
        is_full = self._told >= MOST
        if is_full:
            correction_id, before = self._last
            now = before.with_(now)
        else:
            self._told += 1
        self._last = (correction_id, now)
        return correction_id, now, is_full
