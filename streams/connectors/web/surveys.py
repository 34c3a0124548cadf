"""The score of a survey's answer, wherever a sender puts it. What is not known is no score; it is never zero.

| sent | read as |
|---|---|
| `nps: 0`, `"9"`, `6.5`, `"4,5"` | 0, 9, 6.5, 4.5: numbers, also when written as text, and fractions as they are |
| `"9 out of 10"`, `"80 %"`, `"4 stars"`, `"★★★★"`, `"10 - very likely"` | the number, on the scale that is named |
| `nps: {score: 9}`, `csat: [4]` | what stands inside |
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
    "nps": (
        "nps",
        "npsscore",
        "npsrating",
        "npsvalue",
        "netpromoterscore",
        "netpromoter",
        "likelihoodtorecommend",
        "recommend",
        "recommendation",
        "wouldrecommend",
        "aanbeveling",
        "aanbevelen",
        "aanbevelingsscore",
    ),
    "csat": (
        "csat",
        "csatscore",
        "csatrating",
        "csatvalue",
        "satisfaction",
        "satisfactionscore",
        "customersatisfaction",
        "tevredenheid",
        "klanttevredenheid",
        "tevredenheidsscore",
        "zufriedenheit",
    ),
    "ces": (
        "ces",
        "cesscore",
        "cesrating",
        "cesvalue",
        "effortscore",
        "customereffortscore",
        "customereffort",
        "effort",
    ),
    "rating": (
        "rating",
        "ratingscore",
        "ratingvalue",
        "stars",
        "starrating",
        "sterren",
        "cijfer",
        "rapportcijfer",
        "beoordeling",
        "waardering",
        "bewertung",
    ),
}
_ANY_KIND = ("score", "surveyscore", "value")
_ONE_QUESTION = ("answer", "response", "number")
"""Where it may stand as well, if the place says of which kind it is: else it may be the answer to anything."""
_KINDS = (
    "scorekind", "scoretype", "metric", "metrictype", "surveytype", "kind", "type", "questiontype", "survey",
    "surveyname", "surveytitle", "name", "title",
)  # fmt: skip
#: Words by which a survey is called, beside its kind's own name.
_CALLED: dict[str, ScoreKind] = {
    "promoter": "nps", "recommend": "nps", "aanbevelen": "nps", "satisfaction": "csat", "tevredenheid": "csat",
    "zufriedenheit": "csat", "effort": "ces",
}  # fmt: skip
#: Of marks as schools give them everybody knows the scale.
_OWN_SCALES: dict[str, tuple[float, float]] = {"cijfer": (1, 10), "rapportcijfer": (1, 10)}
_INSIDE = ("answers", "answer", "responses", "response", "results", "questions", "survey", "feedback")
_TOPS = (
    "max",
    "maxscore",
    "maximum",
    "scalemax",
    "outof",
    "maxrating",
    "ratingmax",
    "maxvalue",
    "scoremax",
    "bestrating",
)
_BOTTOMS = ("min", "minscore", "minimum", "scalemin", "minrating", "ratingmin", "minvalue", "scoremin", "worstrating")
_RANGE = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*(?:-|–|\.\.+|to|/|:)\s*(-?\d+(?:\.\d+)?)\s*", re.I)
_OUT_OF = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*(?:/|out of|of|van de|van|von|sur|de)\s*(\d+)\s*", re.I)
_PERCENT = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*%\s*")
_UNITS = r"\s*(?:stars?|sterren|ster|sterne?|étoiles?|points?|punten)"
_WORDED = re.compile(rf"\s*(-?\d+(?:[.,]\d+)?)(?:\s*[-–:(,]\s*[^\d\s].*|{_UNITS})?\s*", re.I)
_STARS = re.compile(r"\s*([⭐★]\ufe0f?\s*)+(?:☆\s*)*")
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
    called: ScoreKind = next((kind for word, kind in _CALLED.items() if word in words), survey)
    return next((kind for kind in _NAMES if kind in words), called)


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
        if (found := _score(place.get(name), kind, place, _OWN_SCALES.get(name))) is not None:
            yield found, kind


def _score(value: object, kind: ScoreKind, place: Place, own: tuple[float, float] | None) -> float | None:
    """A value's score, also where the value stands within another one. `own`: the scale of its name."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict):
        inside = _plain(value)
        names = (*_ANY_KIND, *_ONE_QUESTION, *_NAMES[kind])
        value = next((inside[name] for name in names if isinstance(inside.get(name), int | float | str)), None)
        place = {**place, **inside}
    return _on_scale(value, kind, place, own)


def _on_scale(value: object, kind: ScoreKind, place: Place, own: tuple[float, float] | None) -> float | None:
    low, high = SCALES[kind]
    found, limits = _written(value, low) if isinstance(value, str) else (number(value), None)
    limits = limits or _limits(place, *(own or (low, high)))
    if found is None or not limits[0] <= found <= limits[1] or limits[0] >= limits[1]:
        return None
    return round(low + (found - limits[0]) * (high - low) / (limits[1] - limits[0]), 3)


def _written(value: str, low: float) -> tuple[float | None, tuple[float, float] | None]:
    """(the number in a text, the ends of its scale where the text names them)."""
    if out_of := _OUT_OF.fullmatch(value):
        return number(out_of[1].replace(",", ".")), (low, float(out_of[2]))
    if percent := _PERCENT.fullmatch(value):
        return number(percent[1].replace(",", ".")), (0, 100)
    if _STARS.fullmatch(value):
        given = sum(value.count(star) for star in "⭐★")
        return given, ((1, given + value.count("☆")) if "☆" in value else None)
    worded = _WORDED.fullmatch(value)
    return (number(worded[1].replace(",", ".")) if worded else number(value)), None


def _limits(place: Place, low: float, high: float) -> tuple[float, float]:
    """The ends of the scale that the sender used; its kind's where it names none in numbers."""
    scale = next((place[name] for name in ("scale", "range", "schaal", "skala") if name in place), None)
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
