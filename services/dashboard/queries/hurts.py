"""Statements about whom what hurt, how much, and who is at risk."""

from __future__ import annotations

from services.dashboard.queries.scopes import CELLS, DAYS, TOUCHED, and_accounts, carried, rows_of_minutes


def _hurts(gaps: int, of_accounts: bool, has_others: bool) -> str:
    """What hurt identified accounts, a row each: account (hashed), at, and millionths of pain.

    Cells know what is pain outright; of the `others`, which only a policy calls pain, the touchpoints themselves tell.
    """
    of_cells = "AND notEmpty(hurts) AND NOT has({others:Array(String)}, touchpoint_type)"
    minutes = rows_of_minutes(gaps, "phase, touchpoint_type, hurts", of_accounts)
    others = f"""
    UNION ALL
    SELECT phase, touchpoint_type, [(sipHash64(account_id), occurred_at, toUInt32(0))] FROM touchpoints FINAL
    WHERE {TOUCHED} AND has({{others:Array(String)}}, touchpoint_type) AND NOT startsWith(account_id, 'anon:')"""
    return f"""
  SELECT phase, touchpoint_type, each.1 AS account, each.2 AS at,
    if(has({{by_definition:Array(String)}}, touchpoint_type), toUInt32(1000000), each.3) AS pain
  FROM (
    SELECT phase, touchpoint_type, hurts FROM journey_days FINAL WHERE {DAYS} AND {CELLS} {of_cells}
    UNION ALL
    {minutes} {"" if of_accounts else of_cells} {others if has_others and not of_accounts else ""}
  ) ARRAY JOIN hurts AS each"""


_OF_WHOM = "phase, touchpoint_type, grouping(touchpoint_type) AS is_total, grouping(phase) AS is_type"

_BY_WHOM = "GROUP BY GROUPING SETS ((phase, touchpoint_type), (touchpoint_type), ())"


def hurt(gaps: int, of_accounts: bool = False, has_others: bool = False) -> str:
    """How many identified accounts something hurt: of every cell, of every type, and in all.

    A type of `by_definition` hurts whenever it happens.
    """
    return f"""
SELECT {_OF_WHOM}, uniqExact(account) AS accounts, emptyArrayUInt64() AS worst
FROM ({_hurts(gaps, of_accounts, has_others)})
{_BY_WHOM}
"""


def hurt_whom(gaps: int, of_accounts: bool = False, has_others: bool = False) -> str:
    """The same, and the most hurt (hashed) of each, first the most."""
    return f"""
SELECT {_OF_WHOM}, uniqExact(account) AS accounts,
  arrayMap(one -> one.2, arraySlice(arrayReverseSort(groupArray((pained, account))), 1, 8)) AS worst
FROM (
  SELECT phase, touchpoint_type, account, sum(pain) AS pained FROM ({_hurts(gaps, of_accounts, has_others)})
  GROUP BY phase, touchpoint_type, account)
{_BY_WHOM}
"""


def by_account(gaps: int, of_accounts: bool, has_others: bool) -> str:
    """How much each account (hashed) was hurt, by what most, and when last; `p` is in millionths."""
    return f"""
SELECT account, sum(p) / 1e6 AS pained, argMax(touchpoint_type, (p, touchpoint_type)) AS worst_type, max(at) AS last_at
FROM (
  SELECT account, touchpoint_type, max(h.at) AS at, sum(h.pain) AS p
  FROM ({_hurts(gaps, of_accounts, has_others)}) AS h
  GROUP BY account, touchpoint_type)
GROUP BY account"""


def hurt_accounts(gaps: int, of_accounts: bool = False, has_others: bool = False) -> str:
    """The accounts that were hurt most, with what hurt them most, and all that equal the last of them."""
    return f"{by_account(gaps, of_accounts, has_others)} ORDER BY sum(p) DESC LIMIT {{limit:UInt32}} WITH TIES"


HASHED_ACCOUNTS = """
SELECT sipHash64(account_id) AS hash, account_id, name, phase, segment FROM account_journeys FINAL
WHERE hash IN {hashes:Array(UInt64)}
"""

# Those whose own row is not there yet.
HASHED_TOUCHPOINTS = f"""
SELECT DISTINCT sipHash64(account_id) AS hash, account_id FROM touchpoints
WHERE {TOUCHED} AND hash IN {{hashes:Array(UInt64)}}
"""

# A visitor touched something; a record that names nobody makes an account, but no visitor.
# At risk: identified, and in the window one moment of friction from `AT_RISK_SEVERITY` on, or so many of any kind.
AT_RISK_SEVERITY, AT_RISK_MOMENTS = 0.6, 3

_AT_RISK = f"max(severity) >= {AT_RISK_SEVERITY} OR count() >= {AT_RISK_MOMENTS}"

POPULATION = f"""
SELECT
  (SELECT countIf(NOT startsWith(account_id, 'anon:')) FROM account_journeys FINAL
    WHERE last_seen_at >= {{since:DateTime64(3, 'UTC')}}) AS accounts,
  (SELECT countIf(startsWith(account_id, 'anon:') AND on_map_touchpoints > 0) FROM account_journeys FINAL
    WHERE last_seen_at >= {{since:DateTime64(3, 'UTC')}}) AS visitors,
  (SELECT count() FROM (
    SELECT account_id FROM signals FINAL
    WHERE polarity = 'friction' AND opened_at >= {{since:DateTime64(3, 'UTC')}} AND NOT startsWith(account_id, 'anon:')
      AND empty(parts)
    GROUP BY account_id HAVING {_AT_RISK})) AS at_risk
"""

# The same of a scope: whoever touched something in it.
POPULATION_OF_SCOPE = f"""
SELECT
  uniqExactIf(account_id, NOT startsWith(account_id, 'anon:')) AS accounts,
  uniqExactIf(account_id, startsWith(account_id, 'anon:')) AS visitors,
  (SELECT count() FROM (
    SELECT account_id FROM signals FINAL
    WHERE polarity = 'friction' AND toUnixTimestamp(opened_at) BETWEEN {{since:Int64}} AND {{until:Int64}} + 59
      AND NOT startsWith(account_id, 'anon:') AND empty(parts) {carried(is_filtered=True, of_accounts=True)}
    GROUP BY account_id HAVING {_AT_RISK})) AS at_risk
FROM touchpoints FINAL WHERE {TOUCHED} {and_accounts(True)}
"""


def worst_rules(is_filtered: bool) -> str:
    """The rule with the largest sum of severities in each cell."""
    return f"""
SELECT phase, touchpoint_type, argMin(rule, (-severity, rule)) AS rule FROM (
  SELECT phase, touchpoint_type, rule, sum(s.severity) AS severity FROM signals AS s FINAL
  WHERE polarity = 'friction' AND toUnixTimestamp(opened_at) BETWEEN {{since:Int64}} AND {{until:Int64}} + 59
    AND NOT has({{without:Array(String)}}, rule) {carried(is_filtered, of_accounts=True)}
  GROUP BY phase, touchpoint_type, rule)
GROUP BY phase, touchpoint_type
"""
