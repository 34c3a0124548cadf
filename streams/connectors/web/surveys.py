"""The score of a survey's answer, wherever a sender puts it. What is not known is no score; it is never zero.

| sent | read as |
|---|---|
| `nps: 0`, `"9"`, `6.5` | 0, 9, 6.5: numbers, also when written as text, and fractions as they are |
| null, `""`, `true`, words, what lies outside its scale | no score |
| `scale: "1-4"`, `scale: 10`, `max: 5` with `min`, `"9/10"` | brought onto the scale of its kind, end to end |
| a scale that runs down, or has no length | no score |

Names are compared without case and punctuation, so `nps_score`, `npsScore` and `NPS Score` are one. Of several answers
the first of the survey's own kind counts, else the first that has a score.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal

from streams.connectors.reading import number, text

ScoreKind = Literal["", "nps", "csat", "ces", "rating"]

#: Scores are stored on these scales.
SCALES: dict[str, tuple[float, float]] = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7), "rating": (1, 5)}
#: Where the score of a kind stands, best first.
_NAMES: dict[ScoreKind, tuple[str, ...]] = {
    "nps": ("nps", "npsscore", "npsrating", "npsvalue", "netpromoterscore"),
    "csat": ("csat", "csatscore", "csatrating", "csatvalue", "satisfaction", "satisfactionscore"),
    "ces": ("ces", "cesscore", "cesrating", "cesvalue", "effortscore", "customereffortscore"),
    "rating": ("rating", "ratingscore", "ratingvalue", "stars", "starrating"),
}
_ANY_KIND = ("score", "surveyscore", "value")
_ONE_QUESTION = ("answer", "response", "number")
"""Where it may stand as well, if the place says of which kind it is: else it may be the answer to anything."""
_KINDS = ("scorekind", "surveytype", "kind", "type", "questiontype")
_INSIDE = ("answers", "answer", "responses", "response", "results", "questions", "survey", "feedback")
_TOPS = ("max", "maxscore", "maximum", "scalemax", "outof")
_BOTTOMS = ("min", "minscore", "minimum", "scalemin")
_RANGE = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*(?:-|–|\.\.+|to|/|:)\s*(-?\d+(?:\.\d+)?)\s*", re.I)
_OUT_OF = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*/\s*(\d+)\s*")
MAX_ANSWERS = 50
Place = dict[str, Any]


def answered(properties: Place, survey: ScoreKind) -> tuple[float | None, ScoreKind]:
    """(the score on its kind's scale, the kind). `survey`: the kind that the event's name tells, or empty."""
    places = [_plain(place) for place in places_of(properties)]
    found = [(score, kind) for place in places for score, kind in _scores(place, _kind(places[0], survey))]
    fits = [one for one in found if one[1] == survey] if survey else found
    return next(iter(fits or found), (None, _kind(places[0], survey) or "rating"))


def places_of(properties: Place) -> list[Place]:
    """The properties, and the answers inside them."""
    found = [properties]
    for name, value in properties.items():
        if _bare(name) in _INSIDE:
            found += _objects(value)
    return found[: MAX_ANSWERS + 1]


def _objects(value: object) -> Iterator[Place]:
    """An answer, or several: in a list, or by the names of their questions."""
    if isinstance(value, dict):
        yield value
        value = list(islice(value.values(), MAX_ANSWERS))
    if isinstance(value, list):
        yield from (one for one in value[:MAX_ANSWERS] if isinstance(one, dict))


def _plain(place: Place) -> Place:
    """By their bare names; of two that are one, the first."""
    found: Place = {}
    for name, value in place.items():
        found.setdefault(_bare(name), value)
    return found


def _bare(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower())


def _kind(place: Place, survey: ScoreKind) -> ScoreKind:
    """The kind that a place states, else the survey's."""
    stated = " ".join(text(place.get(name)).lower() for name in _KINDS)
    words = re.findall(r"[a-z]+", stated)
    return next((kind for kind in _NAMES if kind in words), survey)


def _scores(place: Place, survey: ScoreKind) -> Iterator[tuple[float, ScoreKind]]:
    """Every score in one place: of the kinds that its names tell, else of the stated kind."""
    stated = _kind(place, survey)
    kinds = sorted(_NAMES, key=lambda kind: kind != stated)
    named: list[tuple[str, ScoreKind]] = [(name, kind) for kind in kinds for name in _NAMES[kind]]
    plain: list[tuple[str, ScoreKind]] = [(name, stated or "rating") for name in _ANY_KIND]
    if stated:  # `rating: 9` of an NPS survey is its score
        plain += [(name, stated) for name in (*_NAMES["rating"], *_ONE_QUESTION)]
        named = [one for one in named if one[1] == stated or one[1] != "rating"]
    for name, kind in (*named, *plain):
        if (found := _on_scale(place.get(name), kind, place)) is not None:
            yield found, kind


def _on_scale(value: object, kind: ScoreKind, place: Place) -> float | None:
    low, high = SCALES[kind]
    written = _OUT_OF.fullmatch(value) if isinstance(value, str) else None
    found = number(written[1].replace(",", ".")) if written else number(value)
    limits = (low, float(written[2])) if written else _limits(place, low, high)
    if found is None or not limits[0] <= found <= limits[1] or limits[0] >= limits[1]:
        return None
    return round(low + (found - limits[0]) * (high - low) / (limits[1] - limits[0]), 3)


def _limits(place: Place, low: float, high: float) -> tuple[float, float]:
    """The ends of the scale that the sender used; its kind's where it names none in numbers."""
    scale = place.get("scale", place.get("range"))
    if isinstance(scale, dict):
        place, scale = {**place, **_plain(scale)}, None
    if isinstance(scale, list) and len(scale) == 2:
        scale = f"{scale[0]}..{scale[1]}"
    stated = _RANGE.fullmatch(scale) if isinstance(scale, str) else None
    if stated:
        return float(stated[1]), float(stated[2])
    bottom = next((found for name in _BOTTOMS if (found := number(place.get(name))) is not None), low)
    top = number(scale) if scale not in (None, "") else None
    if top is None:
        top = next((found for name in _TOPS if (found := number(place.get(name))) is not None), high)
    return bottom, top
