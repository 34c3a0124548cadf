"""Tracked event names in our words. The table is the contract: teach your own tracking plan these names."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from schemas.actions import Action
from streams.connectors.reading import MAX_TEXT_CHARS, first_text
from streams.connectors.web.surveys import ScoreKind, answered, places_of
from streams.names import spaced

#: Event name, lower case without spaces and punctuation → action.
NAMES: dict[str, Action] = {
    "elementclicked": "click",
    "elementclick": "click",
    "buttonclicked": "click",
    "buttonclick": "click",
    "clickedbutton": "click",
    "ctaclicked": "click",
    "ctaclick": "click",
    "clickedcta": "click",
    "linkclicked": "click",
    "linkclick": "click",
    "clickedlink": "click",
    "click": "click",
    "rageclick": "click",
    "deadclick": "click",
    "errorshown": "client_error",
    "applicationerror": "client_error",
    "exception": "client_error",
    "clienterror": "client_error",
    "javascripterror": "client_error",
    "jserror": "client_error",
    "surveyanswered": "survey_answered",
    "surveysubmitted": "survey_answered",
    "surveycompleted": "survey_answered",
    "surveyresponse": "survey_answered",
    "surveyresponded": "survey_answered",
    "surveyresponsesubmitted": "survey_answered",
    "pageviewed": "page_view",
    "pageview": "page_view",
    "viewedpage": "page_view",
    "screenviewed": "page_view",
    "screenview": "page_view",
    "sessionended": "session_end",
    "formsubmissionfailed": "form_failed",
    "formvalidationerror": "form_failed",
    "submittedform": "form_submitted",
    "startedform": "form_touched",
    "formulierverzonden": "form_submitted",
    "contactformulierverzonden": "form_submitted",
}
#: What stands after `form` in a name that ends so, with any words before it: `Contact Form Submitted`.
FORMS: dict[str, Action] = {
    "started": "form_touched",
    "start": "form_touched",
    "touched": "form_touched",
    "submitted": "form_submitted",
    "submit": "form_submitted",
    "submission": "form_submitted",
    "completed": "form_submitted",
    "sent": "form_submitted",
    "failed": "form_failed",
    "error": "form_failed",
}
#: First word of an event name that is a survey's answer, and the kind of its score.
SURVEYS: dict[str, ScoreKind] = {"nps": "nps", "csat": "csat", "ces": "ces"}
#: First words after which a survey was shown or closed, not answered.
_ANSWERED = frozenset(
    {"answered", "submitted", "submit", "completed", "complete", "response", "responded", "received", "filled", "given",
     "sent", "ingevuld", "beantwoord", "ingestuurd", "gegeven", "verzonden"}
)  # fmt: skip
#: Words of names that are a survey's answer, and those that are one where a score is told.
_ASKING = frozenset({"survey", "enquete", "questionnaire", "vragenlijst", "umfrage"})
_JUDGING = frozenset({"rating", "feedback", "beoordeling", "waardering", "bewertung", "satisfaction"})
_NOT_ANSWERED = ("shown", "sent", "dismissed", "viewed", "opened", "requested", "closed")


class Event(NamedTuple):
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
    if action == "custom" and _judges(name) and answered(properties, "")[0] is not None:
        action = "survey_answered"
    places = (properties,)
    words = first_text(places, ("text", "comment", "message"), MAX_TEXT_CHARS)
    title = first_text(places, ("title",))
    if action == "click":
        return Event(action, name, first_text(places, ("element", "selector", "id", "text")), "", title, words)
    if action in ("form_touched", "form_submitted", "form_failed"):
        form = first_text(places, ("form", "form_id", "formId", "form_name", "id", "name")) or _form_of(name)
        element = first_text(places, ("element", "field"))
        return Event(action, name, element, f"form:{form}" if form else "", title, words)
    if action == "client_error":
        words = words or first_text(places, ("error", "reason"), MAX_TEXT_CHARS)
        return Event(action, name, first_text(places, ("element", "type")), "", title, words)
    if action == "survey_answered":
        score, kind = answered(properties, survey)
        inside = first_text(tuple(places_of(properties)), ("text", "comment", "message", "feedback"), MAX_TEXT_CHARS)
        return Event(action, name, "", "", title, words or inside, score, kind)
    return Event(action, name, first_text(places, ("element",)), "", title, words)


@lru_cache(maxsize=4096)
def _meaning(name: str) -> tuple[Action, ScoreKind]:
    words = _words(name)
    known = NAMES.get("".join(words)) or (FORMS.get(words[-1]) if words[-2:-1] == ["form"] else None)
    if known is not None:
        return known, ""
    survey: ScoreKind = next((SURVEYS[word] for word in (*words[:1], *words[-1:]) if word in SURVEYS), "")
    if survey and not any(word in _NOT_ANSWERED for word in words):
        return "survey_answered", survey
    is_answer = not _ANSWERED.isdisjoint(words) and not (words[-1] == "sent" and "survey" in words)
    return ("survey_answered", survey) if is_answer and not _ASKING.isdisjoint(words) else ("custom", "")


@lru_cache(maxsize=4096)
def _judges(name: str) -> bool:
    """Whether it is the answer to one question, if it comes with a score: `Feedback Submitted {rating: 4}`."""
    words = _words(name)
    return not _JUDGING.isdisjoint(words) and not _ANSWERED.isdisjoint(words)


def _form_of(name: str) -> str:
    """The form that an event's name tells: `contact` of `Contact Form Submitted`."""
    words = _words(name)
    return "_".join(words[:-2]) if words[-2:-1] == ["form"] else ""


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", spaced(name).lower())
