"""Statements about cells of the map: what they sum up, and when anything was seen."""

from __future__ import annotations

from services.dashboard.queries.scopes import (
    ACCOUNTS,
    CELLS,
    COUNTED,
    DAYS,
    SCOPE,
    TIER,
    TOUCHED,
    and_accounts,
    in_gaps,
    rows_of_minutes,
)

# Parts are metadata: the cost does not grow with rows. Merges keep the highest block number, inserts raise it.
FINGERPRINT = """
SELECT table, sum(newest) AS inserts FROM (
  SELECT table, partition_id, max(max_block_number) AS newest FROM system.parts
  WHERE active AND database = currentDatabase()
    AND table IN ('journey_minutes', 'signals', 'account_journeys', 'source_freshness', 'proposals', 'ignored')
  GROUP BY table, partition_id)
GROUP BY table ORDER BY table
"""

FIRST_MINUTE = "SELECT min(minute) AS minute, count() AS cells FROM journey_minutes WHERE volume > 0 AND traffic = ''"

# Which days may be read from journey_days. Asked once for all that a question reads: a day that is unsettled meanwhile
# is read as it was a moment ago.
SETTLED = "SELECT toString(day) AS name, toString(rolled_at) AS made FROM journey_day_states WHERE is_settled"

_SUMS = """phase, touchpoint_type, volume, visitor_volume, friction, delight, emotion_sum, emotion_count, pain_sum,
    account_set, visitor_set, person_set"""


def cells(gaps: int, of_accounts: bool = False, has_people: bool = True) -> str:
    """Cells, phases and the total at once: sets are merged once a cell, and from cells into phases into the total.

    People are the largest sets.
    """
    people = "uniqExactArray(j.person_set)" if has_people else "toUInt64(0)"
    return f"""
SELECT phase, touchpoint_type, grouping(phase) + grouping(touchpoint_type) AS missing,
  sum(j.volume) AS n, sum(j.visitor_volume) AS visits, sum(j.friction) AS frictions, sum(j.delight) AS delights,
  sum(j.emotion_sum) AS emotion_total, sum(j.emotion_count) AS emotions, sum(j.pain_sum) AS pain_total,
  uniqExactArray(j.account_set) AS account_count, uniqExactArray(j.visitor_set) AS visitor_count,
  {people} AS people_count
FROM (
  SELECT {_SUMS} FROM journey_days FINAL WHERE {DAYS} AND {CELLS}
  UNION ALL
  {rows_of_minutes(gaps, _SUMS, of_accounts)}
) AS j
GROUP BY phase, touchpoint_type WITH ROLLUP
HAVING n > 0
"""


def active_accounts(gaps: int, of_accounts: bool = False) -> str:
    """Identified accounts with a touchpoint of the scope."""
    return f"""
SELECT uniqExactArray(a.account_set) AS accounts
FROM (
  SELECT account_set FROM journey_days FINAL WHERE {DAYS} AND {CELLS}
  UNION ALL
  {rows_of_minutes(gaps, "account_set", of_accounts)}
) AS a
"""


def sparks(gaps: int, of_accounts: bool = False) -> str:
    """A bucket is made of whole hours where it is longer than one; the window's first hour may be a part of one."""
    return f"""
SELECT phase, touchpoint_type, intDiv(at - {{origin:Int64}}, {{step_s:Int64}}) AS bucket, sum(s.volume) AS n
FROM (
  SELECT phase, touchpoint_type, toUnixTimestamp(toDateTime(day, 'UTC')) + 3600 * (hour - 1) AS at, volume
  FROM (
    SELECT phase, touchpoint_type, day, sumForEach(d.hourly_volume) AS hours FROM journey_days AS d FINAL
    WHERE {DAYS} AND {CELLS}
    GROUP BY phase, touchpoint_type, day
  ) ARRAY JOIN hours AS volume, arrayEnumerate(hours) AS hour
  WHERE volume > 0
  UNION ALL
  {rows_of_minutes(gaps, "phase, touchpoint_type, toUnixTimestamp(minute) AS at, volume", of_accounts)}
) AS s
GROUP BY phase, touchpoint_type, bucket
"""


