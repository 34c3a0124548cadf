"""What a system shows, in the oracle's words, and where the two differ."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from schemas.base import EPOCH
from tests.faults.kit.oracle import UNMAPPED, Picture, Row, Rows, decimals, expected
from tests.faults.kit.scenario import Call
from tests.faults.kit.system import System

SETTLE_S = 60.0
STAYS_S = 1.5
VIEWS = (
    "accounts", "account_phases", "compounds", "corrections", "freshness", "journey_map", "journey_map_daily",
    "signals", "touchpoints",
)  # fmt: skip
_TOUCHPOINT = (
    "account_id", "account_method", "person_id", "vendor_event_id", "touchpoint_type", "phase", "persona", "segment",
    "friction_rules",
)  # fmt: skip
_SIGNAL = (
    "account_id", "person_id", "rule", "polarity", "event_id", "touchpoint_type", "phase", "evidence", "explanation",
)  # fmt: skip
_ACCOUNT = ("phase", "high_water_phase", "segment")
_COUNTS = ("touchpoints", "on_map_touchpoints", "people", "friction_signals")
_CELL = ("volume", "accounts", "people", "friction_touchpoints", "delight_touchpoints")


def observed(system: System) -> Picture:
    """Everything visible now, through the views BI tools use and the dashboard's API."""
    return Picture(
        touchpoints={row["event_id"]: _touchpoint(row) for row in system.rows("SELECT * FROM bi.touchpoints")},
        signals={
            row["signal_id"]: _signal(row)
            for view in ("signals", "compounds")
            for row in system.rows(f"SELECT * FROM bi.{view}")
        },
        accounts={row["account_id"]: _account(row) for row in system.rows("SELECT * FROM bi.accounts")},
        phases={_phase_key(row): _phase(row) for row in system.rows("SELECT * FROM bi.account_phases")},
        cells={_cell_key(row): _cell(row) for row in system.rows("SELECT * FROM bi.journey_map")},
        days={_day_key(row): _cell(row) for row in system.rows("SELECT * FROM bi.journey_map_daily")},
        api=_api(system.api("/api/map?window=all")),
    )


