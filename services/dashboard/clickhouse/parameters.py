"""What is bound to the statements: scopes, windows and filters as their parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from services.dashboard.scope import Range, Reading, Scope
from services.dashboard.store import TimeKey

FAR_FUTURE = datetime(2261, 1, 1, tzinfo=UTC)
day_of = cache(date.fromisoformat)


def last_key(rows: Sequence[Mapping[str, Any]], limit: int) -> TimeKey | None:
    """Of the last row that is shown, when more are there."""
    return (rows[limit - 1]["occurred_at"], rows[limit - 1]["event_id"]) if len(rows) > limit else None


def filters_of(scope: Scope) -> dict[str, Any]:
    return {
        "personas": _either(scope.persona),
        "segments": _either(scope.segment),
        "channels": _either(scope.channel),
        "types": list(scope.types),
        "tiers": [scope.tier] if scope.tier else [],
        "account": scope.account,
        "every": int(bool(scope.traffic)),
        "records": list(scope.records),
    }


def of_scope(scope: Scope, span: Range) -> dict[str, Any]:
    return {"since": int(span.since.timestamp()), "until": int(span.until.timestamp()), **filters_of(scope)}


def with_carriers(scope: Scope, span: Range) -> dict[str, Any]:
    asked = of_scope(scope, span)
    return asked | {"since_s": asked["since"], "until_s": asked["until"]}


def of_reading(read: Reading) -> dict[str, object]:
    gaps = {
        f"gap_{n}_{end}": int(at.timestamp())
        for n, gap in enumerate(read.gaps)
        for end, at in zip(("from", "to"), gap, strict=True)
    }
    return {"days": sorted(map(str, read.days)), **gaps}


def _either(value: str) -> list[str]:
    return ["", "unknown"] if value == "unknown" else [value] if value else []
