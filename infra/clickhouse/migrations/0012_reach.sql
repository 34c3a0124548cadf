-- Accounts reached are the identified ones, of all identified ones: the page's definition. Visitors are counted apart.

CREATE OR REPLACE VIEW {bi}.journey_map {on_cluster}
(
    phase                LowCardinality(String) COMMENT 'Phase of the accounts at that time',
    touchpoint_type      LowCardinality(String) COMMENT 'Kind of touchpoint, from the blueprint',
    moment_of_truth      Bool COMMENT 'True where this type makes or breaks the relationship',
    importance           Int64 COMMENT 'Importance of the type: 1 minor to 5 decisive',
    volume               Int64 COMMENT 'Touchpoints',
    accounts             Int64 COMMENT 'Identified accounts reached, exact; do not add up rows',
    reach_percent        Float64 COMMENT 'accounts, of all identified accounts with a touchpoint in these 30 days; nan where there are none',
    people               Int64 COMMENT 'People reached, exact; do not add up rows',
    friction_touchpoints Int64 COMMENT 'Touchpoints with at least one friction signal',
    friction_rate        Float64 COMMENT 'friction_touchpoints / volume',
    delight_touchpoints  Int64 COMMENT 'Touchpoints with at least one delight signal',
    has_emotion          Bool COMMENT 'False: no evidence of any emotion',
    emotion              Float64 COMMENT 'Mean of the touchpoints with evidence, -1 to 1; nan where has_emotion is false',
    pain_index           Float64 COMMENT '0 to 100: mean pain, weighted by importance, less for small volumes',
    identified_accounts  Int64 COMMENT 'The same as accounts',
    visitors             Int64 COMMENT 'Accounts reached that are not identified yet; counted apart'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS WITH
    settled AS
    (
        SELECT day FROM {database}.journey_day_states
        WHERE day > toDate(now('UTC') - toIntervalDay(30)) AND day < toDate(now('UTC')) AND is_settled
    ),
    cells AS
    (
        SELECT
            phase, touchpoint_type, volume, friction, delight, emotion_sum, emotion_count, pain_sum,
            account_set, visitor_set, person_set, blueprint_version, importance, moment_of_truth
        FROM {database}.journey_days FINAL
        WHERE day IN settled AND volume > 0
        UNION ALL
        SELECT
            phase, touchpoint_type, volume, friction, delight, emotion_sum, emotion_count, pain_sum,
            account_set, visitor_set, person_set, blueprint_version, importance, moment_of_truth
        FROM {database}.journey_minutes FINAL
        WHERE minute BETWEEN toStartOfMinute(now('UTC')) - toIntervalDay(30) AND now('UTC')
            AND toDate(minute) NOT IN settled AND volume > 0
    ),
    figures AS
    (
        SELECT
            phase,
            touchpoint_type,
            sum(c.volume) AS n,
            uniqExactStateArray(c.account_set) AS known,
            uniqExactStateArray(c.visitor_set) AS unknown,
            uniqExactArray(c.person_set) AS persons,
            sum(c.friction) AS painful,
            sum(c.delight) AS pleasant,
            sum(c.emotion_sum) AS emotions,
            sum(c.emotion_count) AS felt,
            sum(c.pain_sum) AS pains,
            max(c.blueprint_version) AS judged_by,
            argMax(c.importance, c.blueprint_version) AS weight,
            argMax(c.moment_of_truth, c.blueprint_version) AS decisive
        FROM cells AS c
        GROUP BY phase, touchpoint_type
    ),
    complete AS
    (
        SELECT
            phase, touchpoint_type, n, persons, painful, pleasant, emotions, felt, pains,
            finalizeAggregation(known) AS reached,
            finalizeAggregation(unknown) AS reached_visitors,
            uniqExactMerge(known) OVER () AS everyone,
            argMax(weight, judged_by) OVER (PARTITION BY touchpoint_type) AS type_weight,
            argMax(decisive, judged_by) OVER (PARTITION BY touchpoint_type) AS type_decisive
        FROM figures
    )
SELECT
    phase,
    touchpoint_type,
    toBool(type_decisive != 0) AS moment_of_truth,
    toInt64(type_weight) AS importance,
    toInt64(n) AS volume,
    toInt64(reached) AS accounts,
    if(everyone > 0, 100 * reached / everyone, nan) AS reach_percent,
    toInt64(persons) AS people,
    toInt64(painful) AS friction_touchpoints,
    painful / n AS friction_rate,
    toInt64(pleasant) AS delight_touchpoints,
    toBool(felt > 0) AS has_emotion,
    if(felt > 0, emotions / felt, nan) AS emotion,
    100 * pains / n * type_weight / 5 * n / (n + 20) AS pain_index,
    toInt64(reached) AS identified_accounts,
    toInt64(reached_visitors) AS visitors
FROM complete
COMMENT 'The current state of the journey: the last 30 days, one row per phase and touchpoint type';

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
    emotion              Float64 COMMENT 'Mean of the touchpoints with evidence, -1 to 1; nan where has_emotion is false',
    pain_sum             Float64 COMMENT 'Sum of pain (0 to 1 each); divided by volume: the mean',
    identified_accounts  Int64 COMMENT 'The same as accounts',
    visitors             Int64 COMMENT 'Accounts reached that are not identified yet; counted apart'
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
    if(felt > 0, emotions / felt, nan) AS emotion,
    pains AS pain_sum,
    toInt64(reached) AS identified_accounts,
    toInt64(reached_visitors) AS visitors
FROM
(
    SELECT
        day AS date, phase, touchpoint_type, persona, segment, channel, volume AS n,
        length(account_set) AS reached, length(visitor_set) AS reached_visitors, length(person_set) AS persons,
        friction AS painful, delight AS pleasant, emotion_sum AS emotions, emotion_count AS felt, pain_sum AS pains
    FROM {database}.journey_days FINAL
    WHERE day IN settled AND volume > 0
    UNION ALL
    SELECT
        toDate(m.minute) AS date, phase, touchpoint_type, persona, segment, channel, sum(m.volume),
        uniqExactArray(m.account_set), uniqExactArray(m.visitor_set), uniqExactArray(m.person_set),
        sum(m.friction), sum(m.delight), sum(m.emotion_sum), sum(m.emotion_count), sum(m.pain_sum)
    FROM {database}.journey_minutes AS m FINAL
    WHERE toDate(m.minute) NOT IN settled AND m.volume > 0
    GROUP BY date, phase, touchpoint_type, persona, segment, channel
)
COMMENT 'The journey by day: one row per day, phase, touchpoint type, persona, segment and channel';
