"""Every statement the dashboard sends. Values are bound; no text of a request becomes part of a statement."""

from __future__ import annotations

from services.dashboard.scope import Ranking
from services.dashboard.store import AccountSort
from services.dashboard.words import MONTHLY_TRAITS, REVENUE_TRAITS, TIER_TRAITS
from streams.incidents.intake import OWNERS
from streams.incidents.stored import SINCE

_TYPES = "AND (empty({types:Array(String)}) OR has({types:Array(String)}, touchpoint_type))"
_SCOPE = f"""
  AND (empty({{personas:Array(String)}}) OR has({{personas:Array(String)}}, persona))
  AND (empty({{segments:Array(String)}}) OR has({{segments:Array(String)}}, segment))
  AND (empty({{channels:Array(String)}}) OR has({{channels:Array(String)}}, channel))
  {_TYPES}
"""
# What CRMs call it, the first that is filled in.
_TIER = f"""lowerUTF8(arrayFirst(tier -> tier != '', arrayMap(name -> JSONExtractString(traits, name),
    {list(TIER_TRAITS)})))"""
_ACCOUNTS = f"""account_id IN (SELECT account_id FROM account_journeys FINAL
    WHERE ({{account:String}} = '' OR account_id = {{account:String}})
      AND (empty({{tiers:Array(String)}}) OR has({{tiers:Array(String)}}, {_TIER})))"""
# On the map, and where it is asked for, what is kept off it because of who sent it.
_COUNTED = """(on_map = 1
  OR ({every:UInt8} = 1 AND traffic != '' AND NOT has({records:Array(String)}, touchpoint_type)))"""
# The same of minutes and days: a cell says itself why it is off the map.
_CELLS = f"""volume > 0
  AND (traffic = '' OR ({{every:UInt8}} = 1 AND NOT has({{records:Array(String)}}, touchpoint_type))) {_SCOPE}"""
_TOUCHED = f"toUnixTimestamp(minute) BETWEEN {{since:Int64}} AND {{until:Int64}} AND {_COUNTED} {_SCOPE}"


def _and_accounts(of_accounts: bool) -> str:
    return f"AND {_ACCOUNTS}" if of_accounts else ""


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


def _in_gaps(gaps: int) -> str:
    """Minutes between the days: `gap_0_from` … `gap_0_to`, and so on. Ranges, so that the key leaves out the rest."""
    ranges = (
        f"minute BETWEEN toDateTime({{gap_{n}_from:Int64}}, 'UTC') AND toDateTime({{gap_{n}_to:Int64}}, 'UTC')"
        for n in range(gaps)
    )
    return f"({' OR '.join(ranges) or '0'})"


_SUMS = """phase, touchpoint_type, volume, visitor_volume, friction, delight, emotion_sum, emotion_count, pain_sum,
    account_set, visitor_set, person_set"""
_DAYS = "day IN {days:Array(Date)}"

# Of some accounts: sums of minutes do not tell, so these are made of the touchpoints.
_OF_ACCOUNTS = f"""
  SELECT minute, phase, touchpoint_type, toUInt64(1) AS volume,
    toUInt64(startsWith(account_id, 'anon:')) AS visitor_volume,
    toUInt64(t.friction > 0) AS friction, toUInt64(t.delight > 0) AS delight,
    if(has_emotion = 1, emotion, 0) AS emotion_sum, toUInt64(has_emotion) AS emotion_count, pain AS pain_sum,
    if(startsWith(account_id, 'anon:'), [], [sipHash64(account_id)]) AS account_set,
    if(startsWith(account_id, 'anon:'), [sipHash64(account_id)], []) AS visitor_set,
    if(person_id = '', [], [sipHash64(person_id)]) AS person_set HURTS
  FROM touchpoints AS t FINAL WHERE GAPS AND {_COUNTED} {_SCOPE} AND {_ACCOUNTS}"""


