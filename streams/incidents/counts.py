"""What is counted of touchpoint types, by slots of time: the statements, and series made of their rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, Final

from schemas.blueprint import Blueprint
from schemas.policies import MOST_ACCOUNTS
from streams.incidents.promises import IN_TIME, asked_of
from streams.incidents.series import Series, Tally

Row = Mapping[str, Any]
_Judged = tuple[str, str]
COUNTS: Final = f"""
SELECT touchpoint_type, phase, source, toUInt32(intDiv(toUnixTimestamp(minute), {{width_s:UInt32}})) AS slot,
  count() AS volume, countIf(friction > 0) AS painful, countIf(friction > 0 AND read_anew) AS painful_anew,
  countIf(has_emotion = 1) AS felt, sumIf(emotion, has_emotion = 1) AS emotion_sum,
  sumIf((1 - emotion) / 2, has_emotion = 1 AND read_anew) AS bad_anew,
  sumIf(pow((1 - emotion) / 2, 2), has_emotion = 1) AS bad_squares,
  countIf(action = 'ticket_created' OR NOT startsWith(action, 'ticket_')) AS asked,
  countIf(took_ms > 0) AS timed, countIf(took_ms > most_ms) AS slow,
  countIf(took_ms > most_ms AND read_anew) AS slow_anew,
  groupUniqArrayIf({MOST_ACCOUNTS})(cityHash64(account_id), friction > 0) AS hurt,
  groupUniqArrayIf({MOST_ACCOUNTS})(cityHash64(account_id), has_emotion = 1 AND emotion < 0) AS unhappy,
  groupUniqArrayIf({MOST_ACCOUNTS})(cityHash64(account_id), took_ms > most_ms) AS kept_waiting
FROM
(
  SELECT *, transform(touchpoint_type, {{timed:Array(String)}}, {{most_ms:Array(Float64)}}, toFloat64(0)) AS most_ms,
    if(most_ms > 0, JSONExtractFloat(properties, 'duration_ms'), 0) AS took_ms
  FROM touchpoints FINAL
  WHERE minute >= {{since:DateTime64(3, 'UTC')}} AND minute < {{until:DateTime64(3, 'UTC')}} AND on_map AND NOT backfill
)
GROUP BY touchpoint_type, phase, source, slot
"""
"""What was sent as history is not counted: it says nothing of now, and nobody is to be woken by it. What a newer
mapping read anew is, or there would be nothing to compare with after a remap; what is bad of it alone is no news."""
BROKEN: Final = f"""
SELECT touchpoint_type, rule, toUInt32(intDiv(toUnixTimestamp(opened_at), {{width_s:UInt32}})) AS slot,
  count() AS missed, groupUniqArray({MOST_ACCOUNTS})(cityHash64(account_id)) AS accounts,
  countIf(event_id IN (
    SELECT event_id FROM touchpoints FINAL
    WHERE minute >= toStartOfMinute({{since:DateTime64(3, 'UTC')}}) - toIntervalDay(14) AND read_anew)) AS missed_anew
FROM signals FINAL
WHERE polarity = 'friction' AND rule IN {{rules:Array(String)}}
  AND opened_at >= {{since:DateTime64(3, 'UTC')}} AND opened_at < {{until:DateTime64(3, 'UTC')}}
  AND event_id NOT IN (
    SELECT event_id FROM touchpoints
    WHERE minute >= toStartOfMinute({{since:DateTime64(3, 'UTC')}}) - toIntervalDay(14) AND backfill)
