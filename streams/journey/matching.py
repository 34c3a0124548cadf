"""Does a touchpoint meet a blueprint's conditions? Compiled once, asked for every event."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fnmatch import translate

from schemas.matching import Compare, Match
from schemas.touchpoints import CleanTouchpoint, Scalar

Predicate = Callable[[CleanTouchpoint], bool]


def compile_match(match: Match) -> Predicate:
    """A predicate that is true when every condition of `match` holds."""
    kind, properties = compile_kind(match), compile_properties(match)
    return lambda touchpoint: kind(touchpoint) and properties(touchpoint)


def compile_kind(match: Match) -> Predicate:
    """The conditions on what kind of touchpoint it is: action, vendor, vendor type, page, channel."""
    tests: list[Predicate] = []
    if match.action:
        tests.append(_equals("action", match.action))
    if match.vendor:
        tests.append(_equals("vendor", match.vendor))
    if match.channel:
        tests.append(_equals("channel", match.channel))
    if match.vendor_type:
        tests.append(_globs("vendor_type", match.vendor_type))
    if match.page:
        tests.append(_globs("page", match.page))
    return _all(tests)


def compile_properties(match: Match) -> Predicate:
    """The conditions on properties."""
    return _all([_has_property(name, values) for name, values in match.properties.items()])


def kind_key(touchpoint: CleanTouchpoint) -> tuple[str, ...]:
    """Everything that `compile_kind` asks about: equal keys, equal answers."""
    return (touchpoint.action, touchpoint.vendor, touchpoint.vendor_type, touchpoint.page, touchpoint.channel)


def _all(tests: list[Predicate]) -> Predicate:
    if not tests:
        return lambda touchpoint: True
    if len(tests) == 1:
        return tests[0]
    return lambda touchpoint: all(test(touchpoint) for test in tests)


def compile_any(matches: Sequence[Match]) -> Predicate:
    """True when any of `matches` holds; never true for none."""
    predicates = [compile_match(match) for match in matches]
    return lambda touchpoint: any(predicate(touchpoint) for predicate in predicates)


def crosses(compare: Compare, touchpoint: CleanTouchpoint) -> float | None:
    """How far the named number is from the boundary to the worst value, 0…1; None when it is not crossed."""
    if compare.score_kind and touchpoint.score_kind != compare.score_kind:
        return None
    value = number_of(touchpoint, compare.field)
    boundary = compare.at_most if compare.at_most is not None else compare.at_least
    if value is None or boundary is None:
        return None
    if value > boundary if compare.at_most is not None else value < boundary:
        return None
    if compare.worst_at is None or compare.worst_at == boundary:
        return 0.0
    return min(max((value - boundary) / (compare.worst_at - boundary), 0.0), 1.0)


def number_of(touchpoint: CleanTouchpoint, field: str) -> float | None:
    """The touchpoint's `score` or a numeric property; None when absent or no number."""
    value = touchpoint.score if field == "score" else touchpoint.properties.get(field)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def specificity(match: Match) -> tuple[int, int, int, int, int]:
    """Orders matches: more and longer conditions first. Equal values for different types are ambiguous."""
    return (
        len(match.properties),
        _literal_length(match.page),
        _literal_length(match.vendor_type),
        bool(match.vendor) + bool(match.channel),
        int(bool(match.action)),
    )


def _literal_length(glob: str) -> int:
    return len(re.sub(r"[*?\[\]]", "", glob)) + 1 if glob else 0


def _equals(field: str, wanted: str) -> Predicate:
    return lambda touchpoint: getattr(touchpoint, field) == wanted


def _globs(field: str, glob: str) -> Predicate:
    fixed = glob.lower().removesuffix("*")
    if not re.search(r"[*?\[]", fixed):  # by far most are a plain text or the beginning of one
        if glob.endswith("*"):
            return lambda touchpoint: getattr(touchpoint, field).lower().startswith(fixed)
        return lambda touchpoint: getattr(touchpoint, field).lower() == fixed
    matches = re.compile(translate(glob.lower())).match
    return lambda touchpoint: matches(getattr(touchpoint, field).lower()) is not None


def _has_property(name: str, values: tuple[Scalar, ...]) -> Predicate:
    accepted = {folded(value) for value in values}
    return lambda touchpoint: name in touchpoint.properties and folded(touchpoint.properties[name]) in accepted


def folded(value: Scalar) -> Scalar:
    """A property's value as it is compared."""
    return value.strip().lower() if isinstance(value, str) else value