_HURTS_COLUMN = """,
    if(NOT startsWith(account_id, 'anon:') AND (t.friction > 0 OR has({by_definition:Array(String)}, touchpoint_type)),
      [(sipHash64(account_id), occurred_at, toUInt32(round(pain * 1e6)))], []) AS hurts"""


def _minutes(gaps: int, columns: str, of_accounts: bool) -> str:
    """Rows of minutes in the gaps between the days."""
    if of_accounts:
        hurts = _HURTS_COLUMN if "hurts" in columns else ""
        return f"SELECT {columns} FROM ({_OF_ACCOUNTS.replace('GAPS', _in_gaps(gaps)).replace('HURTS', hurts)})"
    return f"SELECT {columns} FROM journey_minutes FINAL WHERE {_in_gaps(gaps)} AND {_CELLS}"


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
  SELECT {_SUMS} FROM journey_days FINAL WHERE {_DAYS} AND {_CELLS}
  UNION ALL
  {_minutes(gaps, _SUMS, of_accounts)}
) AS j
GROUP BY phase, touchpoint_type WITH ROLLUP
HAVING n > 0
"""


def active_accounts(gaps: int, of_accounts: bool = False) -> str:
    """Identified accounts with a touchpoint of the scope."""
    return f"""
SELECT uniqExactArray(a.account_set) AS accounts
FROM (
  SELECT account_set FROM journey_days FINAL WHERE {_DAYS} AND {_CELLS}
  UNION ALL
  {_minutes(gaps, "account_set", of_accounts)}
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
    WHERE {_DAYS} AND {_CELLS}
    GROUP BY phase, touchpoint_type, day
  ) ARRAY JOIN hours AS volume, arrayEnumerate(hours) AS hour
  WHERE volume > 0
  UNION ALL
  {_minutes(gaps, "phase, touchpoint_type, toUnixTimestamp(minute) AS at, volume", of_accounts)}
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
  FROM journey_days FINAL WHERE {_DAYS} AND {_CELLS}
  UNION ALL
  {_minutes(gaps, "phase, touchpoint_type, toUnixTimestamp(minute) AS at, friction, volume", of_accounts)}
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
  FROM journey_days FINAL WHERE {_DAYS} AND {_CELLS}
  UNION ALL
  {_minutes(gaps, "phase, touchpoint_type, toDate(minute) AS at, pain_sum, volume", of_accounts)}
) AS h
GROUP BY phase, touchpoint_type, at)
GROUP BY phase, touchpoint_type
"""


def last_minute(of_accounts: bool) -> str:
    """The newest minute on the map of a scope, whatever the window."""
    if of_accounts:
        return f"""
