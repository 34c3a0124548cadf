"""Sentences that are stored as a key with its parameters, and in English beside them.

A coded sentence is JSON: `["same_person", {"a": "crm:1", "b": "crm:2"}]`. Its English is made from the code and from
nothing else; a page in another language needs another `Language`, not other data. What has no code is a text as it
stands: what people wrote, and what was stored before. A sentence without parameters may travel as its English.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from string import Formatter
from typing import Final, NamedTuple

import orjson

Param = str | int | list[object]
"""A text, a number, or another coded sentence as it stands in JSON."""
_SENTENCES: Final = frozenset({"because", "reason", "link"})
"""Parameters that are sentences of their own."""
BETWEEN: Final = "\n"
"""What stands between several sentences in one text."""


class Language(NamedTuple):
    """Key → template, or (of one, of many) by `count`; parameter → how its text is said, where not as it stands."""

    sentences: Mapping[str, str | tuple[str, str]]
    texts: Mapping[str, Callable[[str], str]]


def _or_none(text: str) -> str:
    return text or "none"


def _touchpoints(what: str) -> tuple[str, str]:
    return f"{{count}} touchpoint {what}", f"{{count}} touchpoints {what}"


ENGLISH: Final = Language(
    {
        "text": "{text}",
        "more": "and {count} more",
        # why an account is computed anew
        "loaded": "read again, after a restart or a long rest",
        "late": "touchpoints came that lie before later ones: late, or moved here",
        "meanwhile": "touchpoints came meanwhile",
        "newer_mapping": "a newer mapping reads the sender's request otherwise",
        "other_copy": "another copy of a touchpoint knew more",
        "deadline": "a deadline passed",
        "taken_back": "a sender took back what it had said: a survey's answer, or how a deal ended",
        "consent": "a person declined to be followed, or agreed again",
        "repair": "what was told could not be mended from memory",
        "erased": "a person or an account was erased",
        "events_lost": "events that the store had lost were sent again",
        "facts_lost": "facts that the store had lost were stored again",
        "sourced_ids": "ids carry their source from now on",
        "persona": "the persona of person {person} is {now}, not {before}",
        "segment": "the segment is {now}, not {before}",
        "moved": "touchpoints moved to {to}",
        "moved_because": "touchpoints moved to {to}: {because}",
        "blueprint_edited": "blueprint version {now} was edited",
        "blueprint_other": "blueprint version {now} instead of {before}",
        "blueprint_unknown": "blueprint version {now} instead of an unknown one",
        # which link made an attribution another
        "no_longer_said": "a newer mapping reads otherwise, and nothing says so any more: {link}",
        "said_otherwise": "a newer mapping reads otherwise, and what says so has changed: {link}",
        "same_person": "{a} and {b} are the same person",
        "claims": "{account} claims {value}",
        "claims_nothing": "{account} claims no {trait}",
        "record_changed": "{record} was {how}",
        "record_merged": "{record} was {how} into {into}",
        "declared": "{alias} declared {value}",
        "left": "{alias} left {account}",
        "member": "{alias} belongs to {account}",
        "decided_link": "{by} decided: {a} is {b}",
        "decided_unlink": "{by} decided: {a} is not {b}",
        "decided_belongs": "{by} decided: {a} belongs to {b}",
        "decided_not_belongs": "{by} decided: {a} does not belong to {b}",
        # what changed
        "phase_changed": "phase {now}, not {before}",
        "segment_changed": "segment {now}, not {before}",
        "attributed": _touchpoints("attributed anew"),
        "judged": _touchpoints("judged anew"),
        "renamed": _touchpoints("unchanged but for the blueprint's version"),
        "added": _touchpoints("added"),
        "gone": _touchpoints("gone"),
        "signals_changed": ("{count} signal new or changed", "{count} signals new or changed"),
        "signals_withdrawn": ("{count} signal withdrawn", "{count} signals withdrawn"),
        # what moved an account's phase
        "decisive": "decisive: {event}",
        "decisive_on_the_way": "decisive: {event} (on the way to {to})",
        "decisive_refused": "decisive: {event}; {reason}",
        "indicative": "indicative: {type}",
        "only_in": "counts only in {phases}",
        "not_allowed": "no allowed transition from {phase} to {to}",
        "deal_lost_other_open": "a deal was lost, but {deal} is still open",
        "deal_back_other_open": "a deal was moved back, but {deal} is still open",
    },
    {"now": _or_none, "before": _or_none, "by": lambda by: by or "somebody"},
)
HOLES: Final = {
    key: frozenset(hole for _, hole, _, _ in Formatter().parse("".join(template)) if hole)
    for key, template in ENGLISH.sentences.items()
}
"""Key → the parameters that its sentence needs."""
_WHOLE: Final = {text: key for key, text in ENGLISH.sentences.items() if isinstance(text, str) and "{" not in text}


def said(key: str, **params: str | int) -> str:
    """The coded sentence; without parameters its English, by which it is known."""
    if not params:
        return str(ENGLISH.sentences[key])
    return orjson.dumps([key, {name: _nested(name, value) for name, value in params.items()}]).decode()


def english(text: str) -> str:
    """In English; what is no coded sentence stays as it is."""
    return rendered(text, ENGLISH)


def rendered(text: str, language: Language) -> str:
    """A sentence in a language; what is no coded sentence, or has no words in it, in English."""
    code = _code(text)
    return text if code is None else _rendered(*code, language)


def sentences(texts: Iterable[str]) -> list[str]:
    """Texts of one sentence or more, as single ones."""
    return [one for text in texts for one in text.split(BETWEEN)]


def listed(texts: Iterable[str]) -> str:
    """Sentences as one JSON list, for the store."""
    codes = [_code(text) or ("text", {"text": text}) for text in texts]
    return orjson.dumps([[key, params] if params else [key] for key, params in codes]).decode() if codes else ""


def unlisted(stored: str) -> list[str]:
    """What `listed` wrote, each sentence coded; empty where nothing readable is stored."""
    try:
        found = orjson.loads(stored) if stored else []
    except orjson.JSONDecodeError:
        return []
    return [orjson.dumps(one).decode() for one in found] if isinstance(found, list) else []


def _rendered(key: str, params: Mapping[str, Param], language: Language) -> str:
    template = language.sentences.get(key) or ENGLISH.sentences[key]
    if isinstance(template, tuple):
        template = template[params["count"] != 1]
    shown = {name: _shown(name, value, language) for name, value in params.items()}
    return template.format_map(shown)


def _shown(name: str, value: Param, language: Language) -> str:
    if isinstance(value, list):
        code = _checked(value)
        return _rendered(*code, language) if code else ""
    return language.texts.get(name, str)(str(value))


def _nested(name: str, value: str | int) -> Param:
    code = _code(value) if name in _SENTENCES and isinstance(value, str) else None
    return value if code is None else [*code]


def _code(text: str) -> tuple[str, dict[str, Param]] | None:
    if text in _WHOLE:
        return _WHOLE[text], {}
    if not text.startswith("["):
        return None
    try:
        return _checked(orjson.loads(text))
    except orjson.JSONDecodeError:
        return None


def _checked(found: object) -> tuple[str, dict[str, Param]] | None:
    """Key and parameters, if there is such a sentence and they fill its template; people may write anything."""
    if not isinstance(found, list) or not found or not isinstance(found[0], str) or found[0] not in HOLES:
        return None
    params = found[1] if len(found) == 2 and isinstance(found[1], dict) else {}
    return (found[0], params) if params.keys() >= HOLES[found[0]] and _are_values(params) else None


def _are_values(params: Mapping[object, object]) -> bool:
    return all(isinstance(value, str | int | list) for value in params.values())
