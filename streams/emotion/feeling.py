"""The feeling of a touchpoint's text: computed once, where the touchpoint becomes clean, and the same everywhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from schemas.actions import Action
from schemas.touchpoints import CleanTouchpoint
from streams.emotion.cleaning import own_words
from streams.emotion.language import language_of
from streams.emotion.lexicon import lexicon
from streams.emotion.reading import score
from streams.emotion.vocabulary import Language

#: Counts up with every change that can change a result: word lists, rules, or a pinned library.
VERSION: Final = 4
FELT_BY: Final = "emotion_version"
"""Property that says which version felt a text that is not kept: no later one can read it again."""

#: Actions whose text a customer wrote. An agent's reply, an error message or a button's label is nobody's feeling.
CUSTOMER_WROTE: Final[frozenset[Action]] = frozenset(
    {"ticket_created", "ticket_replied_by_customer", "survey_answered", "form_submitted"}
)
#: A tracked event of the sender's own naming: its text is the customer's when the name says that they spoke.
_SPOKE = re.compile(r"\b(feedback|complaint|comment|chat|testimonial|review (?:left|written|submitted))\b")
_OTHERS_SPOKE = re.compile(r"\b(received|agent|bot|staff|reply|shown|viewed|opened|prompted|requested|closed)\b")
#: Records of our own dialect hold what was said at a visit, in a call or an interview.
_OWN_DIALECT: Final = "touchline"


@dataclass(frozen=True, slots=True)
class Feeling:
    """What a text says: its language (None: another, or unsure) and -1..1 (None: not understood; 0.0: neutral)."""

    language: Language | None = None
    sentiment: float | None = None


def feeling_of(text: str) -> Feeling:
    """The feeling of what a customer wrote. Any text, never raises, bounded by MAX_CHARS."""
    words = own_words(text)
    language = language_of(words)
    return Feeling(language, score(words, lexicon(language))) if language else Feeling()


def felt(touchpoint: CleanTouchpoint) -> CleanTouchpoint:
    """The touchpoint with its text's language and sentiment, when a customer wrote it and its sender stated neither."""
    stated = touchpoint.language or touchpoint.sentiment is not None
    if stated or not touchpoint.text or not _by_customer(touchpoint):
        return touchpoint
    found = feeling_of(touchpoint.text)
    return touchpoint.changed(language=found.language or "", sentiment=found.sentiment)


def _by_customer(touchpoint: CleanTouchpoint) -> bool:
    if touchpoint.action != "custom":
        return touchpoint.action in CUSTOMER_WROTE
    return touchpoint.vendor == _OWN_DIALECT or _speaks(touchpoint.vendor_type)


@lru_cache(maxsize=4096)
def _speaks(vendor_type: str) -> bool:
    name = re.sub(r"[^a-z0-9]+", " ", vendor_type.lower())
    return _SPOKE.search(name) is not None and _OTHERS_SPOKE.search(name) is None


def described(language: str, version: int = VERSION) -> str:
    """How a sentiment came about, for people: `sentiment of the text (nl), VADER rules with …`."""
    return f"sentiment of the text ({language}), VADER rules with Touchline's word lists, version {version}"