SELECT max(minute) AS last, count() AS n FROM touchpoints FINAL WHERE {_COUNTED} {_SCOPE} {_and_accounts(True)}"""
    return f"SELECT max(minute) AS last, count() AS n FROM journey_minutes FINAL WHERE {_CELLS}"


def _hurts(gaps: int, of_accounts: bool, has_others: bool) -> str:
    """What hurt identified accounts, a row each: account (hashed), at, and millionths of pain.

    Cells know what is pain outright; of the `others`, which only a policy calls pain, the touchpoints themselves tell.
    """
    of_cells = "AND notEmpty(hurts) AND NOT has({others:Array(String)}, touchpoint_type)"
    minutes = _minutes(gaps, "phase, touchpoint_type, hurts", of_accounts)
    others = f"""
    UNION ALL
    SELECT phase, touchpoint_type, [(sipHash64(account_id), occurred_at, toUInt32(0))] FROM touchpoints FINAL
    WHERE {_TOUCHED} AND has({{others:Array(String)}}, touchpoint_type) AND NOT startsWith(account_id, 'anon:')"""
    return f"""
  SELECT phase, touchpoint_type, each.1 AS account, each.2 AS at,
    if(has({{by_definition:Array(String)}}, touchpoint_type), toUInt32(1000000), each.3) AS pain
  FROM (
    SELECT phase, touchpoint_type, hurts FROM journey_days FINAL WHERE {_DAYS} AND {_CELLS} {of_cells}
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


def _by_account(gaps: int, of_accounts: bool, has_others: bool) -> str:
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
    return f"{_by_account(gaps, of_accounts, has_others)} ORDER BY sum(p) DESC LIMIT {{limit:UInt32}} WITH TIES"


HASHED_ACCOUNTS = """
SELECT sipHash64(account_id) AS hash, account_id, name, phase, segment FROM account_journeys FINAL
WHERE hash IN {hashes:Array(UInt64)}
"""

# Those whose own row is not there yet.
HASHED_TOUCHPOINTS = f"""
SELECT DISTINCT sipHash64(account_id) AS hash, account_id FROM touchpoints
WHERE {_TOUCHED} AND hash IN {{hashes:Array(UInt64)}}
"""

TIERS = f"""
SELECT DISTINCT {_TIER} AS tier FROM account_journeys FINAL WHERE traits != '' AND tier != '' ORDER BY tier LIMIT 50
"""

# Bounded: the newest ninety days, a screenful.
PEOPLE = """
SELECT person_id, account_id, max(occurred_at) AS last_at FROM touchpoints FINAL
WHERE toUnixTimestamp(minute) >= {since:Int64} AND positionCaseInsensitiveUTF8(person_id, {text:String}) > 0
GROUP BY person_id, account_id ORDER BY last_at DESC, person_id LIMIT {limit:UInt32}
"""


def unmapped(of_accounts: bool) -> str:
    """The commonest events outside the known types."""
    return f"""
SELECT source, vendor_type, count() AS volume FROM touchpoints FINAL
WHERE {_TOUCHED} AND NOT has({{known:Array(String)}}, touchpoint_type) {_and_accounts(of_accounts)}
GROUP BY source, vendor_type ORDER BY volume DESC, source, vendor_type LIMIT 3
"""


# A signal is of its carrier's persona, segment and channel; silence is told by an event of long before.
_CARRIER_REACH_S = 100 * 86_400


def _carried(is_filtered: bool, of_accounts: bool) -> str:
    """Signals whose carrying touchpoint is in the scope."""
    if not is_filtered:
        return ""
    return f"""
  {_TYPES} {_and_accounts(of_accounts)}
  AND ((empty({{personas:Array(String)}}) AND empty({{segments:Array(String)}}) AND empty({{channels:Array(String)}}))
    OR (account_id, event_id) IN (
      SELECT account_id, event_id FROM touchpoints FINAL
      WHERE toUnixTimestamp(minute) BETWEEN {{since_s:Int64}} - {_CARRIER_REACH_S} AND {{until_s:Int64}}
        AND (friction > 0 OR delight > 0) {_SCOPE}))
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
      AND NOT startsWith(account_id, 'anon:') AND empty(parts) {_carried(is_filtered=True, of_accounts=True)}
    GROUP BY account_id HAVING {_AT_RISK})) AS at_risk
FROM touchpoints FINAL WHERE {_TOUCHED} {_and_accounts(True)}
"""


def worst_rules(is_filtered: bool) -> str:
    """The rule with the largest sum of severities in each cell."""
    return f"""
SELECT phase, touchpoint_type, argMin(rule, (-severity, rule)) AS rule FROM (
  SELECT phase, touchpoint_type, rule, sum(s.severity) AS severity FROM signals AS s FINAL
  WHERE polarity = 'friction' AND toUnixTimestamp(opened_at) BETWEEN {{since:Int64}} AND {{until:Int64}} + 59
    AND NOT has({{without:Array(String)}}, rule) {_carried(is_filtered, of_accounts=True)}
  GROUP BY phase, touchpoint_type, rule)
GROUP BY phase, touchpoint_type
"""


CHANNELS = "SELECT DISTINCT channel FROM journey_minutes WHERE traffic = '' ORDER BY channel LIMIT 100"

FRESHNESS = """
SELECT source, max(last_occurred_at) AS last_occurred_at, max(last_received_at) AS last_received_at,
  max(last_written_at) AS last_written_at
FROM source_freshness GROUP BY source ORDER BY source
"""

IGNORED = """
SELECT source, reason, toInt64(sum(messages)) AS messages FROM ignored FINAL
WHERE received_at >= {since:DateTime64(3, 'UTC')}
GROUP BY source, reason ORDER BY source, messages DESC, reason LIMIT 10 BY source
"""

# What senders wrote where an id should be, as a page's own script or a template left unfilled does.
NOBODIES = """
SELECT source, JSONExtractString(properties, {name:String}) AS literal, toInt64(count()) AS messages,
  min(received_at) AS first_at
FROM touchpoints FINAL
WHERE minute >= {since:DateTime64(3, 'UTC')} AND position(properties, {name:String}) > 0 AND literal != ''
GROUP BY source, literal ORDER BY messages DESC, source, literal LIMIT {most:UInt32}
"""

# What is not of customers, and whether any of it is on the map: settings that changed may not have reached all of it.
TRAFFIC = """
SELECT source, traffic, toInt64(count()) AS touchpoints, toInt64(countIf(t.on_map)) AS counted,
  argMax(if(url_host = '', agent, url_host), occurred_at) AS example
FROM touchpoints AS t FINAL
WHERE minute >= toStartOfMinute({since:DateTime64(3, 'UTC')}) AND traffic != ''
GROUP BY source, traffic ORDER BY source, touchpoints DESC, traffic
"""


def kept_off(gaps: int) -> str:
    """What of a scope is kept off the map because of who sent it; records are no contact moments anyway."""
    off = f"volume > 0 AND traffic != '' AND NOT has({{records:Array(String)}}, touchpoint_type) {_SCOPE}"
    return f"""
SELECT traffic, toInt64(sum(k.volume)) AS touchpoints, argMax(k.example, k.at) AS example
FROM (
  SELECT traffic, volume, example, toDateTime(day, 'UTC') AS at FROM journey_days FINAL WHERE {_DAYS} AND {off}
  UNION ALL
  SELECT traffic, volume, example, minute FROM journey_minutes FINAL WHERE {_in_gaps(gaps)} AND {off}
) AS k
GROUP BY traffic ORDER BY touchpoints DESC, traffic
"""


KEPT_OFF_OF_ACCOUNTS = f"""
SELECT traffic, toInt64(count()) AS touchpoints, argMax(if(url_host = '', agent, url_host), occurred_at) AS example
FROM touchpoints FINAL
WHERE toUnixTimestamp(minute) BETWEEN {{since:Int64}} AND {{until:Int64}} AND on_map = 0 AND traffic != ''
  AND NOT has({{records:Array(String)}}, touchpoint_type) {_SCOPE} AND {_ACCOUNTS}
GROUP BY traffic ORDER BY touchpoints DESC, traffic
"""


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
  {_carried(is_filtered, of_accounts=True)}
ORDER BY opened_at DESC, signal_id DESC LIMIT {{limit:UInt32}}
"""


_FALLS = f"""
  UNION ALL
  SELECT account_id, concat('phase:', JSONExtractString(move, 'event_id')) AS part_id,
    parseDateTime64BestEffort(JSONExtractString(move, 'at'), 3, 'UTC') AS at
  FROM (SELECT account_id, arrayJoin(JSONExtractArrayRaw(transitions)) AS move FROM account_journeys FINAL
    WHERE last_seen_at >= {{since_at:DateTime64(3, 'UTC')}} AND {_ACCOUNTS}
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
    {_carried(is_filtered, of_accounts=True)}
  UNION ALL
  SELECT account_id, concat('touchpoint:', event_id), occurred_at FROM touchpoints FINAL
  WHERE {_TOUCHED} AND minute >= toDateTime({{lately:Int64}}, 'UTC')
    AND has({{kinds:Array(String)}}, touchpoint_type) {_and_accounts(of_accounts)}
  {_FALLS if has_falls else ""}
) ORDER BY at DESC, part_id LIMIT {{limit:UInt32}}
"""


KEYS_OF_EVENTS = """
SELECT occurred_at, event_id FROM histories FINAL
WHERE account_id = {account_id:String} AND event_id IN {events:Array(String)}
"""

SIGNALS_OF_EVENTS = """
SELECT * FROM signals FINAL
WHERE account_id IN {accounts:Array(String)}
  AND (has({events:Array(String)}, event_id) OR hasAny(evidence, {events:Array(String)}))
ORDER BY opened_at DESC LIMIT 2000
"""

ACCOUNT_NAMES = """
SELECT account_id, name, segment, traits FROM account_journeys FINAL WHERE account_id IN {ids:Array(String)}
"""

CARRIERS = """
SELECT account_id, event_id, persona, account_method, account_confidence FROM touchpoints FINAL
WHERE (minute, account_id, event_id) IN (
  SELECT toStartOfMinute(occurred_at), account_id, event_id FROM histories
  WHERE (account_id, event_id) IN (
    SELECT arrayJoin(arrayZip({accounts:Array(String)}, {events:Array(String)})) AS pair))
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
    touched = f"AND account_id IN (SELECT account_id FROM touchpoints FINAL WHERE {_TOUCHED})" if is_filtered else ""
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
  {touched} {_and_accounts(is_filtered)}
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
    touched = f"AND account_id IN (SELECT account_id FROM touchpoints FINAL WHERE {_TOUCHED})" if is_filtered else ""
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
    SELECT *, {_TIER} AS tier, {_OWNER} AS owner, {_REVENUE} AS revenue FROM account_journeys FINAL
    WHERE NOT startsWith(account_id, 'anon:') {touched} {_and_accounts(is_filtered)}) AS a
  LEFT ANY JOIN ({_by_account(gaps, of_accounts, has_others)}) AS h ON h.account = sipHash64(a.account_id)
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

