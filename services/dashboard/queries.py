"""Every statement the dashboard sends. Values are bound; no text of a request becomes part of a statement."""

from __future__ import annotations

from services.dashboard.store import AccountSort

_SCOPE = """
  AND (empty({personas:Array(String)}) OR has({personas:Array(String)}, persona))
  AND (empty({segments:Array(String)}) OR has({segments:Array(String)}, segment))
  AND (empty({channels:Array(String)}) OR has({channels:Array(String)}, channel))
"""

# Parts are metadata: the cost does not grow with rows. Merges keep the highest block number, inserts raise it.
FINGERPRINT = """
SELECT table, sum(newest) AS inserts FROM (
  SELECT table, partition_id, max(max_block_number) AS newest FROM system.parts
  WHERE active AND database = currentDatabase()
    AND table IN ('journey_minutes', 'signals', 'account_journeys', 'source_freshness', 'proposals', 'ignored')
  GROUP BY table, partition_id)
GROUP BY table ORDER BY table
"""

FIRST_MINUTE = "SELECT min(minute) AS minute, count() AS cells FROM journey_minutes WHERE volume > 0"

# Which of some days may be read from journey_days. Asked once for all that a question reads: a day that is unsettled
# meanwhile is read as it was a moment ago.
SETTLED = """
SELECT toString(day) AS name FROM journey_day_states WHERE day BETWEEN {first:Date} AND {last:Date} AND is_settled
"""


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


def cells(gaps: int) -> str:
    """Cells, phases and the total at once: sets are merged once a cell, and from cells into phases into the total."""
    return f"""
SELECT phase, touchpoint_type, grouping(phase) + grouping(touchpoint_type) AS missing,
  sum(j.volume) AS n, sum(j.visitor_volume) AS visits, sum(j.friction) AS frictions, sum(j.delight) AS delights,
  sum(j.emotion_sum) AS emotion_total, sum(j.emotion_count) AS emotions, sum(j.pain_sum) AS pain_total,
  uniqExactArray(j.account_set) AS account_count, uniqExactArray(j.visitor_set) AS visitor_count,
  uniqExactArray(j.person_set) AS people_count
FROM (
  SELECT {_SUMS} FROM journey_days FINAL WHERE {_DAYS} AND volume > 0 {_SCOPE}
  UNION ALL
  SELECT {_SUMS} FROM journey_minutes FINAL WHERE {_in_gaps(gaps)} AND volume > 0 {_SCOPE}
) AS j
GROUP BY phase, touchpoint_type WITH ROLLUP
HAVING n > 0
"""


def sparks(gaps: int) -> str:
    """A bucket is made of whole hours where it is longer than one; the window's first hour may be a part of one."""
    return f"""
SELECT phase, touchpoint_type, intDiv(at - {{origin:Int64}}, {{step_s:Int64}}) AS bucket, sum(s.volume) AS n
FROM (
  SELECT phase, touchpoint_type, toUnixTimestamp(toDateTime(day, 'UTC')) + 3600 * (hour - 1) AS at, volume
  FROM (
    SELECT phase, touchpoint_type, day, sumForEach(d.hourly_volume) AS hours FROM journey_days AS d FINAL
    WHERE {_DAYS} AND d.volume > 0 {_SCOPE}
    GROUP BY phase, touchpoint_type, day
  ) ARRAY JOIN hours AS volume, arrayEnumerate(hours) AS hour
  WHERE volume > 0
  UNION ALL
  SELECT phase, touchpoint_type, toUnixTimestamp(minute) AS at, volume FROM journey_minutes FINAL
  WHERE {_in_gaps(gaps)} AND volume > 0 {_SCOPE}
) AS s
GROUP BY phase, touchpoint_type, bucket
"""


def history(gaps: int) -> str:
    """`ago`: how many windows before the asked one, from 0. No day of `days` lies in two windows."""
    return f"""
SELECT phase, touchpoint_type, intDiv({{since:Int64}} - 1 - at, {{length_s:Int64}}) AS ago,
  sum(h.friction) AS frictions, sum(h.volume) AS n
FROM (
  SELECT phase, touchpoint_type, toUnixTimestamp(toDateTime(day, 'UTC')) AS at, friction, volume
  FROM journey_days FINAL WHERE {_DAYS} AND volume > 0 {_SCOPE}
  UNION ALL
  SELECT phase, touchpoint_type, toUnixTimestamp(minute) AS at, friction, volume FROM journey_minutes FINAL
  WHERE {_in_gaps(gaps)} AND volume > 0 {_SCOPE}
) AS h
GROUP BY phase, touchpoint_type, ago
"""


UNMAPPED = f"""
SELECT source, vendor_type, count() AS volume FROM touchpoints FINAL
WHERE toUnixTimestamp(minute) BETWEEN {{since:Int64}} AND {{until:Int64}}
  AND on_map = 1 AND NOT has({{known:Array(String)}}, touchpoint_type) {_SCOPE}
GROUP BY source, vendor_type ORDER BY volume DESC, source, vendor_type LIMIT 3
"""

