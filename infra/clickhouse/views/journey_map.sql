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
    emotion              Nullable(Decimal(9, 6)) COMMENT 'Mean of the touchpoints with evidence, -1 to 1; NULL where has_emotion is false',
    pain_index           Float64 COMMENT '0 to 100: mean pain, weighted by importance, less for small volumes',
    identified_accounts  Int64 COMMENT 'The same as accounts',
    visitors             Int64 COMMENT 'Accounts reached that are not identified yet; counted apart',
    emotion_sum          Float64 COMMENT 'Emotions of the touchpoints with evidence, added up; divided by emotion_count: the mean of any group',
    emotion_count        Int64 COMMENT 'Touchpoints with evidence of an emotion',
    pain_sum             Float64 COMMENT 'Pain of the touchpoints (0 to 1 each), added up; divided by volume: the mean'
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
        WHERE day IN settled AND volume > 0 AND traffic = ''
        UNION ALL
        SELECT
            phase, touchpoint_type, volume, friction, delight, emotion_sum, emotion_count, pain_sum,
            account_set, visitor_set, person_set, blueprint_version, importance, moment_of_truth
        FROM {database}.journey_minutes FINAL
        WHERE minute BETWEEN toStartOfMinute(now('UTC')) - toIntervalDay(30) AND now('UTC')
            AND toDate(minute) NOT IN settled AND volume > 0 AND traffic = ''
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
            sum(toInt64(round(c.emotion_sum * 1e9))) / 1e9 AS emotions,
            sum(c.emotion_count) AS felt,
            sum(toInt64(round(c.pain_sum * 1e9))) / 1e9 AS pains,
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
    toDecimal32OrNull(toString(round(emotions / felt, 6)), 6) AS emotion,
    100 * pains / n * type_weight / 5 * n / (n + 20) AS pain_index,
    toInt64(reached) AS identified_accounts,
    toInt64(reached_visitors) AS visitors,
    emotions AS emotion_sum,
    toInt64(felt) AS emotion_count,
    pains AS pain_sum
FROM complete
COMMENT 'The current state of the journey: the last 30 days, one row per phase and touchpoint type';
