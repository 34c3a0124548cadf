"""Statements about single touchpoints, by their keys."""

from __future__ import annotations

from services.dashboard.queries.scopes import SCOPE

KEYS_OF_EVENTS = """
SELECT occurred_at, event_id FROM histories FINAL
WHERE account_id = {account_id:String} AND event_id IN {events:Array(String)}
"""

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
  {SCOPE}
ORDER BY occurred_at DESC, event_id DESC
"""

OWNERS_OF_EVENTS = """
SELECT event_id, account_id FROM histories FINAL WHERE event_id IN {events:Array(String)}
ORDER BY revision DESC LIMIT 1 BY event_id
"""

HISTORY_OF_EVENT = """
SELECT account_id, occurred_at, payload FROM histories FINAL WHERE event_id = {event_id:String}
ORDER BY revision DESC LIMIT 1
"""

ERASURE = """
SELECT
  (SELECT count() FROM touchpoints FINAL WHERE event_id = {erasure_id:String}) > 0 AS asked,
  (SELECT count() FROM links FINAL
   WHERE kind = 'erasure' AND startsWith(link_id, concat('erasure|', {erasure_id:String}, '|'))) > 0 AS noted
"""
