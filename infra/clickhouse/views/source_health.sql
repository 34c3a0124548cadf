CREATE OR REPLACE VIEW {bi}.source_health {on_cluster}
(
    source              LowCardinality(String) COMMENT 'Configured source',
    last_received_at    DateTime64(3, 'UTC') COMMENT 'When its latest touchpoint was received',
    last_occurred_at    DateTime64(3, 'UTC') COMMENT 'Newest touchpoint, by the clock of the sender',
    silent_for_s        Float64 COMMENT 'Seconds since the latest touchpoint was received',
    touchpoints_24h     Int64 COMMENT 'Touchpoints that happened in the last 24 hours',
    unmapped_24h        Int64 COMMENT 'Those of them without a place in the blueprint',
    unidentified_24h    Int64 COMMENT 'Those of them of accounts we know only as anonymous visitors',
    clock_suspect_24h   Int64 COMMENT 'Those of them whose clock was more than 5 minutes ahead of ours',
    ignored_24h         Int64 COMMENT 'Messages received in the last 24 hours that are no touchpoints'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    f.source AS source,
    max(f.last_received_at) AS last_received_at,
    max(f.last_occurred_at) AS last_occurred_at,
    toFloat64(dateDiff('millisecond', max(f.last_received_at), now64(3, 'UTC'))) / 1000 AS silent_for_s,
    toInt64(ifNull(any(t.n), 0)) AS touchpoints_24h,
    toInt64(ifNull(any(t.unmapped), 0)) AS unmapped_24h,
    toInt64(ifNull(any(t.strangers), 0)) AS unidentified_24h,
    toInt64(ifNull(any(t.suspect), 0)) AS clock_suspect_24h,
    toInt64(ifNull(any(i.n), 0)) AS ignored_24h
FROM {database}.source_freshness AS f
LEFT ANY JOIN
(
    SELECT
        source, count() AS n, countIf(touchpoint_type = 'unmapped') AS unmapped,
        countIf(startsWith(account_id, 'anon:')) AS strangers, countIf(clock_suspect) AS suspect
    FROM {database}.touchpoints FINAL
    WHERE minute >= toStartOfMinute(now('UTC')) - toIntervalDay(1)
    GROUP BY source
) AS t ON t.source = f.source
LEFT ANY JOIN
(
    SELECT source, sum(messages) AS n FROM {database}.ignored FINAL
    WHERE received_at >= now64(3, 'UTC') - toIntervalDay(1)
    GROUP BY source
) AS i ON i.source = f.source
GROUP BY f.source
COMMENT 'One row per source: is it alive, and how much of what it sends can be used';