# histories is ordered by account: the page's keys come from it, the rows by their full key from touchpoints.
TIMELINE_KEYS = """
SELECT occurred_at, event_id FROM histories FINAL
WHERE account_id = {account_id:String} AND (occurred_at, event_id) < ({before:DateTime64(3, 'UTC')}, {before_id:String})
  AND occurred_at >= {since:DateTime64(3, 'UTC')}
ORDER BY occurred_at DESC, event_id DESC LIMIT {limit:UInt32}
"""

TIMELINE = f"""
SELECT * EXCEPT (properties) FROM touchpoints FINAL
WHERE (minute, account_id, event_id) IN (
  SELECT toDateTime(arrayJoin(arrayZip({{minutes:Array(Int64)}}, {{events:Array(String)}})).1 AS at, 'UTC'),
    {{account_id:String}}, arrayJoin(arrayZip({{minutes:Array(Int64)}}, {{events:Array(String)}})).2)
  {_SCOPE}
ORDER BY occurred_at DESC, event_id DESC
"""

PERSON_TIMELINE = f"""
SELECT * EXCEPT (properties) FROM touchpoints AS t FINAL
WHERE person_id = {{person_id:String}} AND minute >= toStartOfMinute({{since:DateTime64(3, 'UTC')}})
  AND (t.occurred_at, event_id) < ({{before:DateTime64(3, 'UTC')}}, {{before_id:String}})
  AND t.occurred_at >= {{since:DateTime64(3, 'UTC')}} {_SCOPE}
  AND ((empty({{tiers:Array(String)}}) AND {{account:String}} = '') OR {_ACCOUNTS})
ORDER BY t.occurred_at DESC, event_id DESC LIMIT {{limit:UInt32}}
"""

