CREATE OR REPLACE VIEW {bi}.paths {on_cluster}
(
    from_type     LowCardinality(String) COMMENT 'Kind of touchpoint before',
    to_type       LowCardinality(String) COMMENT 'Kind of touchpoint that came next at the same account; never the same kind',
    steps         Int64 COMMENT 'How often, in the last 30 days',
    accounts      Int64 COMMENT 'Accounts that took it; do not add up rows',
    friction_steps Int64 COMMENT 'Steps whose later touchpoint carries friction',
    pain_sum      Float64 COMMENT 'Pain of the later touchpoints, added up',
    median_gap_s  Float64 COMMENT 'Half of the steps took fewer seconds'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    q.was AS from_type,
    q.kind AS to_type,
    toInt64(count()) AS steps,
    toInt64(uniqExact(q.account)) AS accounts,
    toInt64(countIf(q.friction > 0)) AS friction_steps,
    sum(toInt64(round(q.hurt * 1e9))) / 1e9 AS pain_sum,
    quantileExactInclusive(0.5)(toFloat64(dateDiff('millisecond', q.former, q.at)) / 1000) AS median_gap_s
FROM
(
    SELECT
        t.account_id AS account, t.touchpoint_type AS kind, t.occurred_at AS at, t.friction AS friction, t.pain AS hurt,
        lagInFrame(t.touchpoint_type) OVER w AS was, lagInFrame(t.occurred_at) OVER w AS former
    FROM {database}.touchpoints AS t FINAL
    WHERE t.on_map AND t.minute >= toStartOfMinute(now('UTC')) - toIntervalDay(30) AND NOT startsWith(t.account_id, 'anon:')
    WINDOW w AS (
        PARTITION BY t.account_id ORDER BY t.moment ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    )
) AS q
WHERE q.was NOT IN ('', q.kind)
GROUP BY from_type, to_type
COMMENT 'Which kind of touchpoint follows which at identified accounts, in the last 30 days: one row per pair';
