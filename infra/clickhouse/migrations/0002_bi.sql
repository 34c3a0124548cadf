-- Views for analysts and BI tools: flat, exact without the reader knowing about versions, every column commented.
-- Rules: no Nullable (has_x or nan instead), Int64 not UInt64, DateTime64(3, 'UTC'), ids as String.
-- A view that must change its meaning gets a new name (v2_...); columns are only ever added at the end.
-- No expression names an alias that is also a column: readers may set prefer_column_name_to_alias.
-- Views run with the rights of who made them, so a reader needs SELECT on {bi}.* and nothing else.

-- Rows are sorted by minute: with this, a filter on occurred_at reads only the parts of the table it needs.
ALTER TABLE {database}.touchpoints {on_cluster} ADD INDEX IF NOT EXISTS by_time occurred_at TYPE minmax GRANULARITY 1;

CREATE OR REPLACE VIEW {bi}.accounts {on_cluster}
(
    account_id         String COMMENT 'Id of the customer company: crm:..., domain:..., or anon:... before it is identified',
    account_name       String COMMENT 'Name from the CRM, else the id without its namespace',
    is_identified      Bool COMMENT 'False: we know only an anonymous visitor so far',
    phase              LowCardinality(String) COMMENT 'Phase of the journey it is in now',
    has_phase_since    Bool COMMENT 'False: it has been in this phase since its first touchpoint',
    phase_since        DateTime64(3, 'UTC') COMMENT 'When it entered the phase; 1970 where has_phase_since is false',
    high_water_phase   LowCardinality(String) COMMENT 'Furthest phase it has reached',
    segment            LowCardinality(String) COMMENT 'Customer segment',
    touchpoints        Int64 COMMENT 'Touchpoints in all, with records about records',
    on_map_touchpoints Int64 COMMENT 'Touchpoints that are contact moments',
    people             Int64 COMMENT 'People known at the account',
    friction_signals   Int64 COMMENT 'Friction signals that stand',
    first_seen_at      DateTime64(3, 'UTC') COMMENT 'First touchpoint',
    last_seen_at       DateTime64(3, 'UTC') COMMENT 'Latest touchpoint',
    as_of              DateTime64(3, 'UTC') COMMENT 'Time for which this state was computed',
    written_at         DateTime64(3, 'UTC') COMMENT 'When the row was stored'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    account_id,
    multiIf(
        name != '', name, startsWith(account_id, 'anon:'), 'not yet identified',
        substring(account_id, position(account_id, ':') + 1)
    ) AS account_name,
    toBool(NOT startsWith(account_id, 'anon:')) AS is_identified,
    phase,
    toBool(phase_since > toDateTime64(0, 3, 'UTC')) AS has_phase_since,
    phase_since,
    high_water_phase,
    segment,
    toInt64(touchpoints) AS touchpoints,
    toInt64(on_map_touchpoints) AS on_map_touchpoints,
    toInt64(people) AS people,
    toInt64(friction_signals) AS friction_signals,
    first_seen_at,
    last_seen_at,
    as_of,
    written_at
FROM {database}.account_journeys FINAL
COMMENT 'One row per customer account: where it stands now';

CREATE OR REPLACE VIEW {bi}.touchpoints {on_cluster}
(
    event_id           String COMMENT 'Id of the touchpoint; the same however often it was sent',
    event_date         Date COMMENT 'Day of occurred_at, UTC',
    occurred_at        DateTime64(3, 'UTC') COMMENT 'When it happened, by the clock of the sender',
    received_at        DateTime64(3, 'UTC') COMMENT 'When we received it',
    written_at         DateTime64(3, 'UTC') COMMENT 'When this version of the row was stored',
    source             LowCardinality(String) COMMENT 'Configured source that sent it',
    vendor             LowCardinality(String) COMMENT 'Kind of system it came from',
    vendor_type        LowCardinality(String) COMMENT 'Name of the event in the words of the vendor',
    vendor_event_id    String COMMENT 'Id of the event in the system of the vendor',
    action             LowCardinality(String) COMMENT 'What happened, in our words',
    touchpoint_type    LowCardinality(String) COMMENT 'Kind of touchpoint, from the blueprint',
    phase              LowCardinality(String) COMMENT 'Phase of the account at that time',
    home_phase         LowCardinality(String) COMMENT 'Phase the touchpoint type belongs to',
    account_id         String COMMENT 'Customer account it belongs to',
    account_name       String COMMENT 'Name of the account',
    account_method     LowCardinality(String) COMMENT 'How we know the account',
    account_confidence Float64 COMMENT 'How sure we are of the account, 0 to 1',
    person_id          String COMMENT 'Person; empty where no person was involved',
    persona            LowCardinality(String) COMMENT 'Kind of person',
    segment            LowCardinality(String) COMMENT 'Customer segment',
    channel            LowCardinality(String) COMMENT 'Channel: web, crm, support, ...',
    on_map             Bool COMMENT 'True for contact moments, false for records about records',
    moment_of_truth    Bool COMMENT 'True where this type makes or breaks the relationship',
    importance         Int64 COMMENT 'Importance of the type: 1 minor to 5 decisive',
    has_emotion        Bool COMMENT 'True where there is evidence of an emotion; leave the others out of averages',
    emotion            Float64 COMMENT '-1 painful to 1 delightful; nan where has_emotion is false',
    friction           Int64 COMMENT 'Friction signals it carries',
    friction_rules     String COMMENT 'Rules of these signals, joined with commas',
    delight            Int64 COMMENT 'Delight signals it carries',
    pain               Float64 COMMENT '0 to 1: joint severity of its friction signals',
    session_id         String COMMENT 'Session in the system of the sender',
    page               String COMMENT 'Path of the page',
    element            String COMMENT 'What was clicked, submitted or touched',
    subject            String COMMENT 'The case it is about, such as ticket:12 or deal:9',
    title              String COMMENT 'Title given by the sender',
    score_kind         LowCardinality(String) COMMENT 'nps, csat, ces or rating; empty where no score was given',
    score              Float64 COMMENT 'The score; nan where score_kind is empty',
    clock_suspect      Bool COMMENT 'The clock of the sender was more than 5 minutes ahead of ours',
    backfill           Bool COMMENT 'Imported history, not seen live',
    blueprint_version  Int64 COMMENT 'Version of the blueprint it was judged by'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    t.event_id AS event_id,
    toDate(t.minute) AS event_date,
    t.occurred_at AS occurred_at,
    t.received_at AS received_at,
    t.written_at AS written_at,
    t.source AS source,
    t.vendor AS vendor,
    t.vendor_type AS vendor_type,
    t.vendor_event_id AS vendor_event_id,
    t.action AS action,
    t.touchpoint_type AS touchpoint_type,
    t.phase AS phase,
    t.home_phase AS home_phase,
    t.account_id AS account_id,
    multiIf(
        ifNull(a.name, '') != '', ifNull(a.name, ''), startsWith(t.account_id, 'anon:'), 'not yet identified',
        substring(t.account_id, position(t.account_id, ':') + 1)
    ) AS account_name,
    t.account_method AS account_method,
    t.account_confidence AS account_confidence,
    t.person_id AS person_id,
    t.persona AS persona,
    t.segment AS segment,
    t.channel AS channel,
    toBool(t.on_map != 0) AS on_map,
    toBool(t.moment_of_truth != 0) AS moment_of_truth,
    toInt64(t.importance) AS importance,
    toBool(t.has_emotion != 0) AS has_emotion,
    t.emotion AS emotion,
    toInt64(t.friction) AS friction,
    arrayStringConcat(t.friction_rules, ',') AS friction_rules,
    toInt64(t.delight) AS delight,
    t.pain AS pain,
    t.session_id AS session_id,
    t.page AS page,
    t.element AS element,
    t.subject AS subject,
    t.title AS title,
    t.score_kind AS score_kind,
    t.score AS score,
    toBool(t.clock_suspect != 0) AS clock_suspect,
    toBool(t.backfill != 0) AS backfill,
    toInt64(t.blueprint_version) AS blueprint_version
FROM {database}.touchpoints AS t FINAL
LEFT ANY JOIN (SELECT account_id, name FROM {database}.account_journeys FINAL) AS a ON a.account_id = t.account_id
COMMENT 'One row per touchpoint, attributed to its account, persona and phase';

CREATE OR REPLACE VIEW {bi}.signals {on_cluster}
(
    signal_id       String COMMENT 'Id of the episode; the same whatever the order of arrival',
    event_date      Date COMMENT 'Day of opened_at, UTC',
    opened_at       DateTime64(3, 'UTC') COMMENT 'When the episode began',
    is_closed       Bool COMMENT 'True where the episode has ended',
    closed_at       DateTime64(3, 'UTC') COMMENT 'When it ended; 1970 where is_closed is false',
    polarity        LowCardinality(String) COMMENT 'friction or delight',
    rule            LowCardinality(String) COMMENT 'Rule that found it',
    rule_version    Int64 COMMENT 'Version of the rule',
    severity        Float64 COMMENT '0 to 1',
    account_id      String COMMENT 'Customer account',
    account_name    String COMMENT 'Name of the account',
    person_id       String COMMENT 'Person; empty where none is known',
    event_id        String COMMENT 'Touchpoint that carries the signal',
    touchpoint_type LowCardinality(String) COMMENT 'Kind of that touchpoint',
    phase           LowCardinality(String) COMMENT 'Phase of the account at that time',
    explanation     String COMMENT 'Why, in words',
    evidence        String COMMENT 'Ids of the touchpoints that prove it, joined with commas, at most 20',
    evidence_count  Int64 COMMENT 'How many touchpoints prove it',
    written_at      DateTime64(3, 'UTC') COMMENT 'When this version of the row was stored'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    s.signal_id AS signal_id,
    toDate(s.opened_at) AS event_date,
    s.opened_at AS opened_at,
    toBool(s.is_closed != 0) AS is_closed,
    s.closed_at AS closed_at,
    s.polarity AS polarity,
    s.rule AS rule,
    toInt64(s.rule_version) AS rule_version,
    s.severity AS severity,
    s.account_id AS account_id,
    multiIf(
        ifNull(a.name, '') != '', ifNull(a.name, ''), startsWith(s.account_id, 'anon:'), 'not yet identified',
        substring(s.account_id, position(s.account_id, ':') + 1)
    ) AS account_name,
    s.person_id AS person_id,
    s.event_id AS event_id,
    s.touchpoint_type AS touchpoint_type,
    s.phase AS phase,
    s.explanation AS explanation,
    arrayStringConcat(s.evidence, ',') AS evidence,
    toInt64(s.evidence_count) AS evidence_count,
    s.written_at AS written_at
FROM {database}.signals AS s FINAL
LEFT ANY JOIN (SELECT account_id, name FROM {database}.account_journeys FINAL) AS a ON a.account_id = s.account_id
COMMENT 'One row per friction or delight signal that stands; withdrawn ones are gone';

CREATE OR REPLACE VIEW {bi}.account_phases {on_cluster}
(
    account_id   String COMMENT 'Customer account',
    account_name String COMMENT 'Name of the account',
    event_date   Date COMMENT 'Day of changed_at, UTC',
    changed_at   DateTime64(3, 'UTC') COMMENT 'When the phase changed, or would have',
    from_phase   LowCardinality(String) COMMENT 'Phase before',
    to_phase     LowCardinality(String) COMMENT 'Phase after',
    is_accepted  Bool COMMENT 'False: the change was asked for and refused',
    cause        String COMMENT 'Why, in words',
    event_id     String COMMENT 'Touchpoint that caused it',
    dwell_s      Float64 COMMENT 'Seconds spent in from_phase until then'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    account_id,
    account_name,
    toDate(changed_at) AS event_date,
    parseDateTime64BestEffort(JSONExtractString(change, 'at'), 3, 'UTC') AS changed_at,
    JSONExtractString(change, 'from_phase') AS from_phase,
    JSONExtractString(change, 'to_phase') AS to_phase,
    JSONExtractBool(change, 'accepted') AS is_accepted,
    JSONExtractString(change, 'cause') AS cause,
    JSONExtractString(change, 'event_id') AS event_id,
    JSONExtractFloat(change, 'dwell_s') AS dwell_s
FROM
(
    SELECT
        account_id,
        multiIf(
            name != '', name, startsWith(account_id, 'anon:'), 'not yet identified',
            substring(account_id, position(account_id, ':') + 1)
        ) AS account_name,
        arrayJoin(JSONExtractArrayRaw(transitions)) AS change
    FROM {database}.account_journeys FINAL
)
COMMENT 'One row per change of phase of an account, accepted or refused';

CREATE OR REPLACE VIEW {bi}.journey_map {on_cluster}
(
    phase                LowCardinality(String) COMMENT 'Phase of the accounts at that time',
    touchpoint_type      LowCardinality(String) COMMENT 'Kind of touchpoint, from the blueprint',
    moment_of_truth      Bool COMMENT 'True where this type makes or breaks the relationship',
    importance           Int64 COMMENT 'Importance of the type: 1 minor to 5 decisive',
    volume               Int64 COMMENT 'Touchpoints',
    accounts             Int64 COMMENT 'Accounts reached, exact; do not add up rows',
    reach_percent        Float64 COMMENT 'Accounts reached, of all accounts with a touchpoint in these 30 days',
    people               Int64 COMMENT 'People reached, exact; do not add up rows',
    friction_touchpoints Int64 COMMENT 'Touchpoints with at least one friction signal',
    friction_rate        Float64 COMMENT 'friction_touchpoints / volume',
    delight_touchpoints  Int64 COMMENT 'Touchpoints with at least one delight signal',
    has_emotion          Bool COMMENT 'False: no evidence of any emotion',
    emotion              Float64 COMMENT 'Mean of the touchpoints with evidence, -1 to 1; nan where has_emotion is false',
    pain_index           Float64 COMMENT '0 to 100: mean pain, weighted by importance, less for small volumes'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS WITH
    cells AS
    (
        SELECT * FROM {database}.journey_minutes FINAL
        WHERE minute BETWEEN toStartOfMinute(now('UTC')) - toIntervalDay(30) AND now('UTC') AND volume > 0
    ),
    figures AS
    (
        SELECT
            phase,
            touchpoint_type,
            sum(volume) AS n,
            uniqExactMerge(accounts) AS reached,
            uniqExactMerge(people) AS persons,
            sum(friction) AS painful,
            sum(delight) AS pleasant,
            sum(emotion_sum) AS emotions,
            sum(emotion_count) AS felt,
            sum(pain_sum) AS pains
        FROM cells
        GROUP BY phase, touchpoint_type
    ),
    types AS
    (
        SELECT
            touchpoint_type,
            argMax(importance, blueprint_version) AS weight,
            argMax(moment_of_truth, blueprint_version) AS decisive
        FROM {database}.touchpoints
        WHERE minute BETWEEN toStartOfMinute(now('UTC')) - toIntervalDay(30) AND now('UTC') AND NOT is_deleted
        GROUP BY touchpoint_type
    ),
    ifNull((SELECT uniqExactMerge(accounts) FROM cells), 0) AS everyone
SELECT
    f.phase AS phase,
    f.touchpoint_type AS touchpoint_type,
    toBool(ifNull(t.decisive, 0)) AS moment_of_truth,
    toInt64(ifNull(t.weight, 0)) AS importance,
    toInt64(f.n) AS volume,
    toInt64(f.reached) AS accounts,
    100 * f.reached / everyone AS reach_percent,
    toInt64(f.persons) AS people,
    toInt64(f.painful) AS friction_touchpoints,
    f.painful / f.n AS friction_rate,
    toInt64(f.pleasant) AS delight_touchpoints,
    toBool(f.felt > 0) AS has_emotion,
    if(f.felt > 0, f.emotions / f.felt, nan) AS emotion,
    100 * f.pains / f.n * ifNull(t.weight, 0) / 5 * f.n / (f.n + 20) AS pain_index
FROM figures AS f
LEFT ANY JOIN types AS t ON t.touchpoint_type = f.touchpoint_type
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
    accounts             Int64 COMMENT 'Accounts reached, exact; do not add up rows',
    people               Int64 COMMENT 'People reached, exact; do not add up rows',
    friction_touchpoints Int64 COMMENT 'Touchpoints with at least one friction signal',
    friction_rate        Float64 COMMENT 'friction_touchpoints / volume',
    delight_touchpoints  Int64 COMMENT 'Touchpoints with at least one delight signal',
    emotion_touchpoints  Int64 COMMENT 'Touchpoints with evidence of an emotion: the weight of emotion',
    has_emotion          Bool COMMENT 'False: no evidence of any emotion',
    emotion              Float64 COMMENT 'Mean of the touchpoints with evidence, -1 to 1; nan where has_emotion is false',
    pain_sum             Float64 COMMENT 'Sum of pain (0 to 1 each); divided by volume: the mean'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    day AS event_date,
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
    pains AS pain_sum
FROM
(
    SELECT
        toDate(minute) AS day,
        phase,
        touchpoint_type,
        persona,
        segment,
        channel,
        sum(volume) AS n,
        uniqExactMerge(accounts) AS reached,
        uniqExactMerge(people) AS persons,
        sum(friction) AS painful,
        sum(delight) AS pleasant,
        sum(emotion_sum) AS emotions,
        sum(emotion_count) AS felt,
        sum(pain_sum) AS pains
    FROM {database}.journey_minutes FINAL
    WHERE volume > 0
    GROUP BY day, phase, touchpoint_type, persona, segment, channel
)
COMMENT 'The journey by day: one row per day, phase, touchpoint type, persona, segment and channel';

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

CREATE OR REPLACE VIEW {bi}.corrections {on_cluster}
(
    correction_id       String COMMENT 'Id of the correction',
    account_id          String COMMENT 'Customer account that was computed again',
    event_date          Date COMMENT 'Day of corrected_at, UTC',
    corrected_at        DateTime64(3, 'UTC') COMMENT 'When',
    cause               String COMMENT 'Why, in words',
    touchpoints_changed Int64 COMMENT 'Touchpoints whose figures changed',
    touchpoints_removed Int64 COMMENT 'Touchpoints that moved to another account or were erased',
    signals_changed     Int64 COMMENT 'Signals that are new or different',
    signals_withdrawn   Int64 COMMENT 'Signals that a later event disproved'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    correction_id,
    account_id,
    toDate(c.corrected_at) AS event_date,
    c.corrected_at AS corrected_at,
    cause,
    toInt64(c.touchpoints_changed) AS touchpoints_changed,
    toInt64(c.touchpoints_removed) AS touchpoints_removed,
    toInt64(c.signals_changed) AS signals_changed,
    toInt64(c.signals_withdrawn) AS signals_withdrawn
FROM {database}.corrections AS c FINAL
COMMENT 'What a recomputation changed after the fact: late events, merged identities, new blueprints';