_PERSON_SUMS = """argMax(t.persona, (t.persona != '', t.occurred_at)) AS persona, countIf(t.on_map) AS touchpoints,
  sumIf(t.pain, t.on_map) AS pain, sumIf(t.emotion, t.has_emotion = 1) AS emotion_sum, sum(t.has_emotion) AS statements,
  min(t.occurred_at) AS first_at, max(t.occurred_at) AS last_at"""

PEOPLE_OF_ACCOUNT = f"""
SELECT person_id, {_PERSON_SUMS} FROM touchpoints AS t FINAL
WHERE account_id = {{account_id:String}} AND person_id != '' GROUP BY person_id ORDER BY last_at DESC LIMIT 500
"""

ACCOUNTS_OF_PERSON = f"""
SELECT account_id, {_PERSON_SUMS}, count() OVER () AS accounts FROM touchpoints AS t FINAL
WHERE person_id = {{person_id:String}} GROUP BY account_id ORDER BY last_at DESC LIMIT 200
"""

# What records say of people; only the few rows that say something of one are read as JSON.
TITLES = """
SELECT JSONExtractString(payload, 'attribution', 'person_id') AS person_id,
  argMax(JSONExtractString(payload, 'touchpoint', 'person_traits', 'title') AS said, occurred_at) AS title
FROM histories FINAL
WHERE has({accounts:Array(String)}, account_id) AND position(payload, '"person_traits":{"') > 0 AND said != ''
GROUP BY person_id LIMIT 1000
"""

