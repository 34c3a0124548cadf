"""A moment as people give it on the command line: how long ago, or when."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import typer

_AGO: Final = re.compile(r"(\d{1,6})([smhd])\Z")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment(text: str, now: datetime, option: str) -> datetime:
    """`90m`, `36h` or `7d` before `now`, or a date or time of ISO 8601, in UTC unless it says otherwise.

    Raises typer.BadParameter, naming `option` and what it takes.
    """
    if found := _AGO.match(text.strip()):
        return now - timedelta(**{_UNITS[found[2]]: int(found[1])})
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        message = f"{text[:80]!r} is no moment: give 90m, 36h or 7d for that long ago, or 2026-03-01T12:00"
        raise typer.BadParameter(message, param_hint=option) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
