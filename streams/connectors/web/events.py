"""Tracked event names in our words. The table is the contract: teach your own tracking plan these names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from schemas.actions import Action
from streams.connectors.reading import MAX_TEXT_CHARS, first_text, number, text
from streams.names import spaced

ScoreKind = Literal["", "nps", "csat", "ces", "rating"]

#: Event name, lower case without spaces and punctuation → action.
NAMES: dict[str, Action] = {
    "formstarted": "form_touched",
    "formtouched": "form_touched",
    "formsubmitted": "form_submitted",
    "formfailed": "form_failed",
    "formerror": "form_failed",
    "elementclicked": "click",
    "buttonclicked": "click",
    "click": "click",
    "rageclick": "click",
    "deadclick": "click",
    "errorshown": "client_error",
    "applicationerror": "client_error",
    "exception": "client_error",
    "clienterror": "client_error",
    "surveyanswered": "survey_answered",
    "surveysubmitted": "survey_answered",
    "surveycompleted": "survey_answered",
    "surveyresponse": "survey_answered",
    "pageviewed": "page_view",
    "sessionended": "session_end",
}
#: First word of an event name that is a survey's answer, and the kind of its score.
SURVEYS: dict[str, ScoreKind] = {"nps": "nps", "csat": "csat", "ces": "ces"}
#: Scores are stored on these scales; `properties.scale` says what the sender used.
SCALES: dict[str, tuple[float, float]] = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7), "rating": (1, 5)}
_SCORES = ("score", "nps", "csat", "ces", "rating")
#: First words after which a survey was shown or closed, not answered.
_NOT_ANSWERED = ("shown", "sent", "dismissed", "viewed", "opened", "requested", "closed")


@dataclass(frozen=True, slots=True)
class Event:
    """The part of a touchpoint that the event's name and properties decide."""

    action: Action
    name: str = ""
    element: str = ""
    subject: str = ""
    title: str = ""
    text: str = ""
    score: float | None = None
    score_kind: ScoreKind = ""


def page_event(name: str, properties: dict[str, Any], page: dict[str, Any]) -> Event:
    """A page or screen view."""
    title = first_text((properties, page), ("title",)) or name
    return Event("page_view", name=name, title=title)


def track_event(name: str, properties: dict[str, Any]) -> Event:
    """A tracked event: a known name, else `custom`."""
    action, survey = _meaning(name)
    places = (properties,)
    words = first_text(places, ("text", "comment", "message"), MAX_TEXT_CHARS)
    title = first_text(places, ("title",))
    if action == "click":
        return Event(action, name, first_text(places, ("element", "selector", "id", "text")), "", title, words)
    if action in ("form_touched", "form_submitted", "form_failed"):
        form = first_text(places, ("form", "form_id", "formId", "form_name", "id", "name"))
        element = first_text(places, ("element", "field"))
        return Event(action, name, element, f"form:{form}" if form else "", title, words)
    if action == "client_error":
        words = words or first_text(places, ("error", "reason"), MAX_TEXT_CHARS)
        return Event(action, name, first_text(places, ("element", "type")), "", title, words)
    if action == "survey_answered":
        kind = survey or _stated_kind(properties)
        return Event(action, name, "", "", title, words, _score(kind, properties), kind)
    return Event(action, name, first_text(places, ("element",)), "", title, words)


@lru_cache(maxsize=4096)
def _meaning(name: str) -> tuple[Action, ScoreKind]:
    words = re.findall(r"[a-z0-9]+", spaced(name).lower())
    known = NAMES.get("".join(words))
    if known is not None:
        return known, ""
    survey = SURVEYS.get(words[0], "") if words else ""
    if survey and not any(word in _NOT_ANSWERED for word in words):
        return "survey_answered", survey
    return "custom", ""


def _stated_kind(properties: dict[str, Any]) -> ScoreKind:
    """The kind a generic survey event names, or the one of the property its score stands in."""
    stated = first_text((properties,), ("score_kind", "survey_type", "kind", "type")).lower()
    for kind in (stated, *(name for name in _SCORES if number(properties.get(name)) is not None)):
        if kind in SCALES:
            return kind  # type: ignore[return-value]
    return "rating"


def _score(kind: ScoreKind, properties: dict[str, Any]) -> float | None:
    """The score on its kind's own scale; None when there is none or it lies outside (no evidence is not zero)."""
    places = (kind, *_SCORES, f"{kind}_score", f"{kind}Score", "value")
    found = next((n for n in (number(properties.get(name)) for name in places) if n is not None), None)
    if found is None:
        return None
    low, high = SCALES[kind]
    top = number(text(properties.get("scale")))
    if top is not None and top > low:
        found = low + (found - low) * (high - low) / (top - low)
    return round(found, 3) if low <= found <= high else None