OWNERS_OF_EVENTS = """
SELECT event_id, account_id FROM histories FINAL WHERE event_id IN {events:Array(String)}
ORDER BY revision DESC LIMIT 1 BY event_id
"""

HISTORY_OF_EVENT = """
SELECT account_id, occurred_at, payload FROM histories FINAL WHERE event_id = {event_id:String}
ORDER BY revision DESC LIMIT 1
"""

# Of all accounts, the filter of accounts lets all through.
_CELL = f"""
FROM touchpoints FINAL
WHERE {_TOUCHED} AND ((empty({{tiers:Array(String)}}) AND {{account:String}} = '') OR {_ACCOUNTS})
  AND phase = {{phase:String}} AND touchpoint_type = {{touchpoint_type:String}}
"""
SHARES = f"""
SELECT 'persona' AS kind, persona AS id, count() AS volume, countIf(friction > 0) AS frictions {_CELL} GROUP BY persona
UNION ALL
SELECT 'channel', channel, count(), countIf(friction > 0) {_CELL} GROUP BY channel
UNION ALL
SELECT 'rule', arrayJoin(arrayDistinct(friction_rules)) AS rule, count(), count() {_CELL} GROUP BY rule
"""

FLOW = """
SELECT source, intDiv(toUnixTimestamp(minute) - {since:Int64}, 3600) AS hour, touchpoint_type, on_map, count() AS n
FROM touchpoints FINAL WHERE toUnixTimestamp(minute) >= {since:Int64}
GROUP BY source, hour, touchpoint_type, on_map
"""

LATEST = """
SELECT event_id, t.account_id AS account_id, source, vendor_type, touchpoint_type, phase, persona, pain, on_map,
  traffic,
  t.received_at AS received_at, j.name AS name
FROM (
  SELECT * FROM touchpoints FINAL WHERE toUnixTimestamp(minute) >= {since:Int64}
  ORDER BY received_at DESC, event_id LIMIT {limit:UInt32}) AS t
LEFT JOIN (SELECT account_id, name FROM account_journeys FINAL) AS j ON j.account_id = t.account_id
ORDER BY received_at DESC, event_id
"""

_PAINED = "if(has({by_definition:Array(String)}, t.touchpoint_type), 1, t.pain)"
_HURTS = "(t.friction > 0 OR has({by_definition:Array(String)}, t.touchpoint_type))"


