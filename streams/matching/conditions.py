"""Does a touchpoint meet a blueprint's conditions? Compiled once, asked for every event."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import translate
from functools import lru_cache
from math import inf, isfinite

from schemas.matching import DEAL_ACTIONS, Compare, Match
from schemas.touchpoints import CleanTouchpoint, Scalar
from streams.names import spaced, without_language

Predicate = Callable[[CleanTouchpoint], bool]


def compile_kind(match: Match) -> Predicate:
    """The conditions on what kind of touchpoint it is: action, name, vendor, vendor type, page, channel."""
    return _all([*_kind_tests(match), *([_on_page(match.page)] if match.page else [])])


def compile_page(match: Match) -> Predicate:
    """Whether the page, as it was sent, is one that the match names; never when it names none."""
    return _globs("page", match.page) if match.page else never


def compile_pageless(match: Match) -> Predicate:
    """`compile_kind` without the page."""
    return _all(_kind_tests(match))


def _kind_tests(match: Match) -> list[Predicate]:
    tests: list[Predicate] = []
    if match.asks_deal:
        tests.append(lambda touchpoint: touchpoint.action in DEAL_ACTIONS)
    if match.action:
        tests.append(_equals("action", match.action))
    if match.name:
        tests.append(_named(match.name))
    if match.vendor:
        tests.append(_equals("vendor", match.vendor))
    if match.channel:
        tests.append(_equals("channel", match.channel))
    if match.vendor_type:
        tests.append(_spelt(match.vendor_type))
    return tests


def compile_properties(match: Match) -> Predicate:
    """The conditions on properties and the title; `always` when there are none."""
    tests = [_has_property(name, values) for name, values in match.properties.items()]
    deal = {_DEAL_IS: match.deal, _DEAL_BECAME: match.deal_becomes}
    tests += [_has_property(name, values) for name, values in deal.items() if values]
    return _all([*tests, *([_globs("title", match.title)] if match.title else [])])


#: Where conditions find what an event's deal is and became: names that no sender's property can have.
_DEAL_IS, _DEAL_BECAME = "\x1fdeal", "\x1fdeal_became"


def with_deal(touchpoint: CleanTouchpoint, status: str, became: str) -> CleanTouchpoint:
    """The event as conditions see it once its deal was followed. Never stored."""
    told = {_DEAL_IS: status, _DEAL_BECAME: became}
    return touchpoint.changed(properties=touchpoint.properties | told)


def kind_key(touchpoint: CleanTouchpoint) -> tuple[str, ...]:
    """Everything that `compile_kind` asks about: equal keys, equal answers."""
    return (touchpoint.action, touchpoint.vendor, touchpoint.vendor_type, touchpoint.page, touchpoint.channel)


def always(touchpoint: CleanTouchpoint) -> bool:
    """The predicate without conditions."""
    return True


def never(touchpoint: CleanTouchpoint) -> bool:
    """The predicate that nothing meets."""
    return False


def any_of(predicates: Sequence[Predicate]) -> Predicate:
    """True when any of `predicates` is; `never` for none."""
    if not predicates:
        return never
    if always in predicates:
        return always
    if len(predicates) == 1:
        return predicates[0]
    if len(predicates) == 2:
        one, other = predicates
        return lambda touchpoint: one(touchpoint) or other(touchpoint)
    kept = tuple(predicates)
    return lambda touchpoint: any(predicate(touchpoint) for predicate in kept)


def _all(tests: list[Predicate]) -> Predicate:
    if not tests:
        return always
    if len(tests) == 1:
        return tests[0]
    return lambda touchpoint: all(test(touchpoint) for test in tests)


def crosses(compare: Compare, touchpoint: CleanTouchpoint, targets: Mapping[str, float]) -> float | None:
    """How far the named number is from the boundary to the worst value, 0…1; None when it is not crossed.

    targets: those of the touchpoint's type, for boundaries that are the type's.
    """
    if compare.score_kind and touchpoint.score_kind != compare.score_kind:
        return None
    value = number_of(touchpoint, compare.field)
    if value is None:
        return None
    if compare.at_most is not None:
        boundary, crossed = compare.at_most, value <= compare.at_most
    elif compare.at_least is not None:
        boundary, crossed = compare.at_least, value >= compare.at_least
    else:
        boundary = targets.get(compare.above_target, inf) if compare.above is None else compare.above
        crossed = value > boundary
    if not crossed:
        return None
    if compare.worst_at is None or compare.worst_at == boundary:
        return 0.0
    return min(max((value - boundary) / (compare.worst_at - boundary), 0.0), 1.0)


def number_of(touchpoint: CleanTouchpoint, field: str) -> float | None:
    """The touchpoint's `score`, `sentiment` or a numeric property, also as text; None when absent or no number."""
    if field == "score":
        return touchpoint.score
    if field == "sentiment":
        return touchpoint.sentiment
    value = touchpoint.properties.get(field)
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if isfinite(number) else None


