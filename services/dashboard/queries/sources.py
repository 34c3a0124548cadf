"""Statements about sources: what they sent and what became of it."""

from __future__ import annotations

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