def variants(of_accounts: bool) -> str:
    """Slices of a scope, each touchpoint in one of each kind."""
    return f"""
SELECT slice.1 AS dim, slice.2 AS id, count() AS volume, sumIf(pained, hurts) AS pain,
  uniqExactIf(account_id, hurts AND NOT startsWith(account_id, 'anon:')) AS accounts
FROM (
  SELECT t.account_id AS account_id, {_PAINED} AS pained, {_HURTS} AS hurts,
    arrayJoin([('phase', t.phase), ('persona', t.persona), ('segment', t.segment), ('channel', t.channel),
      ('device', t.device)]) AS slice
  FROM touchpoints AS t FINAL WHERE {_TOUCHED} {_and_accounts(of_accounts)})
GROUP BY dim, id ORDER BY dim, pain DESC, volume DESC, id LIMIT 12 BY dim
"""


BEFORE_S, AFTER_S = 86_400, 3 * 86_400
"""How far from something painful is looked for what came before and after."""


def beside(of_accounts: bool, after: bool) -> str:
    """What came next to painful touchpoints, the newest thousand, at the same account: of another type, the nearest."""
    near, reach = (">", AFTER_S) if after else ("<", BEFORE_S)
    return f"""
SELECT if(other.kind != '' AND abs(dateDiff('second', hurt.at, other.at)) <= {reach}, other.kind, '') AS kind,
  count() AS n
FROM (
  SELECT account_id, occurred_at AS at FROM touchpoints AS t FINAL
  WHERE {_TOUCHED} AND {_HURTS} {_and_accounts(of_accounts)} ORDER BY at DESC, event_id LIMIT 1000) AS hurt
ASOF LEFT JOIN (
  SELECT account_id, occurred_at AS at, touchpoint_type AS kind FROM touchpoints AS o FINAL
  WHERE toUnixTimestamp(minute) BETWEEN {{since:Int64}} - {BEFORE_S} AND {{until:Int64}} + {AFTER_S} AND {_COUNTED}
    AND NOT has({{types:Array(String)}}, touchpoint_type)) AS other
  ON hurt.account_id = other.account_id AND other.at {near} hurt.at
GROUP BY kind ORDER BY n DESC, kind
"""


def said(of_accounts: bool) -> str:
    """What people wrote, the worst first; the same words of the same account once."""
    return f"""
SELECT event_id, s.account_id AS account_id, j.name AS account_name, persona, at AS occurred_at, words AS text, felt
FROM (
  SELECT event_id, account_id, persona, occurred_at AS at, text AS words,
    if(has_emotion = 1, emotion, nan) AS felt FROM touchpoints AS t FINAL
  WHERE {_TOUCHED} AND text != '' {_and_accounts(of_accounts)}
  ORDER BY if(has_emotion = 1, emotion, 0), at DESC, event_id LIMIT 1 BY account_id, words LIMIT {{limit:UInt32}}) AS s
LEFT JOIN (SELECT account_id, name FROM account_journeys FINAL) AS j ON j.account_id = s.account_id
ORDER BY if(isNaN(felt), 0, felt), at DESC, event_id
"""


CORRECTIONS = """
SELECT * FROM corrections FINAL WHERE account_id = {account_id:String}
ORDER BY corrected_at DESC, correction_id LIMIT {limit:UInt32}
"""

# A yes moves all that an organisation or group has of its own; what has moved since is counted no more.
PROPOSALS = """
SELECT p.*, if(p.kind = 'same_account' AND p.status = 'open', moving.touchpoints, 0) AS would_move
FROM (SELECT * FROM proposals FINAL) AS p
LEFT JOIN
(
    SELECT account_id, touchpoints FROM account_journeys FINAL
    WHERE account_id IN (SELECT a FROM proposals WHERE kind = 'same_account')
) AS moving ON moving.account_id = p.a
WHERE ({status:String} = '' OR status = {status:String})
  AND (since, proposal_id) < ({before:DateTime64(3, 'UTC')}, {before_id:String})
ORDER BY since DESC, proposal_id DESC LIMIT {limit:UInt32}
"""

