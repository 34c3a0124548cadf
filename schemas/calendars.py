"""When somebody works: the hours in which a clock that counts working time runs."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator

from schemas.base import Strict

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)

_SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-((?:[01]\d|2[0-3]):[0-5]\d|24:00)")


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"`{text[:60]}` is no time zone: give a name as in `Europe/Amsterdam`, or `UTC`") from None
    return text


def _span(text: str) -> str:
    if _SPAN.fullmatch(text) is None or text[:5] >= text[6:]:
        raise ValueError(f"`{text[:40]}` is no time of work: give its begin and its later end, as in `09:00-17:00`")
    return text


ZoneText = Annotated[str, AfterValidator(_zone)]
WorkSpan = Annotated[str, AfterValidator(_span)]


class Calendar(Strict):
    """Working hours by the clock of a zone."""

    zone: ZoneText = Field("UTC", description="time zone of the hours, as `Europe/Amsterdam`")
    hours: dict[Weekday, tuple[WorkSpan, ...]] = Field(
        description="day of the week → hours, as `[09:00-12:30, 13:00-17:00]`; a day that is left out is free"
    )
    holidays: tuple[date, ...] = Field((), max_length=1000, description="days on which nobody works, as `2026-12-25`")

    @model_validator(mode="after")
    def _has_hours(self) -> Calendar:
        if not any(self.hours.values()):
            raise ValueError("`hours` names no hour of work; leave the calendar out, or give some")
        for day, spans in self.hours.items():
            told = sorted(spans)
            if any(one[6:] > other[:5] for one, other in zip(told, told[1:], strict=False)):
                raise ValueError(f"hours of {day} overlap: {', '.join(told)}")
        return self