def differences(should: Picture, shown: Picture) -> dict[str, dict[Any, tuple[Row | None, Row | None]]]:
    """Part → id → (should be, is), of what is not equal. Empty: everything is as the oracle says."""
    found: dict[str, dict[Any, tuple[Row | None, Row | None]]] = {}
    for part in fields(Picture):
        one: Rows = getattr(should, part.name)
        other: Rows = getattr(shown, part.name)
        wrong = {key: (one.get(key), other.get(key)) for key in one | other if one.get(key) != other.get(key)}
        if wrong:
            found[part.name] = wrong
    return found


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run comes to. `lost` and `invented` are touchpoints, `wrong` rows of any kind that differ."""

    visible: int
    lost: int
    invented: int
    duplicates: int
    wrong: dict[str, dict[Any, tuple[Row | None, Row | None]]]
    settled_s: float

    @property
    def wrong_rows(self) -> int:
        return sum(map(len, self.wrong.values()))

    def __str__(self) -> str:
        parts = ", ".join(f"{len(rows)} {part}" for part, rows in self.wrong.items())
        lines = [f"visible {self.visible}, lost {self.lost}, invented {self.invented}, duplicates {self.duplicates}"]
        lines.append(f"rows that differ from the oracle: {parts or 'none'}")
        for part, rows in self.wrong.items():
            lines += [f"  {part} {key}\n    should be {a}\n    is        {b}" for key, (a, b) in list(rows.items())[:4]]
        return "\n".join(lines)

    def __bool__(self) -> bool:
        return not (self.lost or self.invented or self.duplicates or self.wrong)


def settled(system: System, sent: Iterable[tuple[Call, float]], timeout_s: float = SETTLE_S) -> Verdict:
    """Wait until the system shows what the oracle says and goes on showing it; what is wrong if it never does."""
    began, pairs = time.monotonic(), list(sent)
    good_since: float | None = None
    while True:
        verdict = judged(system, expected(pairs), time.monotonic() - began)
        now = time.monotonic()
        good_since = (good_since or now) if verdict else None
        if good_since is not None and now - good_since >= STAYS_S:
            return verdict
        if now - began > timeout_s and good_since is None:
            return verdict
        time.sleep(0.5)


def judged(system: System, should: Picture, settled_s: float = 0.0) -> Verdict:
    """The system as it is now, against what should be."""
    try:
        shown = observed(system)
        (rows,) = system.rows("SELECT count() AS n, uniqExact(event_id) AS ids FROM bi.touchpoints")
    except httpx.HTTPError as error:
        return Verdict(0, len(should.touchpoints), 0, 0, {"store": {"": (None, {"error": repr(error)})}}, settled_s)
    return Verdict(
        visible=len(shown.touchpoints),
        lost=len(should.touchpoints.keys() - shown.touchpoints.keys()),
        invented=len(shown.touchpoints.keys() - should.touchpoints.keys()),
        duplicates=int(rows["n"]) - int(rows["ids"]),
        wrong=differences(should, shown),
        settled_s=settled_s,
    )


def dump(system: System) -> dict[str, list[str]]:
    """Every row of every BI view, without what only says when it was written or looked at."""
    moving = {"written_at", "as_of", "last_written_at", "silent_for_s", "days_in_phase", "pain_7d", "pain_30d"}
    # a repetition is received, too: that source freshness says so is no figure of the map
    moving |= {"last_received_at"}
    return {
        view: sorted(
            str({name: _rounded(value) for name, value in row.items() if name not in moving})
            for row in system.rows(f"SELECT * FROM bi.{view}")
        )
        for view in VIEWS
    }


def _rounded(value: object) -> object:
    """Sums of floats over minutes depend on the order of reading in the last digit."""
    return round(value, 9) if isinstance(value, float) else value


def _touchpoint(row: dict[str, Any]) -> Row:
    return {name: row[name] for name in _TOUCHPOINT} | {
        "occurred_at": _ms(row["occurred_at"]),
        "on_map": row["on_map"],
        "emotion": _number(row["emotion"], row["has_emotion"], 6),
        "friction": int(row["friction"]),
        "delight": int(row["delight"]),
        "pain": decimals(row["pain"], 6),
    }


def _signal(row: dict[str, Any]) -> Row:
    return {name: row[name] for name in _SIGNAL} | {
        "severity": decimals(row["severity"], 6),
        "opened_at": _ms(row["opened_at"]),
        "closed_at": _ms(row["closed_at"]) if row["is_closed"] else 0,
        "evidence_count": int(row["evidence_count"]),
    }


def _account(row: dict[str, Any]) -> Row:
    times = {name: _ms(row[name]) for name in ("first_seen_at", "last_seen_at")}
    times["phase_since"] = _ms(row["phase_since"]) if row["has_phase_since"] else 0
    return {name: row[name] for name in _ACCOUNT} | {name: int(row[name]) for name in _COUNTS} | times


def _phase_key(row: dict[str, Any]) -> tuple[object, ...]:
    return (row["account_id"], row["event_id"], row["to_phase"], row["is_accepted"])


def _phase(row: dict[str, Any]) -> Row:
    changed_at, dwell_s = _ms(row["changed_at"]), decimals(row["dwell_s"], 3)
    return {"from_phase": row["from_phase"], "changed_at": changed_at, "dwell_s": dwell_s}


def _cell_key(row: dict[str, Any]) -> tuple[object, ...]:
    return (row["phase"], row["touchpoint_type"])


def _day_key(row: dict[str, Any]) -> tuple[object, ...]:
    return tuple(row[n] for n in ("event_date", "phase", "touchpoint_type", "persona", "segment", "channel"))


def _cell(row: dict[str, Any]) -> Row:
    return {name: int(row[name]) for name in _CELL} | {"emotion": _number(row["emotion"], row["has_emotion"], 4)}


def _api(view: dict[str, Any]) -> Rows:
    """The API's cells that have a volume, and how much lies outside its catalogue."""
    cells: Rows = {
        (phase["id"], cell["id"]): {
            "volume": cell["volume"],
            "accounts": cell["accounts_reached"],
            "visitors": cell["visitors_reached"],
            "people": cell["people"],
            "friction_touchpoints": cell["friction_touchpoints"],
            "delight_touchpoints": cell["delight_touchpoints"],
            "emotion": None if cell["emotion"] is None else decimals(cell["emotion"], 4),
        }
        for phase in view["phases"]
        for cell in phase["types"]
        if cell["volume"]
    }
    return cells | {("", UNMAPPED): {"volume": view["unmapped"]["volume"]}}


def _number(value: float | None, is_there: bool, digits: int) -> float | None:
    return decimals(value, digits) if is_there and value is not None and not math.isnan(value) else None


def _ms(text: str) -> int:
    at = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return (at - EPOCH) // timedelta(milliseconds=1)
