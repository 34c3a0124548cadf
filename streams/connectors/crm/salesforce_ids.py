"""Salesforce's ids: 15 characters in which case counts, or the same with 3 more; here always 18."""

from __future__ import annotations

import re
from typing import Any

from schemas.errors import UnmappableEvent, shown

Record = dict[str, Any]

_ID = re.compile(r"[A-Za-z0-9]{15}([A-Za-z0-9]{3})?")
_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def id_of(record: Record, name: str) -> str:
    """An id of 18 characters; empty where there is none."""
    value = record.get(name)
    return long_id(value) if isinstance(value, str) and value else ""


def required_id(record: Record, name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str) or not value:
        raise UnmappableEvent(f"`{name}` must be an id, not {shown(value)}", "missing_field")
    return long_id(value)


def long_id(value: str) -> str:
    """The id with 18 characters: the last 3 say which of the 15 before are upper case, five letters each."""
    value = value.strip()
    if not _ID.fullmatch(value):
        raise UnmappableEvent(f"an id has 15 or 18 letters and digits, not {shown(value)}", "wrong_value")
    short, end = value[:15], value[15:].upper()
    if value in (value.lower(), value.upper()) and end and all(one in _DIGITS for one in end):
        # some programs change the case of an id, and its end restores it
        upper = [_DIGITS.index(end[place // 5]) >> place % 5 & 1 for place in range(15)]
        short = "".join(one.upper() if is_upper else one.lower() for one, is_upper in zip(short, upper, strict=True))
    return short + _end(short)


def _end(short: str) -> str:
    parts = (short[at : at + 5] for at in (0, 5, 10))
    return "".join(_DIGITS[sum(one.isupper() << place for place, one in enumerate(part))] for part in parts)


def same_organization(stated: str) -> str:
    """An organisation's id as it is compared: with 18 characters; anything else as it is."""
    try:
        return long_id(stated)
    except UnmappableEvent:
        return stated
