"""What a sender takes back: of two words on one thing the later counts, and the first is as if it had never been said.

- An answer to a survey, given anew: by the same response, at any time; else by the same person to the same question,
  within the blueprint's `amendments.answer_s`.
- A deal that was won or lost and, within `amendments.deal_s`, is said to be open, or to have ended otherwise: somebody
  chose the wrong stage.

It is a function of the set of touchpoints, so the order in which they come does not matter. A flood costs a bounded
memory:

- Of what is said on one thing the last 500 words are judged; what came before them stands.
- An account has 10,000 words in mind. Where its things have more, those whose rank comes first are judged, and what is
  said of all others stands. The rank is a hash of the thing's name, whatever else is known: a thing that does not fit
  never fits again, and any order of arrival leaves the same things.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from hashlib import blake2b
from heapq import heappop, heappush
from itertools import pairwise
from types import MappingProxyType
from typing import Final, NamedTuple

from schemas.blueprint import Amendments
from schemas.matching import DEAL_ACTIONS
from schemas.touchpoints import AttributedTouchpoint, CleanTouchpoint
from streams.journey.deal_words import SAVE, DealWords
from streams.journey.opportunities import Deals, is_about_deal, stage_and_flags
from streams.journey.state import SortKey

#: What names one response, in the words of several senders.
_RESPONSES: Final = (
    "response_id",
    "survey_response_id",
    "submission_id",
    "survey_submission_id",
    "$survey_submission_id",
)
_SURVEYS: Final = ("survey_id", "$survey_id", "survey", "survey_name", "$survey_name")
_QUESTIONS: Final = ("question_id", "$survey_question_id", "question", "question_name")
_Series = tuple[str, ...]
MOST: Final = 500
"""Words on one thing that are kept in mind."""
MOST_IN_ALL: Final = 10_000
"""Words on all things of one account."""


class _Said(NamedTuple):
    """An event of a series; `stage` and `flags` are what it says of a deal."""

    key: SortKey
    event_id: str
    stage: str | None = None
    flags: Mapping[str, bool] = MappingProxyType({})

    @property
    def at(self) -> datetime:
        return self.key[0]


Counts = Callable[[AttributedTouchpoint], bool]


class AmendmentRules:
    """The blueprint's, ready to ask."""

    def __init__(self, rules: Amendments, deals: Deals) -> None:
        self.answer, self.deal = timedelta(seconds=rules.answer_s), timedelta(seconds=rules.deal_s)
        self.deals = deals


