CREATE OR REPLACE VIEW {bi}.funnel {on_cluster}
(
    phase            String COMMENT 'Phase of the journey',
    phase_name       String COMMENT 'Its shown name',
    position         Int64 COMMENT 'Its place in the journey',
    accounts_reached Int64 COMMENT 'Identified accounts that have come at least so far; do not add up rows',
    accounts_now     Int64 COMMENT 'Identified accounts that are in it now; adds up, but for those that lapsed',
    share_reached    Float64 COMMENT 'accounts_reached by those of the first phase, 0 to 1',
    share_of_previous Float64 COMMENT 'accounts_reached by those of the phase before, 0 to 1; 1 for the first'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    p.id AS phase,
    p.shown AS phase_name,
    toInt64(p.place) AS position,
    toInt64(countIf(r.furthest >= p.place)) AS accounts_reached,
    toInt64(countIf(r.now_in = p.id)) AS accounts_now,
    if(max(accounts_reached) OVER () = 0, 0, accounts_reached / max(accounts_reached) OVER ()) AS share_reached,
    if(
        lagInFrame(accounts_reached, 1, accounts_reached) OVER by_place = 0, 0,
        accounts_reached / lagInFrame(accounts_reached, 1, accounts_reached) OVER by_place
    ) AS share_of_previous
FROM
(
    SELECT entry.1 AS place, JSONExtractString(entry.2, 'id') AS id, JSONExtractString(entry.2, 'name') AS shown
    FROM (SELECT argMax(b.payload, b.written_at) AS whole FROM {database}.blueprints AS b)
    ARRAY JOIN arrayZip(
        arrayEnumerate(JSONExtractArrayRaw(whole, 'phases')), JSONExtractArrayRaw(whole, 'phases')
    ) AS entry
    WHERE JSONExtractString(entry.2, 'kind') != 'exit'
) AS p
CROSS JOIN
(
    SELECT
        indexOf(
            (
                SELECT arrayMap(stage -> JSONExtractString(stage, 'id'), JSONExtractArrayRaw(argMax(b.payload, b.written_at), 'phases'))
                FROM {database}.blueprints AS b
            ), toString(j.high_water_phase)
        ) AS furthest,
        toString(j.phase) AS now_in
    FROM {database}.account_journeys AS j FINAL
    WHERE NOT startsWith(j.account_id, 'anon:')
) AS r
GROUP BY p.id, p.shown, p.place
WINDOW by_place AS (ORDER BY p.place ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
COMMENT 'One row per phase in order: how many identified accounts have come at least so far';
