"""Statements about accounts: lists in every order, names, one account and its corrections."""

from __future__ import annotations

from services.dashboard.queries.hurts import by_account
from services.dashboard.queries.scopes import TIER, TOUCHED, and_accounts
from services.dashboard.scope import Ranking
from services.dashboard.store import AccountSort
from services.dashboard.words import MONTHLY_TRAITS, REVENUE_TRAITS
from streams.incidents.intake import OWNERS

ACCOUNT_NAMES = """
SELECT account_id, name, segment, traits FROM account_journeys FINAL WHERE account_id IN {ids:Array(String)}
"""

_SORT_KEYS: dict[AccountSort, str] = {
    "recent": "toInt64(toUnixTimestamp64Milli(last_seen_at))",
    "friction": "toInt64(friction_signals)",
    "touchpoints": "toInt64(touchpoints)",
    "name": "lowerUTF8(if(name = '', account_id, name))",
}


def accounts(sort: AccountSort, is_filtered: bool = False) -> str:
    """Ordered by `sort`, then id, from the cursor on. The order is one of the literals above.

    Filtered: those with a touchpoint in the scope.
    """
    touched = f"AND account_id IN (SELECT account_id FROM touchpoints FINAL WHERE {TOUCHED})" if is_filtered else ""
    key, by_name = _SORT_KEYS[sort], sort == "name"
    beyond, order = (">", "ASC") if by_name else ("<", "DESC")
    bound = "{after_key:String}" if by_name else "toInt64OrZero({after_key:String})"
    return f"""
SELECT *, toString({key}) AS sort_key FROM account_journeys FINAL
WHERE ({{phase:String}} = '' OR phase = {{phase:String}})
  AND ({{identified:Int8}} = -1 OR (NOT startsWith(account_id, 'anon:')) = {{identified:Int8}})
  AND ({{identified:Int8}} != 0 OR on_map_touchpoints > 0)
  AND ({{text:String}} = '' OR positionCaseInsensitiveUTF8(name, {{text:String}}) > 0
       OR positionCaseInsensitiveUTF8(account_id, {{text:String}}) > 0)
  AND ({{has_after:UInt8}} = 0 OR ({key}, account_id) {beyond} ({bound}, {{after_id:String}}))
  {touched} {and_accounts(is_filtered)}
ORDER BY {key} {order}, account_id {order} LIMIT {{limit:UInt32}}
"""


# A year's; what is no number counts as none. A trait is a text.
_REVENUE_NAMED = f"arrayFirst(trait -> JSONExtractString(traits, trait) != '', {list(REVENUE_TRAITS)})"

_REVENUE = f"""toFloat64OrZero(JSONExtractString(traits, {_REVENUE_NAMED}))
    * if(has({list(MONTHLY_TRAITS)}, {_REVENUE_NAMED}), 12, 1)"""

_OWNER = f"""arrayFirst(owner -> owner != '', arrayMap(name -> JSONExtractString(traits, name), {list(OWNERS)}))"""

_PLACE = "indexOf({phases:Array(String)}, phase)"

_STAYS_SINCE = "if(phase_since > toDateTime64(0, 3, 'UTC'), phase_since, first_seen_at)"

# What is not known comes last. Texts go upwards, numbers downwards.
_BY_TEXT: dict[Ranking, str] = {
    "tier": "if(tier = '', '\U0010ffff', tier)",
    "owner": "if(owner = '', '\U0010ffff', lowerUTF8(owner))",
    "segment": "if(segment = '', '\U0010ffff', segment)",
    "because": """if(worst_type = '', '\U0010ffff',
      lowerUTF8(transform(worst_type, {kinds:Array(String)}, {kind_names:Array(String)}, worst_type)))""",
    "name": "lowerUTF8(if(name = '', account_id, name))",
}

_BY_NUMBER: dict[Ranking, str] = {
    "pain": "pained",
    "revenue": "revenue",
    "recent": "toFloat64(toUnixTimestamp64Milli(last_seen_at))",
    "phase": f"-toFloat64(if({_PLACE} = 0, 999, {_PLACE}))",
    "stay": f"-toFloat64(toUnixTimestamp64Milli({_STAYS_SINCE}))",
    "incidents": "toFloat64(open_incidents)",
    "committee": "if(isNaN(committee_completeness), -1., toFloat64(committee_completeness))",
    "people": "toFloat64(people)",
    "touchpoints": "toFloat64(touchpoints)",
}


def ranked_accounts(
    sort: Ranking, gaps: int, *, is_filtered: bool = False, of_accounts: bool = False, has_others: bool = False
) -> str:
    """Identified accounts with what hurt them in the window; of equals the one that was seen last comes first."""
    touched = f"AND account_id IN (SELECT account_id FROM touchpoints FINAL WHERE {TOUCHED})" if is_filtered else ""
    if sort in _BY_TEXT:
        key, bound, beyond, order, sign = _BY_TEXT[sort], "{after_key:String}", ">", "ASC", "-"
    else:
        key, bound, beyond, order, sign = _BY_NUMBER[sort], "toFloat64OrZero({after_key:String})", "<", "DESC", ""
    return f"""
SELECT *, toString({key}) AS sort_key, {sign}toUnixTimestamp64Milli(last_seen_at) AS seen_key
FROM (
  SELECT a.account_id AS account_id, a.name AS name, a.phase AS phase, a.phase_since AS phase_since,
    a.segment AS segment, a.traits AS traits, a.touchpoints AS touchpoints, a.people AS people,
    a.friction_signals AS friction_signals, a.first_seen_at AS first_seen_at, a.last_seen_at AS last_seen_at,
    a.committee_completeness AS committee_completeness, a.tier AS tier, a.owner AS owner, a.revenue AS revenue,
    ifNull(h.pained, 0) AS pained, ifNull(h.worst_type, '') AS worst_type, ifNull(i.still, 0) AS open_incidents
  FROM (
    SELECT *, {TIER} AS tier, {_OWNER} AS owner, {_REVENUE} AS revenue FROM account_journeys FINAL
    WHERE NOT startsWith(account_id, 'anon:') {touched} {and_accounts(is_filtered)}) AS a
  LEFT ANY JOIN ({by_account(gaps, of_accounts, has_others)}) AS h ON h.account = sipHash64(a.account_id)
  LEFT ANY JOIN (
    SELECT account_id, count() AS still FROM incidents FINAL
    WHERE NOT (done_at > toDateTime64(0, 3, 'UTC') AND pained_at <= done_at)
      AND NOT (over_at > toDateTime64(0, 3, 'UTC') AND over_at <= now64(3, 'UTC'))
    GROUP BY account_id) AS i ON i.account_id = a.account_id)
WHERE {{has_after:UInt8}} = 0
  OR ({key}, {sign}toUnixTimestamp64Milli(last_seen_at), account_id) {beyond}
    ({bound}, {{after_seen:Int64}}, {{after_id:String}})
ORDER BY {key} {order}, seen_key {order}, account_id {order} LIMIT {{limit:UInt32}}
"""


ACCOUNT = "SELECT * FROM account_journeys FINAL WHERE account_id = {account_id:String}"

CORRECTIONS = """
SELECT * FROM corrections FINAL WHERE account_id = {account_id:String}
ORDER BY corrected_at DESC, correction_id LIMIT {limit:UInt32}
"""