class Amended:
    """Which touchpoints of one account are taken back by later ones: `back` has their ids.

    `counts`: whether a touchpoint is of a kind that says anything of customers.
    """

    def __init__(self, rules: AmendmentRules, counts: Counts) -> None:
        self._rules, self._counts = rules, counts
        self.back: set[str] = set()
        self._series: dict[_Series, list[_Said]] = {}
        self._back: dict[_Series, frozenset[str]] = {}
        self._words = 0
        self._last: list[tuple[int, _Series]] = []  # a heap: the thing whose rank comes last is the first of it
        self._full_from: int | None = None

    def __len__(self) -> int:
        """How many touchpoints are kept in mind for it."""
        return self._words

    @property
    def is_full(self) -> bool:
        """Whether there are things that are not judged, because there are too many."""
        return self._full_from is not None

    def learn(self, items: Iterable[AttributedTouchpoint]) -> dict[str, SortKey]:
        """Take in touchpoints, each only once; which ones are taken back now, or are not any more, and their places."""
        heard: dict[_Series, None] = {}
        for item in items:
            series = self._series_of(item)
            if series and self._counts(item) and self._is_judged(series):
                said = self._series[series]
                said.insert(bisect_left(said, item.sort_key, key=_key), _read(item))
                self._words += 1
                heard[series] = None
        forgotten = {series: self._forgotten(series) for series in heard}
        changed = self._made_room()
        for series in heard.keys() & self._series.keys():
            changed += self._judge(series, forgotten[series])
        return {one.event_id: one.key for one in changed}

    def _is_judged(self, series: _Series) -> bool:
        """Whether a thing is among those that are judged; a new one is from now on."""
        if series not in self._series:
            rank = _rank(series)
            if self._full_from is not None and rank >= self._full_from:
                return False
            self._series[series] = []
            heappush(self._last, (-rank, series))
        return True

    def _forgotten(self, series: _Series) -> list[_Said]:
        """The words that later ones have pushed out; in any order of arrival the same ones are left."""
        said = self._series[series]
        pushed = said[:-MOST]
        del said[:-MOST]
        self._words -= len(pushed)
        return pushed

    def _made_room(self) -> list[_Said]:
        """Forget the things whose rank comes last, as long as there are too many words; what stands again for it.

        Words only grow in number, so what is left is what would be left of all of them at once.
        """
        changed: list[_Said] = []
        while self._words > MOST_IN_ALL:
            negative, series = heappop(self._last)
            said, back = self._series.pop(series), self._back.pop(series, frozenset())
            self._full_from = -negative
            self._words -= len(said)
            self.back -= back
            changed += [one for one in said if one.event_id in back]
        return changed

    def _series_of(self, item: AttributedTouchpoint) -> _Series:
        """What it is one of several words on; empty where it is on nothing, or nothing tells on what."""
        touchpoint = item.touchpoint
        if touchpoint.action == "survey_answered":
            return self._answered(item)
        if touchpoint.action in DEAL_ACTIONS and self._rules.deal and is_about_deal(touchpoint):
            return ("deal", touchpoint.subject)
        return ()

    def _answered(self, item: AttributedTouchpoint) -> _Series:
        touchpoint, person = item.touchpoint, item.attribution.person_id
        question = (touchpoint.source, _named(touchpoint, _QUESTIONS), touchpoint.title, touchpoint.score_kind)
        if response := _named(touchpoint, _RESPONSES):
            return ("response", response, *question)
        survey = _named(touchpoint, _SURVEYS) or touchpoint.subject  # without either, two answers may be on two things
        return ("answer", person, survey, *question) if person and survey and self._rules.answer else ()

    def _judge(self, series: _Series, forgotten: list[_Said]) -> list[_Said]:
        said, before = self._series[series], self._back.get(series, frozenset())
        now = frozenset(self._mistaken(said) if series[0] == "deal" else self._replaced(series, said))
        if now != before:
            self._back[series] = now
            self.back -= before
            self.back |= now
        return [one for one in (*forgotten, *said) if one.event_id in now ^ before]

    def _replaced(self, series: _Series, said: list[_Said]) -> Iterator[str]:
        """Answers that another one follows; with the name of their response, however late."""
        is_named = series[0] == "response"
        return (one.event_id for one, other in pairwise(said) if is_named or other.at - one.at <= self._rules.answer)

    def _mistaken(self, said: list[_Said]) -> Iterator[str]:
        """What was said of a deal from a moment it was ended by mistake until it was said to be something else."""
        known, stood = DealWords(), "open"
        ended: list[_Said] = []
        for one in said:
            known = known.after(one.stage, one.flags, one.at)
            stands = known.standing(self._rules.deals.meaning)
            if stands != stood and ended and SAVE < one.at - ended[0].at <= self._rules.deal:
                yield from (each.event_id for each in ended)
            if stands != stood:
                ended = []
            if stands != "open":
                ended.append(one)
            stood = stands


def _rank(series: _Series) -> int:
    """Its place among all things there may be, the same everywhere."""
    return int.from_bytes(blake2b("\x1f".join(series).encode(), digest_size=8).digest())


def _key(said: _Said) -> SortKey:
    return said.key


def _read(item: AttributedTouchpoint) -> _Said:
    if item.touchpoint.action == "survey_answered":
        return _Said(item.sort_key, item.event_id)
    return _Said(item.sort_key, item.event_id, *stage_and_flags(item.touchpoint))


def _named(touchpoint: CleanTouchpoint, names: tuple[str, ...]) -> str:
    return next((str(found) for name in names if (found := touchpoint.properties.get(name)) not in (None, "")), "")
