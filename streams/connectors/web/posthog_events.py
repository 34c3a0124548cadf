"""What PostHog's events say: its own begin with `$`, all others are tracked events as every product names them."""

from __future__ import annotations

import re
from typing import Any

from schemas.touchpoints import Scalar
from streams.connectors.reading import MAX_TEXT_CHARS, first_text, number, text
from streams.connectors.results import Ignored
from streams.connectors.web.events import SURVEYS, Event, track_event
from streams.connectors.web.surveys import SCALES, ScoreKind
from streams.names import spaced

Properties = dict[str, Any]
Element = dict[str, Any]

#: What says nothing of a customer, or what another event says, too.
_IGNORED = {
    "$pageleave": "page_left",
    "$copy_autocapture": "text_copied",
    "$feature_flag_called": "feature_flag",
    "$feature_view": "feature_flag",
    "$feature_interaction": "feature_flag",
    "$feature_enrollment_update": "feature_flag",
    "$snapshot": "session_recording",
    "$snapshot_items": "session_recording",
    "$heatmap": "heatmap",
    "$$heatmap": "heatmap",
    "survey shown": "survey_not_answered",
    "survey dismissed": "survey_not_answered",
    "survey abandoned": "survey_not_answered",
}
_PERSON = {
    "$identify": "identify",
    "$opt_in": "identify",
    "$set": "identify",
    "$set_once": "identify",
    "$groupidentify": "group",
}
MERGES = ("$create_alias", "$merge_dangerously")
_CLICKS = ("$rageclick", "$dead_click")
#: `button.primary.big:attr__id="buy"nth-child="1"text="Buy now";body:…`: quotes in a value are escaped.
_CHAIN_ELEMENT = re.compile(r'([^;:"]*)(?::((?:[\w-]+="(?:\\.|[^"\\])*")*))?(?:;|$)')
_CHAIN_ATTRIBUTE = re.compile(r'([\w-]+)="((?:\\.|[^"\\])*)"')
_MAX_ELEMENTS = 30
_MAX_CHAIN_CHARS = 20_000
#: `<input>` elements nobody types into.
_PUSHED = frozenset({"button", "image", "reset", "submit"})
_TICKED = frozenset({"checkbox", "radio"})
#: Elements that are pushed as a whole: who hits the icon in a button has hit the button.
_WHOLE = frozenset({"button", "a", "input", "select", "textarea", "label", "summary"})
_TOLD = ("role", "aria-label", "aria-checked", "aria-pressed", "aria-valuenow", "aria-roledescription", "class")
_MAX_ICON_DEPTH = 4
_CALLED = ("attr__id", "attr_id", "attr__data-attr", "attr__name", "attr__aria-label", "$el_text", "text", "attr__href")


def event_of(name: str, properties: Properties, *, by_server: bool) -> Event | Ignored:
    """The event in our words; `by_server`: its sender is no device of a customer."""
    if name in _IGNORED:
        return Ignored(_IGNORED[name])
    if name in _PERSON:
        return Event("group" if name == "$groupidentify" else "identify", name)
    if name in MERGES:
        return Event("alias", name)
    if name in ("$pageview", "$screen"):
        title = first_text((properties,), ("title", "$screen_name"))
        return Event("page_view", name, title=title)
    if name == "$autocapture" or name in _CLICKS:
        return _interaction(name, properties)
    if name == "$exception":
        return Event("custom" if by_server else "client_error", name, text=_error(properties)[1])
    if name == "survey sent":
        return _survey(name, properties)
    if name == "$web_vitals":
        return Event("custom", name)
    return Ignored("other_system_event") if name.startswith("$") else track_event(name, properties)


def told_of(name: str, properties: Properties) -> dict[str, Scalar]:
    """What rules ask, beside the sender's own properties."""
    found: dict[str, Scalar] = {}
    if name == "$autocapture" or name in _CLICKS:
        found = _words_of_element(_pushed(_elements(properties)))
    if name == "$exception":
        found = {"error_type": _error(properties)[0]}
    if name == "$web_vitals":
        lcp_ms = number(properties.get("$web_vitals_LCP_value"))
        found = {"lcp_ms": round(lcp_ms) if lcp_ms is not None else ""}
    if name == "$pageview":
        address = text(properties.get("$current_url"))
        found = {"navigation": "link" if _by_link(properties) else "", "url": address if _has_more(address) else ""}
    if properties.get("$device_type") in ("Mobile", "Tablet"):
        found["device"] = "mobile"
    if name == "survey sent":
        found["survey"] = text(properties.get("$survey_name"))
        # one response comes once a question, and again when it is complete
        found |= {"survey_id": text(properties.get("$survey_id")), "response_id": _submission(properties)}
    return {key: value for key, value in found.items() if value != ""}


# -- clicks and forms


