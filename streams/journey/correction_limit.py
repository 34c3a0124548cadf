"""How many lines in `corrections` the small changes of an account make: each change is told, by a few lines an hour."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from streams.journey.causes import Cause

MOST: Final = 60
WITHIN: Final = timedelta(hours=1)


@dataclass(slots=True)
class Untold:
    """What was told again since the last line."""

    touchpoints: int = 0
    signals: int = 0
    withdrawn: int = 0
    causes: set[Cause] = field(default_factory=set)

    def add(self, touchpoints: int, signals: int, withdrawn: int, causes: set[Cause]) -> None:
        """Take in what one batch corrected."""
        self.touchpoints += touchpoints
        self.signals += signals
        self.withdrawn += withdrawn
        self.causes |= causes


class CorrectionLimit:
    """What was corrected of an account and no line tells yet; past so many lines an hour, the next one tells it all."""

    __slots__ = ("_since", "_told", "untold")

    def __init__(self) -> None:
        self.untold = Untold()
        self._since: datetime | None = None
        self._told = 0

    def due(self, as_of: datetime) -> Untold | None:
        """What a line must tell now; None when nothing is to be told, or there were enough lines for now."""
        if not (self.untold.touchpoints or self.untold.withdrawn):
            return None
        if self._since is None or as_of - self._since >= WITHIN:
            self._since, self._told = as_of, 0
        if self._told >= MOST:
            return None
        self._told += 1
        told, self.untold = self.untold, Untold()
        return told