def specificity(match: Match) -> tuple[int, int, int, int, int]:
    """Orders matches: more and longer conditions first. Equal values for different types are ambiguous."""
    return (
        len(match.properties),
        _literal_length(match.page),
        _literal_length(match.vendor_type) or max((len(name) + 1 for name in match.name), default=0),
        bool(match.vendor) + bool(match.channel) + bool(match.title),
        int(bool(match.action)),
    )


def _literal_length(glob: str) -> int:
    return len(re.sub(r"[*?\[\]]", "", glob)) + 1 if glob else 0


@lru_cache(maxsize=16_384)
def plain(name: str) -> str:
    """An event's name as it is compared: `track:Quote Requested` and `quote_requested` are `quoterequested`."""
    before, colon, after = name.partition(":")
    return re.sub(r"[\W_]+", "", (after if colon else before).lower())


def _named(names: tuple[str, ...]) -> Predicate:
    accepted = frozenset(plain(name) for name in names)
    return lambda touchpoint: plain(touchpoint.vendor_type) in accepted


def _equals(field: str, wanted: str) -> Predicate:
    return lambda touchpoint: getattr(touchpoint, field) == wanted


def _spelt(glob: str) -> Predicate:
    """A glob over the vendor's name as it was sent, or with its capitals told apart: `track:DemoRequested`."""
    holds = _glob(glob)
    return lambda touchpoint: any(map(holds, spellings(touchpoint.vendor_type)))


@lru_cache(maxsize=16_384)
def spellings(name: str) -> tuple[str, ...]:
    """A vendor's name in lower case; and with blanks, where its capitals stand for them."""
    told = spaced(name)
    return (name.lower(),) if told == name else (name.lower(), told.lower())


def _globs(field: str, glob: str) -> Predicate:
    holds = _glob(glob)
    return lambda touchpoint: holds(getattr(touchpoint, field).lower())


def _on_page(glob: str) -> Predicate:
    """A glob over the page as it was sent, or without the language it begins with: `/nl/pricing`."""
    holds = _glob(glob)

    def on_page(touchpoint: CleanTouchpoint) -> bool:
        page = touchpoint.page.lower()
        return holds(page) or ((bare := without_language(page)) != page and holds(bare))

    return on_page


def _glob(glob: str) -> Callable[[str], bool]:
    """Most globs are a text with a star at an end or none; those need no automaton."""
    wanted, text = glob.lower(), glob.lower().strip("*")
    if not re.search(r"[*?\[]", text):
        if wanted == f"*{text}*":
            return lambda value: text in value
        if wanted == f"{text}*":
            return lambda value: value.startswith(text)
        if wanted == text:
            return lambda value: value == text
    matches = re.compile(translate(wanted)).match
    return lambda value: matches(value) is not None


def _has_property(name: str, values: tuple[Scalar, ...]) -> Predicate:
    accepted = {folded(value) for value in values}
    return lambda touchpoint: name in touchpoint.properties and folded(touchpoint.properties[name]) in accepted


def folded(value: Scalar) -> Scalar:
    """A property's value as it is compared."""
    return value.strip().lower() if isinstance(value, str) else value
