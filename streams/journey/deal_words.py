"""What a CRM says of one deal: its stage, and beside it whether it is won, lost or closed. Each is a fact of its own.

One save in a CRM comes as several messages, in any order, some of one time. So each fact keeps the time it was told
last, and what the deal comes to follows from all of them, never from the one that came last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal, cast

from schemas.touchpoints import Scalar

Standing = Literal["open", "won", "lost"]
_End = Literal["won", "lost"]

SAVE: Final = timedelta(minutes=1)
"""Messages that are no further apart may tell of one save."""

#: What CRMs call the flags.
FLAG_NAMES: Final = {
    "hs_is_closed_won": "won",
    "hs_is_closed_lost": "lost",
    "hs_is_closed": "closed",
    "is_won": "won",
    "is_lost": "lost",
    "is_closed": "closed",
}
_YES: Final = frozenset({"true", "yes", "1"})
_NO: Final = frozenset({"false", "no", "0"})
_OUTCOMES: Final[dict[str, dict[str, bool]]] = {"won": {"won": True}, "lost": {"lost": True}, "open": {"closed": False}}


@dataclass(frozen=True, slots=True)
class DealWords:
    """The last word on each fact of one deal with the time it was told; None: none yet.

    `reopened_at`: when the deal last opened again.
    """

    stage: tuple[str, datetime] | None = None
    won: tuple[bool, datetime] | None = None
    lost: tuple[bool, datetime] | None = None
    closed: tuple[bool, datetime] | None = None
    reopened_at: datetime | None = None

    def after(self, stage: str | None, flags: Mapping[str, bool], at: datetime) -> DealWords:
        """These words and those of an event, which is not earlier."""
        known: dict[str, Any] = {name: (value, at) for name, value in flags.items()}
        if stage:
            known["stage"] = (stage, at)
        return replace(self, **known) if known else self

    def standing(self, meaning: Callable[[str], Standing | None]) -> Standing:
        """What the deal comes to; `meaning`: what the blueprint takes a stage for, None for one it does not name.

        A flag that is set stands until the CRM says otherwise: takes it back, sets the other one, says that the deal
        is not closed, or moves it, later than one save takes, to a stage that means something else. Of one time, the
        flag is right. Without a flag the stage decides, unless that end of the deal was denied after it.
        """
        stage, stage_at = self.stage or ("", None)
        means = meaning(stage) if stage else None
        flag = self._flag()
        if flag is not None:
            end, at = flag
            is_moved = means not in (None, end) and stage_at is not None and stage_at > at + SAVE
            if not (is_moved or self._not_closed_since(at)):
                return end
        if means is None or means == "open" or stage_at is None:
            return "open"
        denied = self.won if means == "won" else self.lost
        is_denied = denied is not None and not denied[0] and denied[1] > stage_at
        return "open" if is_denied or self._not_closed_since(stage_at) else means

    def _flag(self) -> tuple[_End, datetime] | None:
        """The flag that is set, of two the later one."""
        flags = [("won", self.won), ("lost", self.lost)]
        found = [(cast(_End, name), known[1]) for name, known in flags if known is not None and known[0]]
        return max(found, key=lambda flag: (flag[1], flag[0]), default=None)

    def _not_closed_since(self, at: datetime) -> bool:
        return self.closed is not None and not self.closed[0] and self.closed[1] > at


def flags_of(properties: Mapping[str, Scalar]) -> dict[str, bool]:
    """The flags a deal's event tells: by a CRM's names of them, or by `outcome` (won, lost, open).

    A deal that is closed and not won, by one event, is lost.
    """
    found: dict[str, bool] = {}
    for name, flag in FLAG_NAMES.items():
        value = str(properties.get(name, "")).strip().lower()
        if value in _YES or value in _NO:
            found[flag] = value in _YES
    if found.get("closed") and found.get("won") is False:
        found.setdefault("lost", True)
    outcome = str(properties.get("outcome") or "").strip().lower()
    return found | _OUTCOMES.get(outcome, {})