# A visitor touched something; a record that names nobody makes an account, but no visitor.
# At risk: identified, and in the window one severe moment of friction or three of any kind.
POPULATION = """
SELECT
  (SELECT countIf(NOT startsWith(account_id, 'anon:')) FROM account_journeys FINAL
    WHERE last_seen_at >= {since:DateTime64(3, 'UTC')}) AS accounts,
  (SELECT countIf(startsWith(account_id, 'anon:') AND on_map_touchpoints > 0) FROM account_journeys FINAL
    WHERE last_seen_at >= {since:DateTime64(3, 'UTC')}) AS visitors,
  (SELECT count() FROM (
    SELECT account_id FROM signals FINAL
    WHERE polarity = 'friction' AND opened_at >= {since:DateTime64(3, 'UTC')} AND NOT startsWith(account_id, 'anon:')
      AND empty(parts)
    GROUP BY account_id HAVING max(severity) >= 0.6 OR count() >= 3)) AS at_risk
"""

WORST_RULES = """
SELECT phase, touchpoint_type, argMin(rule, (-severity, rule)) AS rule FROM (
  SELECT phase, touchpoint_type, rule, sum(s.severity) AS severity FROM signals AS s FINAL
  WHERE polarity = 'friction' AND toUnixTimestamp(opened_at) BETWEEN {since:Int64} AND {until:Int64} + 59
    AND NOT has({without:Array(String)}, rule)
  GROUP BY phase, touchpoint_type, rule)
GROUP BY phase, touchpoint_type
"""

CHANNELS = "SELECT DISTINCT channel FROM journey_minutes ORDER BY channel LIMIT 100"

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

SIGNALS = """
SELECT * FROM signals FINAL
WHERE polarity = {polarity:String} AND opened_at >= {since:DateTime64(3, 'UTC')}
  AND ({account_id:String} = '' OR account_id = {account_id:String})
  AND ({phase:String} = '' OR phase = {phase:String})
  AND ({touchpoint_type:String} = '' OR touchpoint_type = {touchpoint_type:String})
  AND (empty({rules:Array(String)}) OR has({rules:Array(String)}, rule)) AND NOT has({without:Array(String)}, rule)
  AND (empty({cases:Array(String)}) OR has({cases:Array(String)}, case_id))
  AND (opened_at, signal_id) < ({before:DateTime64(3, 'UTC')}, {before_id:String})
ORDER BY opened_at DESC, signal_id DESC LIMIT {limit:UInt32}
"""

ACCOUNT_SIGNALS = """
SELECT * FROM signals FINAL WHERE account_id = {account_id:String} ORDER BY opened_at DESC LIMIT {limit:UInt32}
"""

ACCOUNT_NAMES = "SELECT account_id, name FROM account_journeys FINAL WHERE has({ids:Array(String)}, account_id)"

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


def accounts(sort: AccountSort) -> str:
    """Ordered by `sort`, then id, from the cursor on. The order is one of the literals above."""
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
ORDER BY {key} {order}, account_id {order} LIMIT {{limit:UInt32}}
"""


ACCOUNT = "SELECT * FROM account_journeys FINAL WHERE account_id = {account_id:String}"

# histories is ordered by account: the page's keys come from it, the rows by their full key from touchpoints.
TIMELINE_KEYS = """
SELECT occurred_at, event_id FROM histories FINAL
WHERE account_id = {account_id:String} AND (occurred_at, event_id) < ({before:DateTime64(3, 'UTC')}, {before_id:String})
ORDER BY occurred_at DESC, event_id DESC LIMIT {limit:UInt32}
"""

TIMELINE = """
SELECT * EXCEPT (properties) FROM touchpoints FINAL
WHERE (minute, account_id, event_id) IN (
  SELECT toDateTime(arrayJoin(arrayZip({minutes:Array(Int64)}, {events:Array(String)})).1 AS at, 'UTC'),
    {account_id:String}, arrayJoin(arrayZip({minutes:Array(Int64)}, {events:Array(String)})).2)
ORDER BY occurred_at DESC, event_id DESC
"""

HISTORY_OF_EVENT = """
SELECT account_id, occurred_at, payload FROM histories FINAL WHERE event_id = {event_id:String}
ORDER BY revision DESC LIMIT 1
"""

_CELL = f"""
FROM touchpoints FINAL
WHERE toUnixTimestamp(minute) BETWEEN {{since:Int64}} AND {{until:Int64}} AND on_map = 1
  AND phase = {{phase:String}} AND touchpoint_type = {{touchpoint_type:String}} {_SCOPE}
"""
SHARES = f"""
SELECT 'persona' AS kind, persona AS id, count() AS volume, countIf(friction > 0) AS frictions {_CELL} GROUP BY persona
UNION ALL
SELECT 'channel', channel, count(), countIf(friction > 0) {_CELL} GROUP BY channel
UNION ALL
SELECT 'rule', arrayJoin(arrayDistinct(friction_rules)) AS rule, count(), count() {_CELL} GROUP BY rule
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
