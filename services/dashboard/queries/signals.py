"""Statements about signals, and what carries them."""

from __future__ import annotations

from services.dashboard.queries.scopes import ACCOUNTS, TOUCHED, and_accounts, carried
from streams.incidents.stored import SINCE


def signals(is_filtered: bool) -> str:
    """Newest first."""
    return f"""
SELECT * FROM signals FINAL
WHERE polarity = {{polarity:String}} AND opened_at >= {{since:DateTime64(3, 'UTC')}}
  AND ({{account_id:String}} = '' OR account_id = {{account_id:String}})
  AND ({{phase:String}} = '' OR phase = {{phase:String}})
  AND ({{touchpoint_type:String}} = '' OR touchpoint_type = {{touchpoint_type:String}})
  AND (empty({{rules:Array(String)}}) OR has({{rules:Array(String)}}, rule))
  AND NOT has({{without:Array(String)}}, rule)
  AND (empty({{cases:Array(String)}}) OR has({{cases:Array(String)}}, case_id))
  AND (opened_at, signal_id) < ({{before:DateTime64(3, 'UTC')}}, {{before_id:String}})
  {carried(is_filtered, of_accounts=True)}
ORDER BY opened_at DESC, signal_id DESC LIMIT {{limit:UInt32}}
"""


_FALLS = f"""
  UNION ALL
  SELECT account_id, concat('phase:', JSONExtractString(move, 'event_id')) AS part_id,
    parseDateTime64BestEffort(JSONExtractString(move, 'at'), 3, 'UTC') AS at
  FROM (SELECT account_id, arrayJoin(JSONExtractArrayRaw(transitions)) AS move FROM account_journeys FINAL
    WHERE last_seen_at >= {{since_at:DateTime64(3, 'UTC')}} AND {ACCOUNTS}
      AND multiSearchAny(transitions, ['"backward"', '"exit"']))
  WHERE JSONExtractBool(move, 'accepted') AND JSONExtractString(move, 'direction') IN ('backward', 'exit')
    AND at >= {{since_at:DateTime64(3, 'UTC')}}
"""


def pained(is_filtered: bool, of_accounts: bool, *, has_falls: bool) -> str:
    """What hurt in a scope, newest first: signals, touchpoints that are pain by definition, falls of the phase.

    Touchpoints are read from `lately` on: all rows since then are there.
    """
    since = SINCE.replace("{since:", "{since_at:")
    return f"""
SELECT account_id, part_id, at FROM (
  SELECT account_id, signal_id AS part_id, greatest(opened_at, closed_at) AS at FROM signals FINAL
  WHERE polarity = 'friction' AND NOT has({{derived:Array(String)}}, rule) AND {since}
    {carried(is_filtered, of_accounts=True)}
  UNION ALL
  SELECT account_id, concat('touchpoint:', event_id), occurred_at FROM touchpoints FINAL
  WHERE {TOUCHED} AND minute >= toDateTime({{lately:Int64}}, 'UTC')
    AND has({{kinds:Array(String)}}, touchpoint_type) {and_accounts(of_accounts)}
  {_FALLS if has_falls else ""}
) ORDER BY at DESC, part_id LIMIT {{limit:UInt32}}
"""


SIGNALS_OF_EVENTS = """
SELECT * FROM signals FINAL
WHERE account_id IN {accounts:Array(String)}
  AND (has({events:Array(String)}, event_id) OR hasAny(evidence, {events:Array(String)}))
ORDER BY opened_at DESC LIMIT 2000
"""

CARRIERS = """
SELECT account_id, event_id, persona, account_method, account_confidence FROM touchpoints FINAL
WHERE (minute, account_id, event_id) IN (
  SELECT toStartOfMinute(occurred_at), account_id, event_id FROM histories
  WHERE (account_id, event_id) IN (
    SELECT arrayJoin(arrayZip({accounts:Array(String)}, {events:Array(String)})) AS pair))
"""