def history(gaps: int, of_accounts: bool = False) -> str:
    """`ago`: how many windows before the asked one, from 0. No day of `days` lies in two windows."""
    return f"""
SELECT phase, touchpoint_type, intDiv({{since:Int64}} - 1 - at, {{length_s:Int64}}) AS ago,
  sum(h.friction) AS frictions, sum(h.volume) AS n
FROM (
  SELECT phase, touchpoint_type, toUnixTimestamp(toDateTime(day, 'UTC')) AS at, friction, volume
  FROM journey_days FINAL WHERE {DAYS} AND {CELLS}
  UNION ALL
  {rows_of_minutes(gaps, "phase, touchpoint_type, toUnixTimestamp(minute) AS at, friction, volume", of_accounts)}
) AS h
GROUP BY phase, touchpoint_type, ago
"""


def daily(gaps: int, of_accounts: bool = False) -> str:
    """Pain and volume of every cell by day (UTC): a row a cell, its days in the same order as their sums."""
    return f"""
SELECT phase, touchpoint_type, groupArray(toString(at)) AS days, groupArray(pain) AS pains, groupArray(n) AS volumes
FROM (
SELECT phase, touchpoint_type, at, sum(h.pain_sum) AS pain, sum(h.volume) AS n
FROM (
  SELECT phase, touchpoint_type, day AS at, pain_sum, volume
  FROM journey_days FINAL WHERE {DAYS} AND {CELLS}
  UNION ALL
  {rows_of_minutes(gaps, "phase, touchpoint_type, toDate(minute) AS at, pain_sum, volume", of_accounts)}
) AS h
GROUP BY phase, touchpoint_type, at)
GROUP BY phase, touchpoint_type
"""


def last_minute(of_accounts: bool) -> str:
    """The newest minute on the map of a scope, whatever the window."""
    if of_accounts:
        return f"""
SELECT max(minute) AS last, count() AS n FROM touchpoints FINAL WHERE {COUNTED} {SCOPE} {and_accounts(True)}"""
    return f"SELECT max(minute) AS last, count() AS n FROM journey_minutes FINAL WHERE {CELLS}"


TIERS = f"""
SELECT DISTINCT {TIER} AS tier FROM account_journeys FINAL WHERE traits != '' AND tier != '' ORDER BY tier LIMIT 50
"""


def unmapped(of_accounts: bool) -> str:
    """The commonest events outside the known types."""
    return f"""
SELECT source, vendor_type, count() AS volume FROM touchpoints FINAL
WHERE {TOUCHED} AND NOT has({{known:Array(String)}}, touchpoint_type) {and_accounts(of_accounts)}
GROUP BY source, vendor_type ORDER BY volume DESC, source, vendor_type LIMIT 3
"""


CHANNELS = "SELECT DISTINCT channel FROM journey_minutes WHERE traffic = '' ORDER BY channel LIMIT 100"


def kept_off(gaps: int) -> str:
    """What of a scope is kept off the map because of who sent it; records are no contact moments anyway."""
    off = f"volume > 0 AND traffic != '' AND NOT has({{records:Array(String)}}, touchpoint_type) {SCOPE}"
    return f"""
SELECT traffic, toInt64(sum(k.volume)) AS touchpoints, argMax(k.example, k.at) AS example
FROM (
  SELECT traffic, volume, example, toDateTime(day, 'UTC') AS at FROM journey_days FINAL WHERE {DAYS} AND {off}
  UNION ALL
  SELECT traffic, volume, example, minute FROM journey_minutes FINAL WHERE {in_gaps(gaps)} AND {off}
) AS k
GROUP BY traffic ORDER BY touchpoints DESC, traffic
"""


KEPT_OFF_OF_ACCOUNTS = f"""
SELECT traffic, toInt64(count()) AS touchpoints, argMax(if(url_host = '', agent, url_host), occurred_at) AS example
FROM touchpoints FINAL
WHERE toUnixTimestamp(minute) BETWEEN {{since:Int64}} AND {{until:Int64}} AND on_map = 0 AND traffic != ''
  AND NOT has({{records:Array(String)}}, touchpoint_type) {SCOPE} AND {ACCOUNTS}
GROUP BY traffic ORDER BY touchpoints DESC, traffic
"""
