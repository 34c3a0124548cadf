"""A signal's explanation: the rule's sentence with the episode's particulars.

Stored are the particulars as they are, with the key of the rule, so that the sentence can be said in other languages;
the English is made from them, and from nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple, TypedDict

import orjson

from schemas.ids import bare
from schemas.touchpoints import CleanTouchpoint
from streams.friction.compiled import CompiledRule

Parameters = Mapping[str, Any]


class Words(TypedDict, total=False):
    """Particulars that are not on the event itself."""

    allowed: timedelta
    working: bool
    fields: tuple[str, ...]
    value: str
    before: str
    parts: tuple[str, ...]


class Explained(NamedTuple):
    """An explanation in English, and what it was made from: `[key, parameters]` as JSON."""

    text: str
    coded: str


class _Case(NamedTuple):
    rule: CompiledRule
    touchpoint: CleanTouchpoint
    size: int
    words: Words


def explain(rule: CompiledRule, touchpoint: CleanTouchpoint, count: int, words: Words) -> Explained:
    """The rule's explanation; names of fields, never what was typed in them."""
    case = _Case(rule, touchpoint, count, words)
    return explained(rule, {name: _READ[name](case) for name in rule.parameters})


def explained(rule: CompiledRule, parameters: Parameters) -> Explained:
    """The rule's explanation with these parameters."""
    coded = orjson.dumps([rule.key, parameters]).decode()
    return Explained(sentence(rule.rule.explanation, parameters), coded)


def sentence(template: str, parameters: Parameters, rule_name: Callable[[str], str] = str) -> str:
    """A template with its holes filled; `rule_name` names the rules of a compound signal's parts."""
    return template.format_map(_Holes(parameters, rule_name))


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


class _Holes(dict[str, str]):
    """What a template asks for, made when it does."""

    def __init__(self, parameters: Parameters, rule_name: Callable[[str], str]) -> None:
        self._parameters, self._rule_name = parameters, rule_name

    def __missing__(self, hole: str) -> str:
        if hole == "parts":
            return ", ".join(map(self._rule_name, self._parameters["parts"]))
        return _SAID[hole](self._parameters)


_SAID: Final[Mapping[str, Callable[[Parameters], str]]] = {
    "count": lambda of: str(of["count"]),
    "times": lambda of: "once" if of["count"] == 1 else f"{of['count']} times",
    "element": lambda of: of["element"] or "an element",
    "page": lambda of: of["page"] or "the page",
    "score": lambda of: "?" if of["score"] is None else f"{of['score']:g}",
    "waited": lambda of: spoken(timedelta(seconds=of["waited_s"])) + " of working time" * of["working"],
    "subject": lambda of: named(of["subject"]) or "it",
    "title": lambda of: of["title"] or named(of["subject"]) or "it",
    "name": lambda of: of["name"],
    "fields": lambda of: ", ".join(of["fields"]) or "no named field",
    "value": lambda of: of["value"] or "another value",
    "before": lambda of: of["before"] or "another value",
}
"""Hole of an explanation → what is said there (see `schemas.friction_rules.HOLES`)."""


def _name(case: _Case) -> str:
    before, colon, after = case.touchpoint.vendor_type.partition(":")
    return (after if colon else before) or case.touchpoint.action


_READ: Final[Mapping[str, Callable[[_Case], object]]] = {
    "count": lambda case: case.size,
    "element": lambda case: case.touchpoint.element,
    "page": lambda case: case.touchpoint.page,
    "score": lambda case: case.touchpoint.score,
    "waited_s": lambda case: int(case.words.get("allowed", case.rule.within).total_seconds()),
    "working": lambda case: case.words.get("working", False),
    "subject": lambda case: case.touchpoint.subject,
    "title": lambda case: case.touchpoint.title,
    "name": _name,
    "fields": lambda case: case.words.get("fields", ()),
    "value": lambda case: case.words.get("value", ""),
    "before": lambda case: case.words.get("before", ""),
    "parts": lambda case: case.words.get("parts", ()),
}
"""Parameter → where it is read."""