GROUP BY touchpoint_type, rule, slot
"""
"""Promises in time, broken when their time was over."""


def judging(blueprint: Blueprint) -> dict[str, str]:
    """Rule → the target in time that it judges."""
    return {rule.id: way.target for rule in blueprint.rules for way in rule.ways() if way.target in IN_TIME}


def asked(blueprint: Blueprint, since: datetime, until: datetime, width_s: int) -> dict[str, Any]:
    """The parameters of the statements above."""
    timed = asked_of(blueprint.types).get("duration_ms", {})
    return {
        "since": since,
        "until": until,
        "width_s": width_s,
        "timed": list(timed),
        "most_ms": [float(most) for most in timed.values()],
        "rules": sorted(judging(blueprint)),
    }


class Figures:
    """What was judged of types, by (type, target) and slot, kept as rows are asked anew; a series is made again only
    where one of its slots changed."""

    def __init__(self, blueprint: Blueprint) -> None:
        self._target_of = judging(blueprint)
        self._slots: dict[int, dict[_Judged, Tally]] = {}
        self._tallies: dict[_Judged, dict[int, Tally]] = {}
        self._series: dict[_Judged, Series] = {}

    def put(self, slots: Iterable[int], counts: Iterable[Row], broken: Iterable[Row]) -> None:
        """These slots hold these rows now, and nothing else. Rows of one slot are added."""
        found: dict[int, dict[_Judged, Tally]] = {}
        for row in counts:
            for target, tally in _tallies(row):
                _add(found, row, target, tally)
        for row in broken:
            tally = Tally(0.0, float(row["missed"]), frozenset(row["accounts"]), float(row["missed_anew"]))
            _add(found, row, self._target_of[str(row["rule"])], tally)
        for slot in slots:
            self._replace(slot, found.get(slot, {}))

    def drop_before(self, oldest: int) -> None:
        """Forget the slots before one."""
        for slot in [slot for slot in self._slots if slot < oldest]:
            self._replace(slot, {})

    def series(self) -> dict[tuple[str, str], Series]:
        """(type, target) → what was judged."""
        for judged, slots in self._tallies.items():
            if judged not in self._series:
                self._series[judged] = Series(slots)
        return dict(self._series)

    def _replace(self, slot: int, after: dict[_Judged, Tally]) -> None:
        before = self._slots.pop(slot, {})
        if after:
            self._slots[slot] = after
        for judged in [judged for judged in before.keys() | after.keys() if before.get(judged) != after.get(judged)]:
            self._series.pop(judged, None)
            of = self._tallies.setdefault(judged, {})
            of.pop(slot, None)
            if judged in after:
                of[slot] = after[judged]
            elif not of:
                del self._tallies[judged]


def measured(counts: Iterable[Row], broken: Iterable[Row], blueprint: Blueprint) -> dict[tuple[str, str], Series]:
    """(type, target) → what was judged. Rows of one slot are added."""
    figures, counts, broken = Figures(blueprint), list(counts), list(broken)
    figures.put({int(row["slot"]) for row in (*counts, *broken)}, counts, broken)
    return figures.series()


def _add(found: dict[int, dict[_Judged, Tally]], row: Row, target: str, tally: Tally) -> None:
    judged = (str(row["touchpoint_type"]), target)
    slot = found.setdefault(int(row["slot"]), {})
    slot[judged] = slot.get(judged, Tally()).plus(tally)


def cells(counts: Iterable[Row]) -> dict[tuple[str, str], dict[str, Series]]:
    """(type, phase) → measure → what was counted. Rows of one slot are added."""
    found: dict[tuple[str, str], dict[str, dict[int, Tally]]] = {}
    for row in counts:
        cell = found.setdefault((str(row["touchpoint_type"]), str(row["phase"])), {})
        for measure, tally in islice(_tallies(row), 2):
            slots = cell.setdefault(measure, {})
            slots[int(row["slot"])] = slots.get(int(row["slot"]), Tally()).plus(tally)
    return {cell: {measure: Series(slots) for measure, slots in of.items()} for cell, of in found.items()}


def sources_of(counts: Iterable[Row]) -> dict[str, tuple[str, ...]]:
    """Type → the sources that report it, by name."""
    found: dict[str, set[str]] = {}
    for row in counts:
        found.setdefault(str(row["touchpoint_type"]), set()).add(str(row["source"]))
    return {kind: tuple(sorted(names)) for kind, names in found.items()}


def _tallies(row: Row) -> Iterable[tuple[str, Tally]]:
    bad = (float(row["felt"]) - float(row["emotion_sum"])) / 2
    yield "friction_rate", _tally(row, "volume", float(row["painful"]), "hurt", "painful_anew")
    yield "emotion", _tally(row, "felt", bad, "unhappy", "bad_anew")._replace(squares=float(row["bad_squares"]))
    yield "duration_ms", _tally(row, "timed", float(row["slow"]), "kept_waiting", "slow_anew")
    for target in IN_TIME[:-1]:
        yield target, Tally(float(row["asked"]))


def _tally(row: Row, counted: str, bad: float, accounts: str, anew: str) -> Tally:
    return Tally(float(row[counted]), bad, frozenset(row[accounts]), float(row[anew]))
