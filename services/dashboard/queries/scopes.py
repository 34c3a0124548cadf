"""What statements share: which touchpoints, accounts and days a scope is about."""

from __future__ import annotations

from services.dashboard.words import TIER_TRAITS

_TYPES = "AND (empty({types:Array(String)}) OR has({types:Array(String)}, touchpoint_type))"

SCOPE = f"""
  AND (empty({{personas:Array(String)}}) OR has({{personas:Array(String)}}, persona))
  AND (empty({{segments:Array(String)}}) OR has({{segments:Array(String)}}, segment))
  AND (empty({{channels:Array(String)}}) OR has({{channels:Array(String)}}, channel))
  {_TYPES}
"""

# What CRMs call it, the first that is filled in.
TIER = f"""lowerUTF8(arrayFirst(tier -> tier != '', arrayMap(name -> JSONExtractString(traits, name),
    {list(TIER_TRAITS)})))"""

ACCOUNTS = f"""account_id IN (SELECT account_id FROM account_journeys FINAL
    WHERE ({{account:String}} = '' OR account_id = {{account:String}})
      AND (empty({{tiers:Array(String)}}) OR has({{tiers:Array(String)}}, {TIER})))"""

# On the map, and where it is asked for, what is kept off it because of who sent it.
COUNTED = """(on_map = 1
  OR ({every:UInt8} = 1 AND traffic != '' AND NOT has({records:Array(String)}, touchpoint_type)))"""

# The same of minutes and days: a cell says itself why it is off the map.
CELLS = f"""volume > 0
  AND (traffic = '' OR ({{every:UInt8}} = 1 AND NOT has({{records:Array(String)}}, touchpoint_type))) {SCOPE}"""

TOUCHED = f"toUnixTimestamp(minute) BETWEEN {{since:Int64}} AND {{until:Int64}} AND {COUNTED} {SCOPE}"


def and_accounts(of_accounts: bool) -> str:
    return f"AND {ACCOUNTS}" if of_accounts else ""


def in_gaps(gaps: int) -> str:
    """Minutes between the days: `gap_0_from` … `gap_0_to`, and so on. Ranges, so that the key leaves out the rest."""
    ranges = (
        f"minute BETWEEN toDateTime({{gap_{n}_from:Int64}}, 'UTC') AND toDateTime({{gap_{n}_to:Int64}}, 'UTC')"
        for n in range(gaps)
    )
    return f"({' OR '.join(ranges) or '0'})"


DAYS = "day IN {days:Array(Date)}"

# Of some accounts: sums of minutes do not tell, so these are made of the touchpoints.
_OF_ACCOUNTS = f"""
  SELECT minute, phase, touchpoint_type, toUInt64(1) AS volume,
    toUInt64(startsWith(account_id, 'anon:')) AS visitor_volume,
    toUInt64(t.friction > 0) AS friction, toUInt64(t.delight > 0) AS delight,
    if(has_emotion = 1, emotion, 0) AS emotion_sum, toUInt64(has_emotion) AS emotion_count, pain AS pain_sum,
    if(startsWith(account_id, 'anon:'), [], [sipHash64(account_id)]) AS account_set,
    if(startsWith(account_id, 'anon:'), [sipHash64(account_id)], []) AS visitor_set,
    if(person_id = '', [], [sipHash64(person_id)]) AS person_set HURTS
  FROM touchpoints AS t FINAL WHERE GAPS AND {COUNTED} {SCOPE} AND {ACCOUNTS}"""

_HURTS_COLUMN = """,
    if(NOT startsWith(account_id, 'anon:') AND (t.friction > 0 OR has({by_definition:Array(String)}, touchpoint_type)),
      [(sipHash64(account_id), occurred_at, toUInt32(round(pain * 1e6)))], []) AS hurts"""


def rows_of_minutes(gaps: int, columns: str, of_accounts: bool) -> str:
    """Rows of minutes in the gaps between the days."""
    if of_accounts:
        hurts = _HURTS_COLUMN if "hurts" in columns else ""
        return f"SELECT {columns} FROM ({_OF_ACCOUNTS.replace('GAPS', in_gaps(gaps)).replace('HURTS', hurts)})"
    return f"SELECT {columns} FROM journey_minutes FINAL WHERE {in_gaps(gaps)} AND {CELLS}"


# A signal is of its carrier's persona, segment and channel; silence is told by an event of long before.
_CARRIER_REACH_S = 100 * 86_400


def carried(is_filtered: bool, of_accounts: bool) -> str:
    """Signals whose carrying touchpoint is in the scope."""
    if not is_filtered:
        return ""
    return f"""
  {_TYPES} {and_accounts(of_accounts)}
  AND ((empty({{personas:Array(String)}}) AND empty({{segments:Array(String)}}) AND empty({{channels:Array(String)}}))
    OR (account_id, event_id) IN (
      SELECT account_id, event_id FROM touchpoints FINAL
      WHERE toUnixTimestamp(minute) BETWEEN {{since_s:Int64}} - {_CARRIER_REACH_S} AND {{until_s:Int64}}
        AND (friction > 0 OR delight > 0) {SCOPE}))
"""