PROPOSAL = "SELECT * FROM proposals FINAL WHERE proposal_id = {proposal_id:String}"

ERASURE = """
SELECT
  (SELECT count() FROM touchpoints FINAL WHERE event_id = {erasure_id:String}) > 0 AS asked,
  (SELECT count() FROM links FINAL
   WHERE kind = 'erasure' AND startsWith(link_id, concat('erasure|', {erasure_id:String}, '|'))) > 0 AS noted
"""
OPEN_PROPOSALS = "SELECT count() AS open FROM proposals FINAL WHERE status = 'open'"

# As `streams.matching.conditions.plain` and `streams.friction.fields.ref` read them.
_PLAIN_NAME = r"""lowerUTF8(replaceRegexpAll(
  substring(vendor_type, position(vendor_type, ':') + 1), '[^\\p{L}\\p{N}]+', ''))"""
_REF = """if(startsWith(subject, 'ticket:'), substring(subject, 8),
  splitByChar(':', if(subject != '', subject, arrayFirst(id -> id != '', arrayMap(
  key -> trim(BOTH '"' FROM JSONExtractRaw(properties, key)), {references:Array(String)}))))[-1])"""


def _question(side: str) -> str:
    """Which of the questions an event asks or answers, from 1; 0: none."""
    return f"transform({_PLAIN_NAME}, {{{side}:Array(String)}}, {{{side}_of:Array(UInt16)}}, toUInt16(0))"


# By the clock: a rule that pauses while the customer is asked may judge otherwise.
MEASURES = f"""
SELECT 'duration_ms' AS target, quantileExactInclusive(0.5)(JSONExtractFloat(properties, 'duration_ms')) AS value
{_CELL} AND JSONExtractFloat(properties, 'duration_ms') > 0
HAVING count() > 0
UNION ALL
SELECT took.1, quantileExactInclusive(0.5)(took.2) FROM (
  SELECT arrayJoin([('first_response_s', replied_at), ('resolution_s', solved_at)]) AS step,
    (step.1, dateDiff('millisecond', opened_at, step.2) / 1000) AS took
  FROM (
    SELECT minIf(occurred_at, action = 'ticket_created') AS opened_at,
      minIf(occurred_at, action = 'ticket_replied_by_agent') AS replied_at,
      minIf(occurred_at, action = 'ticket_status' AND JSONExtractString(properties, 'current') IN ('solved', 'closed'))
        AS solved_at
    FROM touchpoints FINAL
    WHERE toUnixTimestamp(minute) BETWEEN {{since:Int64}} AND {{until:Int64}}
      AND subject IN (SELECT subject {_CELL} AND subject != '')
    GROUP BY account_id, subject
    HAVING toUnixTimestamp(opened_at) > 0)
  WHERE toUnixTimestamp(step.2) > 0 AND step.2 >= opened_at)
GROUP BY took.1
UNION ALL
SELECT 'answer_s', quantileExactInclusive(0.5)(waited_ms) / 1000 FROM (
  SELECT min(dateDiff('millisecond', asked.at, answered.at)) AS waited_ms
  FROM (SELECT event_id AS asked_id, account_id, occurred_at AS at, {_REF} AS ref, {_question("opens")} AS question
        {_CELL} AND question > 0) AS asked
  INNER JOIN (SELECT account_id, occurred_at AS at, {_REF} AS ref, {_question("closes")} AS question
        FROM touchpoints FINAL
        WHERE toUnixTimestamp(minute) BETWEEN {{since:Int64}} AND {{until:Int64}} AND question > 0) AS answered
    ON asked.account_id = answered.account_id AND asked.question = answered.question
  WHERE answered.at >= asked.at AND (asked.ref = '' OR answered.ref = '' OR asked.ref = answered.ref)
  GROUP BY asked.asked_id)
HAVING count() > 0
"""
