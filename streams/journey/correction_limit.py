"""How many lines in `corrections` an account's small mends make: each change is in one, and there are not too many."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from streams.journey.causes import Cause

MOST: Final = 60
WITHIN: Final = timedelta(hours=1)


@dataclass(slots=True)
class Mended:
    """What was told again since the last line."""

    touchpoints: int = 0
    signals: int = 0
    withdrawn: int = 0
    causes: set[Cause] = field(default_factory=set)

    def add(self, touchpoints: int, signals: int, withdrawn: int, causes: set[Cause]) -> None:
        """Take in the mends of one batch."""
        self.touchpoints += touchpoints
        self.signals += signals
        self.withdrawn += withdrawn
        self.causes |= causes


class Mends:
    """An account's mends that no line tells yet. Of more than so many lines an hour, the next one tells them all."""

    __slots__ = ("_since", "_told", "unsaid")

    def __init__(self) -> None:
        self.unsaid = Mended()
        self._since: datetime | None = None
        self._told = 0

    def due(self, as_of: datetime) -> Mended | None:
        """What a line must tell now; None when nothing is to be told, or there were enough lines for now."""
        if not (self.unsaid.touchpoints or self.unsaid.withdrawn):
            return None
        if self._since is None or as_of - self._since >= WITHIN:
            self._since, self._told = as_of, 0
        if self._told >= MOST:
            return None
        self._told += 1
        told, self.unsaid = self.unsaid, Mended()
        return told
