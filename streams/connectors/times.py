"""Times as senders write them.

| written | by |
|---|---|
| ISO 8601, without a zone as UTC; RFC 3339 with `t`, `z` or a leap second | nearly all |
| `2026-02-01 09:30:00 UTC`, `2026-02-01T10:30:00+01:00[Europe/Amsterdam]` | Ruby and warehouses; Java |
| `Sun, 01 Feb 2026 09:30:00 GMT` (RFC 1123) | HTTP |
| `Sun Feb 01 2026 09:30:00 GMT+0000 (…)`, `Sun Feb  1 09:30:00 2026` | JavaScript's `Date`, C |
| seconds, milliseconds, microseconds, nanoseconds since 1970, also as text; `/Date(1769938200000)/` | SDKs; .NET |

Days and months in an order that only their country knows (`02/01/2026`) are no times.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Final

_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: From how large a number on it counts thousandths, millionths, billionths: as the unit before, it would be the year
#: 5138.
_UNITS: Final = ((1e17, 1e6), (1e14, 1e3), (1e11, 1.0))
_EPOCH: Final = re.compile(r"\d{10}(?:\d{3}(?:\d{3}){0,2})?(?:\.\d{1,9})?")
_LEAP_SECOND: Final = re.compile(r"(.+\d\d:\d\d):60(.*)")
_RFC_1123: Final = re.compile(r"(?:[a-z]{3,9}, ?)?\d{1,2}[ -][a-z]{3}[ -]\d{2,4} \d\d:\d\d", re.I)
_NAMED_ZONE: Final = re.compile(r"\[[\w/+-]{1,40}\]$")
_UTC: Final = re.compile(r" ?(?:UTC|GMT)$")
_JAVASCRIPT: Final = re.compile(
    r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) (\d{1,2}) (\d{4}) (\d\d:\d\d:\d\d) (?:GMT|UTC)([+-]\d{4})(?: \(.{1,60}\))?"
)
_C: Final = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) (\d\d:\d\d:\d\d) (\d{4})")
_DOTNET: Final = re.compile(r"/Date\((\d{1,14})(?:[+-]\d{4})?\)/")


def parsed(value: object) -> datetime | None:
    """The time, in UTC; None for what is none."""
    try:
        if isinstance(value, str):
            found = _written(value.strip())
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        if isinstance(value, int | float) and isfinite(value):
            return _of_epoch(value)
    except (ValueError, OverflowError):
        pass
    return None


def _written(text: str) -> datetime:
    if text[4:5] == "-":  # nearly all of them
        return _iso(text)
    if _EPOCH.fullmatch(text):
        return _of_epoch(float(text))
    if _RFC_1123.match(text):
        return parsedate_to_datetime(text)
    if found := _JAVASCRIPT.fullmatch(text):
        return datetime.strptime("{} {} {} {} {}".format(*found.groups()), "%b %d %Y %H:%M:%S %z")
    if found := _C.fullmatch(text):
        return datetime.strptime("{} {} {} {}".format(*found.groups()), "%b %d %H:%M:%S %Y")
    if found := _DOTNET.fullmatch(text):
        return _FIRST + timedelta(milliseconds=int(found[1]))
    return _iso(text)


def _of_epoch(value: float) -> datetime:
    per_ms = next((per_ms for least, per_ms in _UNITS if abs(value) >= least), 1e-3)
    return _FIRST + timedelta(milliseconds=value / per_ms)


def _iso(text: str) -> datetime:
    """ISO 8601 as Python reads it, and what RFC 3339, Ruby and Java write besides."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        plain = _UTC.sub("Z", _NAMED_ZONE.sub("", text).upper().replace("\u2212", "-"))
        leap = _LEAP_SECOND.fullmatch(plain)
        found = datetime.fromisoformat(leap.expand(r"\1:59\2") if leap else plain)
        return found + timedelta(seconds=1) if leap else found
