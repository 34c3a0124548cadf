"""Values, texts with holes and times of a mapping, as functions of a message."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from schemas.errors import UnmappableEvent
from schemas.mapping import MAX_WORD_CHARS, TimeRule, ValueRule, word_of
from schemas.paths import filled, holes
from schemas.touchpoints import Scalar
from streams.connectors import reading
from streams.connectors.generic.looking import Seen, first_of, look, revealed

Reader = Callable[[Seen], Scalar]
MAX_TIME_CHARS = 100
_EPOCH = re.compile(r"-?[0-9]{9,20}(\.[0-9]{1,9})?")


def reader(rule: ValueRule) -> Reader:
    """What the rule finds; None for nothing. Objects and lists are no value."""
    find = _found(rule)
    if not (rule.values or rule.otherwise is not None or rule.default is not None):
        return find

    def read(seen: Seen) -> Scalar:
        value = find(seen)
        if value is None:
            return rule.default
        return rule.values.get(word_of(value), value if rule.otherwise is None else rule.otherwise)

    return read


def _found(rule: ValueRule) -> Reader:
    if rule.constant is not None:
        return lambda seen: rule.constant
    if rule.template:
        fill = text_with_holes(rule.template)
        return lambda seen: fill(seen) or None
    find, join = first_of(rule.path), rule.join
    if join is None:
        return lambda seen: _first(find(seen))
    return lambda seen: join.join(reading.text(one) for one in _scalars(find(seen))) or None


def _first(found: list[object]) -> Scalar:
    if found and isinstance(found[0], str | int | float):
        return found[0]
    return next(_scalars(found), None)


def _scalars(found: list[object]) -> Iterator[Scalar]:
    for one in found:
        for value in one if isinstance(one, list) else [one]:
            if isinstance(value, str | int | float):
                yield value


def text_with_holes(template: str) -> Callable[[Seen], str]:
    """The text with its holes filled; empty when a hole stays empty."""
    looks = [look(path) for path in holes(template)]

    def fill(seen: Seen) -> str:
        found = tuple(reading.text(_first(one(seen))) for one in looks)
        return filled(template, found)[:MAX_WORD_CHARS] if all(found) else ""

    return fill


def ident(rule: ValueRule, field: str) -> Callable[[Seen], str]:
    """An id as text, empty when there is none. It raises UnmappableEvent for what cannot be one."""
    read = reader(rule)
    return lambda seen: reading.ident({field: read(seen)}, field)


def time_of(rule: TimeRule) -> Callable[[Seen], datetime]:
    """When it happened. It raises UnmappableEvent naming the field, what stands there and what would be right."""
    if rule.received:
        return lambda seen: seen.request.received_at
    find, zone, names = first_of(rule.path), _zone(rule.zone), ", ".join(f"`{path}`" for path in rule.path)
    parse = _PARSERS.get(rule.format, _by_day(rule.format))

    def read(seen: Seen) -> datetime:
        value = _first(find(seen))
        if value is None:
            raise UnmappableEvent(f"{names} is missing: it is the event's time", "missing_field")
        try:
            return reading.stamp(_zoned(parse(value), zone), rule.path[0])
        except (ValueError, OverflowError, UnmappableEvent):
            stated = f"{names} is no time of format `{rule.format}` in 1970–2100: {revealed(rule.path, value)}"
            raise UnmappableEvent(f"{stated}; mend `time.format` of the mapping", "bad_time") from None

    return read


def _zoned(found: object, zone: tzinfo) -> object:
    """With the stated zone where the text had none; as ISO, which is what `stamp` reads."""
    if not isinstance(found, datetime):
        return found
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC).isoformat()


def _zone(name: str) -> tzinfo:
    if name[:1] in "+-":
        sign = -1 if name[0] == "-" else 1
        return timezone(sign * timedelta(hours=int(name[1:3]), minutes=int(name[4:6])))
    return ZoneInfo(name)


def _iso(value: Scalar) -> object:
    text = str(value).strip()[:MAX_TIME_CHARS]
    if not isinstance(value, str):
        raise ValueError("no text")
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return text  # leap seconds are known to `stamp` alone


def _any(value: Scalar) -> object:
    """Text of nine digits or more is a number; of fewer it may be a date, `20261122`."""
    return _iso(value) if isinstance(value, str) and not _EPOCH.fullmatch(value.strip()) else _number(value)


def _number(value: Scalar) -> float:
    found = reading.number(value)
    if found is None:
        raise ValueError("no number")
    return found


def _epoch(per_second: int) -> Callable[[Scalar], object]:
    return lambda value: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=_number(value) / per_second)


def _by_day(form: str) -> Callable[[Scalar], object]:
    return lambda value: datetime.strptime(str(value).strip()[:MAX_TIME_CHARS], form)


_PARSERS: dict[str, Callable[[Scalar], object]] = {"any": _any, "iso": _iso, "s": _epoch(1), "ms": _epoch(1000)}
