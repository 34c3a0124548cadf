CREATE OR REPLACE VIEW {bi}.phase_dwell {on_cluster}
(
    phase      LowCardinality(String) COMMENT 'Phase that was left',
    samples    Int64 COMMENT 'Accounts that left it, each time counted',
    has_enough Bool COMMENT 'False: fewer than 30 samples, so targets are better than these figures',
    median_s   Float64 COMMENT 'Half of them were in it for less: what the rule fast_lane should know',
    p90_s      Float64 COMMENT 'Nine of ten were in it for less: what the rule stalled should know'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    was AS phase,
    toInt64(count()) AS samples,
    toBool(count() >= 30) AS has_enough,
    quantileExactInclusive(0.5)(dwell) AS median_s,
    quantileExactInclusive(0.9)(dwell) AS p90_s
FROM
(
    SELECT
        JSONExtractString(change, 'from_phase') AS was,
        JSONExtractFloat(change, 'dwell_s') AS dwell
    FROM (SELECT arrayJoin(JSONExtractArrayRaw(transitions)) AS change FROM {database}.account_journeys FINAL)
    WHERE JSONExtractBool(change, 'accepted') AND JSONExtractFloat(change, 'dwell_s') > 0
)
GROUP BY was
COMMENT 'How long accounts really are in a phase before they leave it';
