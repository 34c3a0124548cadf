CREATE OR REPLACE VIEW {bi}.pain_daily {on_cluster}
(
    event_date           Date COMMENT 'Day, UTC',
    touchpoint_type      LowCardinality(String) COMMENT 'Kind of touchpoint',
    touchpoint_name      String COMMENT 'Its shown name',
    owner_department     LowCardinality(String) COMMENT 'Department that answers for it; empty where nobody is named',
    owner_people         String COMMENT 'Roles that work on it, joined with commas',
    phase                LowCardinality(String) COMMENT 'Phase of the accounts at that time',
    touchpoints          Int64 COMMENT 'Contact moments',
    friction_touchpoints Int64 COMMENT 'Those with at least one friction signal',
    delight_touchpoints  Int64 COMMENT 'Those with at least one delight signal',
    pain_sum             Float64 COMMENT 'Their pain (0 to 1 each), added up',
    emotion_sum          Float64 COMMENT 'Their emotions, added up; divided by emotion_count: the mean',
    emotion_count        Int64 COMMENT 'Those with evidence of an emotion'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS WITH
    settled AS (SELECT day FROM {database}.journey_day_states WHERE is_settled),
    (
        SELECT (
            groupArray(JSONExtractString(kind, 'id')), groupArray(JSONExtractString(kind, 'name')),
            groupArray(JSONExtractString(kind, 'owner', 'department')),
            groupArray(arrayStringConcat(JSONExtract(kind, 'owner', 'people', 'Array(String)'), ', '))
        )
        FROM (SELECT arrayJoin(JSONExtractArrayRaw(argMax(b.payload, b.written_at), 'types')) AS kind FROM {database}.blueprints AS b)
    ) AS types
SELECT
    q.date AS event_date,
    q.kind AS touchpoint_type,
    transform(q.kind, types.1, types.2, '') AS touchpoint_name,
    transform(q.kind, types.1, types.3, '') AS owner_department,
    transform(q.kind, types.1, types.4, '') AS owner_people,
    q.stage AS phase,
    toInt64(sum(q.n)) AS touchpoints,
    toInt64(sum(q.painful)) AS friction_touchpoints,
    toInt64(sum(q.pleasant)) AS delight_touchpoints,
    sum(toInt64(round(q.pains * 1e9))) / 1e9 AS pain_sum,
    sum(toInt64(round(q.emotions * 1e9))) / 1e9 AS emotion_sum,
    toInt64(sum(q.felt)) AS emotion_count
FROM
(
    SELECT
        d.day AS date, d.touchpoint_type AS kind, d.phase AS stage, d.volume AS n, d.friction AS painful, d.delight AS pleasant,
        d.pain_sum AS pains, d.emotion_sum AS emotions, d.emotion_count AS felt
    FROM {database}.journey_days AS d FINAL
    WHERE d.day IN settled AND d.volume > 0 AND d.traffic = ''
    UNION ALL
    SELECT
        toDate(m.minute), m.touchpoint_type, m.phase, m.volume, m.friction, m.delight, m.pain_sum, m.emotion_sum, m.emotion_count
    FROM {database}.journey_minutes AS m FINAL
    WHERE toDate(m.minute) NOT IN settled AND m.volume > 0 AND m.traffic = ''
) AS q
GROUP BY event_date, touchpoint_type, phase
COMMENT 'Pain by day, kind of touchpoint and phase, with who answers for it; every number adds up';
