"""Why an account is computed anew: a kind to count by, and sentences for the line in `corrections`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from schemas.touchpoints import AttributedTouchpoint
from streams.sentences import BETWEEN, english, said, sentences

MOST_SAID: Final = 3

Kind = Literal["load", "late", "copy", "profile", "links", "deadline", "asked", "repair"]


@dataclass(frozen=True, slots=True, order=True)
class Cause:
    """One reason of a refold. `words`: sentences, coded or as they stand."""

    kind: Kind
    words: str


LOAD: Final = Cause("load", said("loaded"))
LATE: Final = Cause("late", said("late"))
READ_ANEW: Final = Cause("copy", said("newer_mapping"))
COPY: Final = Cause("copy", said("other_copy"))
DEADLINE: Final = Cause("deadline", said("deadline"))
TAKEN_BACK: Final = Cause("late", said("taken_back"))
CONSENT: Final = Cause("late", said("consent"))
REPAIR: Final = Cause("repair", said("repair"))


def profile_changed(changes: Mapping[str, tuple[str, str]]) -> Cause:
    """Personas, or the segment (under `""`), that turned out to be others; from what to what."""
    reasons = [
        said("persona", person=who, now=now, before=before) if who else said("segment", now=now, before=before)
        for who, (before, now) in sorted(changes.items())
    ]
    return Cause("profile", BETWEEN.join(_some(reasons)))


def attributed_anew(items: Sequence[AttributedTouchpoint], otherwise: Cause) -> Cause:
    """Why these touchpoints come: what made their attribution another, if all of them say so."""
    if items and all(item.cause for item in items):
        return Cause("links", BETWEEN.join(_some(sorted({item.cause for item in items}, key=english))))
    return otherwise


def reasons_of(causes: Iterable[Cause], *others: str) -> list[str]:
    """The sentences of all causes; that it was read again is said only where there is no other reason."""
    reasons = _some(sorted((cause.words for cause in causes if cause.kind != "load"), key=in_english))
    return sentences([*filter(None, others), *reasons]) or [LOAD.words]


def in_english(words: str) -> str:
    """Several sentences in one line."""
    return "; ".join(map(english, sentences([words])))


def _some(reasons: list[str]) -> list[str]:
    """The first few, and how many more there are."""
    more = len(reasons) - MOST_SAID
    return reasons if more <= 0 else [*reasons[:MOST_SAID], said("more", count=more)]


IDS_OF_BEFORE: Final = said("sourced_ids")
"""Why what was stored before is attributed again."""
