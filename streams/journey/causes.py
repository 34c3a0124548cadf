"""Why an account is computed anew: a kind to count by, and words for the line in `corrections`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from schemas.touchpoints import AttributedTouchpoint

MOST_SAID: Final = 3

Kind = Literal["load", "late", "copy", "profile", "links", "deadline", "asked", "repair"]


@dataclass(frozen=True, slots=True, order=True)
class Cause:
    """One reason of a refold."""

    kind: Kind
    words: str


LOAD: Final = Cause("load", "read again, after a restart or a long rest")
LATE: Final = Cause("late", "touchpoints came that lie before later ones: late, or moved here")
READ_ANEW: Final = Cause("copy", "a newer mapping reads the sender's request otherwise")
COPY: Final = Cause("copy", "another copy of a touchpoint knew more")
DEADLINE: Final = Cause("deadline", "a deadline passed")
TAKEN_BACK: Final = Cause("late", "a sender took back what it had said: a survey's answer, or how a deal ended")
CONSENT: Final = Cause("late", "a person declined to be followed, or agreed again")
REPAIR: Final = Cause("repair", "what was told could not be mended from memory")


def profile_changed(changes: Mapping[str, tuple[str, str]]) -> Cause:
    """Personas, or the segment (under `""`), that turned out to be others; from what to what."""
    said = [
        f"{f'the persona of person {who}' if who else 'the segment'} is {now or 'none'}, not {before or 'none'}"
        for who, (before, now) in sorted(changes.items())
    ]
    return Cause("profile", "; ".join(_some(said)))


def attributed_anew(items: Sequence[AttributedTouchpoint], otherwise: Cause) -> Cause:
    """Why these touchpoints come: what made their attribution another, if all of them say so."""
    if items and all(item.cause for item in items):
        return Cause("links", "; ".join(_some(sorted({item.cause for item in items}))))
    return otherwise


def in_words(causes: Iterable[Cause], *others: str) -> str:
    """All causes in one line; that it was read again is said only where there is no other reason."""
    reasons = _some(sorted(cause.words for cause in causes if cause.kind != "load"))
    return "; ".join([*filter(None, others), *reasons]) or LOAD.words


def _some(reasons: list[str]) -> list[str]:
    """The first few, and how many more there are."""
    return reasons if len(reasons) <= MOST_SAID else [*reasons[:MOST_SAID], f"and {len(reasons) - MOST_SAID} more"]


IDS_OF_BEFORE = "ids carry their source from now on"
"""Why what was stored before is attributed again."""
