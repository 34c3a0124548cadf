"""Statements about people."""

from __future__ import annotations

from services.dashboard.queries.scopes import ACCOUNTS, SCOPE

# Bounded: the newest ninety days, a screenful.
PEOPLE = """
SELECT person_id, account_id, max(occurred_at) AS last_at FROM touchpoints FINAL
WHERE toUnixTimestamp(minute) >= {since:Int64} AND positionCaseInsensitiveUTF8(person_id, {text:String}) > 0
GROUP BY person_id, account_id ORDER BY last_at DESC, person_id LIMIT {limit:UInt32}
"""

PERSON_TIMELINE = f"""
SELECT * EXCEPT (properties) FROM touchpoints AS t FINAL
WHERE person_id = {{person_id:String}} AND minute >= toStartOfMinute({{since:DateTime64(3, 'UTC')}})
  AND (t.occurred_at, event_id) < ({{before:DateTime64(3, 'UTC')}}, {{before_id:String}})
  AND t.occurred_at >= {{since:DateTime64(3, 'UTC')}} {SCOPE}
  AND ((empty({{tiers:Array(String)}}) AND {{account:String}} = '') OR {ACCOUNTS})
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
