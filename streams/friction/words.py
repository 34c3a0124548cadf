"""A signal's explanation: the rule's sentence with the episode's particulars."""

from __future__ import annotations

from datetime import timedelta
from typing import TypedDict

from schemas.ids import bare
from schemas.touchpoints import CleanTouchpoint
from streams.friction.compiled import CompiledRule


class Words(TypedDict, total=False):
    """Particulars that are not on the event itself."""

    allowed: timedelta
    working: bool
    fields: tuple[str, ...]
    value: str
    before: str
    parts: tuple[str, ...]


def explain(rule: CompiledRule, touchpoint: CleanTouchpoint, count: int, words: Words) -> str:
    """The rule's explanation; names of fields, never what was typed in them."""
    before, colon, after = touchpoint.vendor_type.partition(":")
    known = {
        "count": count,
        "times": "once" if count == 1 else f"{count} times",
        "element": touchpoint.element or "an element",
        "page": touchpoint.page or "the page",
        "score": f"{touchpoint.score:g}" if touchpoint.score is not None else "?",
        "waited": spoken(words.get("allowed", rule.within)) + " of working time" * words.get("working", False),
        "subject": named(touchpoint.subject) or "it",
        "title": touchpoint.title or named(touchpoint.subject) or "it",
        "name": (after if colon else before) or touchpoint.action,
        "fields": ", ".join(words.get("fields", ())) or "no named field",
        "value": words.get("value", "") or "another value",
        "before": words.get("before", "") or "another value",
        "parts": ", ".join(words.get("parts", ())),
    }
    return rule.rule.explanation.format_map(known)


def named(subject: str) -> str:
    """What an event is about, as people say it: `form:demo` is the form demo; an id of a record stays as it is."""
    kind, _, name = subject.partition(":")
    return f"the form {name}" if kind == "form" and name else bare(subject)


def spoken(duration: timedelta) -> str:
    """A duration in its largest whole unit: `4 hours`, `30 minutes`."""
    seconds = int(duration.total_seconds())
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}{'s' if seconds != size else ''}"
    return f"{seconds} second{'s' if seconds != 1 else ''}"
