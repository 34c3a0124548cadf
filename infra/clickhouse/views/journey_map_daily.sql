CREATE OR REPLACE VIEW {bi}.journey_map_daily {on_cluster}
(
    event_date           Date COMMENT 'Day, UTC',
    phase                LowCardinality(String) COMMENT 'Phase of the accounts at that time',
    touchpoint_type      LowCardinality(String) COMMENT 'Kind of touchpoint, from the blueprint',
    persona              LowCardinality(String) COMMENT 'Kind of person',
    segment              LowCardinality(String) COMMENT 'Customer segment',
    channel              LowCardinality(String) COMMENT 'Channel: web, crm, support, ...',
    volume               Int64 COMMENT 'Touchpoints',
    accounts             Int64 COMMENT 'Identified accounts reached, exact; do not add up rows',
    people               Int64 COMMENT 'People reached, exact; do not add up rows',
    friction_touchpoints Int64 COMMENT 'Touchpoints with at least one friction signal',
    friction_rate        Float64 COMMENT 'friction_touchpoints / volume',
    delight_touchpoints  Int64 COMMENT 'Touchpoints with at least one delight signal',
    emotion_touchpoints  Int64 COMMENT 'Touchpoints with evidence of an emotion: the weight of emotion',
    has_emotion          Bool COMMENT 'False: no evidence of any emotion',
    emotion              Nullable(Decimal(9, 6)) COMMENT 'Mean of the touchpoints with evidence, -1 to 1; NULL where has_emotion is false',
    pain_sum             Float64 COMMENT 'Sum of pain (0 to 1 each); divided by volume: the mean',
    identified_accounts  Int64 COMMENT 'The same as accounts',
    visitors             Int64 COMMENT 'Accounts reached that are not identified yet; counted apart',
    emotion_sum          Float64 COMMENT 'Emotions of the touchpoints with evidence, added up; divided by emotion_touchpoints: the mean of any group'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS WITH settled AS (SELECT day FROM {database}.journey_day_states WHERE is_settled)
SELECT
    date AS event_date,
    phase,
    touchpoint_type,
    persona,
    segment,
    channel,
    toInt64(n) AS volume,
    toInt64(reached) AS accounts,
    toInt64(persons) AS people,
    toInt64(painful) AS friction_touchpoints,
    painful / n AS friction_rate,
    toInt64(pleasant) AS delight_touchpoints,
    toInt64(felt) AS emotion_touchpoints,
    toBool(felt > 0) AS has_emotion,
    toDecimal32OrNull(toString(round(emotions / felt, 6)), 6) AS emotion,
    pains AS pain_sum,
    toInt64(reached) AS identified_accounts,
    toInt64(reached_visitors) AS visitors,
    emotions AS emotion_sum
FROM
(
    SELECT
        day AS date, phase, touchpoint_type, persona, segment, channel, volume AS n,
        length(account_set) AS reached, length(visitor_set) AS reached_visitors, length(person_set) AS persons,
        friction AS painful, delight AS pleasant, emotion_sum AS emotions, emotion_count AS felt, pain_sum AS pains
    FROM {database}.journey_days FINAL
    WHERE day IN settled AND volume > 0 AND traffic = ''
    UNION ALL
    SELECT
        toDate(m.minute) AS date, phase, touchpoint_type, persona, segment, channel, sum(m.volume),
        uniqExactArray(m.account_set), uniqExactArray(m.visitor_set), uniqExactArray(m.person_set),
        sum(m.friction), sum(m.delight), sum(toInt64(round(m.emotion_sum * 1e9))) / 1e9, sum(m.emotion_count), sum(toInt64(round(m.pain_sum * 1e9))) / 1e9
    FROM {database}.journey_minutes AS m FINAL
    WHERE toDate(m.minute) NOT IN settled AND m.volume > 0 AND m.traffic = ''
    GROUP BY date, phase, touchpoint_type, persona, segment, channel
)
COMMENT 'The journey by day: one row per day, phase, touchpoint type, persona, segment and channel';
