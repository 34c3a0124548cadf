"""Roll-ups of days: the minutes of a day that has come to rest, in one row a cell. Never counted up.

A day is recomputed whole from its minutes and read only while it is settled (the view `journey_day_states` says what
that is): a late touchpoint makes it unsettled at once, readers go back to its minutes, and it is rolled up again after
it has rested. So a roll-up that is missing, late or done twice costs time and changes no figure.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Final

from schemas.base import EPOCH
from services.sink.cells import Commands

LOOK_EVERY_S: Final = 60.0
LOOK_AT_ALL_EVERY_S: Final = 3600.0
"""Days that another worker touched and never rolled up are found this late."""
FORGET_AFTER_S: Final = 1800.0
MAX_ASKED: Final = 500
"""Days by name; beyond that it is asked for all. They travel in the URL."""
AT_ONCE: Final = 5
"""Days a look; the next batch of facts does not wait for more."""
_DAY_S: Final = 86_400

# Rests a minute longer than the view asks: a day that is rolled up now is settled now.
_AT_REST: Final = """
SELECT toString(day) AS name,
    toString(greatest(now64(6, 'UTC'), rolled_at + toIntervalMicrosecond(1))) AS version
FROM journey_day_states
WHERE ({everything:UInt8} OR day IN {days:Array(Date)})
  AND NOT is_settled AND recomputed_at < now64(6, 'UTC') - toIntervalMinute(11)
ORDER BY day DESC
LIMIT {limit:UInt32}
"""

# Cells that have vanished from the day come in from the roll-up before and go out as zeros.
ROLL_UP: Final = """
INSERT INTO journey_days (
    day, phase, touchpoint_type, persona, segment, channel, traffic, version, volume, visitor_volume, hourly_volume,
    friction, delight, emotion_sum, emotion_count, pain_sum, account_set, visitor_set, person_set, hurts,
    blueprint_version, importance, moment_of_truth, example
)
SELECT
    {day:Date}, phase, touchpoint_type, persona, segment, channel, traffic, toDateTime64({version:String}, 6, 'UTC'),
    sum(c.volume), sum(c.visitor_volume),
    sumForEach(c.hourly),
    sum(c.friction), sum(c.delight), sum(toInt64(round(c.emotion_sum * 1e6))) / 1e6, sum(c.emotion_count),
    sum(toInt64(round(c.pain_sum * 1e6))) / 1e6,
    groupUniqArrayArray(c.account_set), groupUniqArrayArray(c.visitor_set), groupUniqArrayArray(c.person_set),
    arraySort(groupArrayArray(c.hurts)),
    max(c.blueprint_version), argMax(c.importance, c.blueprint_version), argMax(c.moment_of_truth, c.blueprint_version),
    argMax(c.example, c.at)
FROM
(
    SELECT
        phase, touchpoint_type, persona, segment, channel, traffic, minute AS at, example,
        arrayMap(hour -> if(hour = toHour(minute), toUInt32(volume), 0), range(24)) AS hourly, volume, visitor_volume,
        friction, delight, emotion_sum, emotion_count, pain_sum, account_set, visitor_set, person_set, hurts,
        blueprint_version, importance, moment_of_truth
    FROM journey_minutes FINAL
    WHERE minute >= toDateTime({day:Date}, 'UTC') AND minute < toDateTime({day:Date} + 1, 'UTC') AND volume > 0
    UNION ALL
    SELECT
        phase, touchpoint_type, persona, segment, channel, traffic, toDateTime(0, 'UTC'), '',
        arrayWithConstant(24, toUInt32(0)), 0, 0, 0, 0, 0., 0, 0., [], [], [], [], 0, 0, 0
    FROM journey_days FINAL
    WHERE day = {day:Date} AND volume > 0
) AS c
GROUP BY phase, touchpoint_type, persona, segment, channel, traffic
"""


def roll_up(store: Commands, days: Iterable[str] | None, limit: int = AT_ONCE) -> list[str]:
    """Rolls up those of `days` (None: of all) that are at rest and not settled, the latest first, at most `limit`.

    Returns the days it did. Safe to repeat, also from several processes at once. Raises as Store does.
    """
    asked: dict[str, object] = {"everything": int(days is None), "days": sorted(days or ()), "limit": limit}
    found = [(str(row["name"]), str(row["version"])) for row in store.rows(_AT_REST, asked)]
    for day, version in found:
        store.command(ROLL_UP, {"day": day, "version": version})
    return [day for day, _ in found]


class RollUps:
    """When to look: at what this process touched every minute, at everything at first and every hour."""

    def __init__(self, store: Commands, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._touched: dict[str, float] = {}
        self._look_at, self._look_at_all = 0.0, 0.0

    def touched(self, minutes: Iterable[int]) -> None:
        """Minutes (seconds since 1970) that were recomputed."""
        now = self._clock()
        for day in {minute // _DAY_S for minute in minutes}:
            self._touched[str(EPOCH.date() + timedelta(days=day))] = now

    def due(self) -> bool:
        """Whether it is time to look."""
        return self._clock() >= min(self._look_at, self._look_at_all)

    def run(self) -> list[str]:
        """One look; more of them when there was more to do than fits. Raises as Store does."""
        now = self._clock()
        everything = now >= self._look_at_all or len(self._touched) > MAX_ASKED
        done = roll_up(self._store, None if everything else self._touched)
        if len(done) < AT_ONCE:
            self._look_at = now + LOOK_EVERY_S
            self._look_at_all = now + LOOK_AT_ALL_EVERY_S if everything else self._look_at_all
            self._touched = {day: at for day, at in self._touched.items() if now - at < FORGET_AFTER_S}
        return done

    def put_off(self) -> None:
        """Look later: ClickHouse refused this look, and would refuse it again after the next batch of facts."""
        self._look_at = self._clock() + LOOK_EVERY_S
        self._look_at_all = max(self._look_at_all, self._look_at)
