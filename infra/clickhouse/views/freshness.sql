CREATE OR REPLACE VIEW {bi}.freshness {on_cluster}
(
    source           LowCardinality(String) COMMENT 'Configured source',
    last_occurred_at DateTime64(3, 'UTC') COMMENT 'Newest touchpoint, by the clock of the sender (ours where that is suspect)',
    last_received_at DateTime64(3, 'UTC') COMMENT 'When the latest touchpoint was received',
    last_written_at  DateTime64(3, 'UTC') COMMENT 'When the latest touchpoint was stored',
    silent_for_s     Float64 COMMENT 'Seconds since the latest touchpoint was received'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    source,
    max(f.last_occurred_at) AS last_occurred_at,
    max(f.last_received_at) AS last_received_at,
    max(f.last_written_at) AS last_written_at,
    toFloat64(dateDiff('millisecond', max(f.last_received_at), now64(3, 'UTC'))) / 1000 AS silent_for_s
FROM {database}.source_freshness AS f
GROUP BY source
COMMENT 'How fresh each source is: look here before trusting a quiet number';