def _interaction(name: str, properties: Properties) -> Event:
    elements = _elements(properties)
    form = next((one for one in elements if one.get("tag_name") == "form"), None)
    pushed = _pushed(elements)
    what, element = text(properties.get("$event_type")), _called(pushed)
    title = first_text((properties, pushed), ("$el_text", "text"))
    if form is not None and what in ("submit", "change") and name == "$autocapture":
        number_of = _called(form)
        subject = f"form:{number_of}" if number_of else ""
        return Event("form_submitted" if what == "submit" else "form_touched", name, element, subject, title)
    return Event("click", name, element or title, title=title)


def _elements(properties: Properties) -> list[Element]:
    """The element and what it stands in, the innermost first."""
    listed = properties.get("$elements")
    if isinstance(listed, list) and listed:
        return [one for one in listed[:_MAX_ELEMENTS] if isinstance(one, dict)]
    chain = properties.get("$elements_chain")
    return _parsed(chain[:_MAX_CHAIN_CHARS]) if isinstance(chain, str) else []


def _parsed(chain: str) -> list[Element]:
    found: list[Element] = []
    for match in _CHAIN_ELEMENT.finditer(chain):
        tag, attributes = match[1].partition(".")[0].strip(), match[2] or ""
        if not match[0] or len(found) == _MAX_ELEMENTS:
            break
        pairs = {name: value.replace('\\"', '"') for name, value in _CHAIN_ATTRIBUTE.findall(attributes)}
        found.append({**pairs, "tag_name": tag})
    return found


def _pushed(elements: list[Element]) -> Element:
    """The element that was used: the innermost, or the button it is drawn in; empty for none."""
    near = elements[: _MAX_ICON_DEPTH + 1]
    whole = next((one for one in near if one.get("tag_name") in _WHOLE or one.get("attr__role")), None)
    return whole or (elements[0] if elements else {})


def _words_of_element(element: Element) -> dict[str, Scalar]:
    """Its tag, and what says of which kind it is."""
    stated = {name: text(element.get(f"attr__{name}")) for name in _TOLD}
    return {"element_type": _element_type(element), **{name: value for name, value in stated.items() if value}}


def _called(element: Element) -> str:
    """What tells an element from its neighbours: its id, name or label."""
    return first_text((element,), _CALLED)


def _element_type(element: Element) -> str:
    """Its tag; an input that is pushed is a button, unless it is ticked."""
    tag, kind = text(element.get("tag_name")).lower(), text(element.get("attr__type")).lower()
    if tag == "input" and kind in _TICKED:
        return kind
    return "button" if tag == "input" and kind in _PUSHED else tag


def _has_more(address: str) -> bool:
    """Whether it has a query or a fragment, by which it may be another view of the same page."""
    return "?" in address or "#" in address


def _by_link(properties: Properties) -> bool:
    """Whether a page of the same site led here: an app says how it moved, else the referrer does."""
    moved = text(properties.get("navigation_type"))
    if moved:
        return moved == "pushState"
    here, there = text(properties.get("$host")), text(properties.get("$referring_domain"))
    return bool(here) and here == there


# -- errors and surveys


def _error(properties: Properties) -> tuple[str, str]:
    """(type, words) of an exception, in the form of 2024 and later, or in the older one."""
    listed = properties.get("$exception_list")
    first = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}
    return (
        text(first.get("type")) or text(properties.get("$exception_type")),
        text(first.get("value"), MAX_TEXT_CHARS) or text(properties.get("$exception_message"), MAX_TEXT_CHARS),
    )


def _survey(name: str, properties: Properties) -> Event:
    """One answered survey: the first number is its score, what is written its words."""
    answers = _answers(properties)
    kind = _kind(text(properties.get("$survey_name")))
    numbers = [found for one in answers if (found := number(one)) is not None]
    low, high = SCALES[kind]
    score = numbers[0] if numbers and low <= numbers[0] <= high else None
    words = [text(one, MAX_TEXT_CHARS) for one in answers if isinstance(one, str) and number(one) is None]
    said = "\n".join(filter(None, words))[:MAX_TEXT_CHARS]
    title = text(properties.get("$survey_name"))
    return Event(
        "survey_answered", name, title=title, text=said, score=score, score_kind=kind if score is not None else ""
    )


def _answers(properties: Properties) -> list[Any]:
    """In the order of the questions: `$survey_questions`, else `$survey_response`, `$survey_response_1`, …"""
    listed = properties.get("$survey_questions")
    found = [one.get("response") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    if any(one is not None for one in found):
        return found
    return [value for key, value in properties.items() if key.startswith("$survey_response")]


def _submission(properties: Properties) -> str:
    return text(properties.get("$survey_submission_id")) or text(properties.get("$survey_response_id"))


def _kind(survey: str) -> ScoreKind:
    words = re.findall(r"[a-z]+", spaced(survey).lower())
    return next((SURVEYS[word] for word in words if word in SURVEYS), "rating")
