"""Statements about one touchpoint type in depth: variants, what came before and after, its promises measured."""

from __future__ import annotations

from services.dashboard.queries.scopes import ACCOUNTS, COUNTED, TOUCHED, and_accounts

# Of all accounts, the filter of accounts lets all through.
_CELL = f"""
FROM touchpoints FINAL
WHERE {TOUCHED} AND ((empty({{tiers:Array(String)}}) AND {{account:String}} = '') OR {ACCOUNTS})
  AND phase = {{phase:String}} AND touchpoint_type = {{touchpoint_type:String}}
"""

SHARES = f"""
SELECT 'persona' AS kind, persona AS id, count() AS volume, countIf(friction > 0) AS frictions {_CELL} GROUP BY persona
UNION ALL
SELECT 'channel', channel, count(), countIf(friction > 0) {_CELL} GROUP BY channel
UNION ALL
SELECT 'rule', arrayJoin(arrayDistinct(friction_rules)) AS rule, count(), count() {_CELL} GROUP BY rule
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
  FROM touchpoints AS t FINAL WHERE {TOUCHED} {and_accounts(of_accounts)})
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
  WHERE {TOUCHED} AND {_HURTS} {and_accounts(of_accounts)} ORDER BY at DESC, event_id LIMIT 1000) AS hurt
ASOF LEFT JOIN (
  SELECT account_id, occurred_at AS at, touchpoint_type AS kind FROM touchpoints AS o FINAL
  WHERE toUnixTimestamp(minute) BETWEEN {{since:Int64}} - {BEFORE_S} AND {{until:Int64}} + {AFTER_S} AND {COUNTED}
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
  WHERE {TOUCHED} AND text != '' {and_accounts(of_accounts)}
  ORDER BY if(has_emotion = 1, emotion, 0), at DESC, event_id LIMIT 1 BY account_id, words LIMIT {{limit:UInt32}}) AS s
LEFT JOIN (SELECT account_id, name FROM account_journeys FINAL) AS j ON j.account_id = s.account_id
ORDER BY if(isNaN(felt), 0, felt), at DESC, event_id
"""


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
