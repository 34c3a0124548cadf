-- Deals say what the CRM itself calls them, and in which directory, so that its own extracts can be joined.
-- An account without a name is called by its id in its system in every view, as in accounts, not with its directory.

CREATE OR REPLACE VIEW {bi}.touchpoints {on_cluster}
(
    event_id           String COMMENT 'Id of the touchpoint; the same however often it was sent',
    occurred_at        DateTime64(3, 'UTC') COMMENT 'When it happened, by the clock of the sender',
    event_date         Date COMMENT 'Day of occurred_at, UTC',
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
    emotion            Nullable(Decimal(9, 6)) COMMENT '-1 painful to 1 delightful; NULL where has_emotion is false',
    friction           Int64 COMMENT 'Friction signals it carries or belongs to; a signal names one touchpoint and the rest as evidence',
    friction_rules     String COMMENT 'Rules of these signals, joined with commas',
    delight            Int64 COMMENT 'Delight signals it carries',
    pain               Float64 COMMENT '0 to 1: joint severity of its friction signals',
    session_id         String COMMENT 'Session in the system of the sender',
    page               String COMMENT 'Path of the page',
    element            String COMMENT 'What was clicked, submitted or touched',
    subject            String COMMENT 'The case it is about, such as ticket:12 or deal:9',
    title              String COMMENT 'Title given by the sender',
    score_kind         LowCardinality(String) COMMENT 'nps, csat, ces or rating; empty where no score was given',
    score              Nullable(Decimal(18, 6)) COMMENT 'The score; NULL where score_kind is empty',
    clock_suspect      Bool COMMENT 'The clock of the sender was more than 5 minutes ahead of ours',
    backfill           Bool COMMENT 'Imported history, not seen live',
    blueprint_version  Int64 COMMENT 'Version of the blueprint it was judged by',
    is_identified      Bool COMMENT 'False: of an account we know only as an anonymous visitor so far'
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
        replaceRegexpOne(t.account_id, '^(?:(?:crm|group|org):[a-z][a-z0-9_]*|[a-z]+):', '')
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
    if(t.has_emotion != 0, toDecimal32OrNull(toString(round(t.emotion, 6)), 6), NULL) AS emotion,
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
    if(t.score_kind != '', toDecimal64OrNull(toString(t.score), 6), NULL) AS score,
    toBool(t.clock_suspect != 0) AS clock_suspect,
    toBool(t.backfill != 0) AS backfill,
    toInt64(t.blueprint_version) AS blueprint_version,
    toBool(NOT startsWith(t.account_id, 'anon:')) AS is_identified
FROM {database}.touchpoints AS t FINAL
LEFT ANY JOIN (SELECT account_id, name FROM {database}.account_journeys FINAL) AS a ON a.account_id = t.account_id
COMMENT 'One row per touchpoint, attributed to its account, persona and phase';

CREATE OR REPLACE VIEW {bi}.signals {on_cluster}
(
    signal_id       String COMMENT 'Id of the episode; the same whatever the order of arrival',
    opened_at       DateTime64(3, 'UTC') COMMENT 'When the episode began',
    event_date      Date COMMENT 'Day of opened_at, UTC',
    is_closed       Bool COMMENT 'True where the episode has ended',
    closed_at       Nullable(DateTime64(3, 'UTC')) COMMENT 'When it ended, for episodes of events: at their latest; NULL where is_closed is false',
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
    written_at      DateTime64(3, 'UTC') COMMENT 'When this version of the row was stored',
    case_id         String COMMENT 'Case it is part of; empty where it is of none',
    is_compound     Bool COMMENT 'Always false: signals made of others are in compounds, so that none is counted twice',
    parts           String COMMENT 'Always empty: see compounds'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    s.signal_id AS signal_id,
    toDate(s.opened_at) AS event_date,
    s.opened_at AS opened_at,
    toBool(s.is_closed != 0) AS is_closed,
    if(s.is_closed != 0, s.closed_at, NULL) AS closed_at,
    s.polarity AS polarity,
    s.rule AS rule,
    toInt64(s.rule_version) AS rule_version,
    s.severity AS severity,
    s.account_id AS account_id,
    multiIf(
        ifNull(a.name, '') != '', ifNull(a.name, ''), startsWith(s.account_id, 'anon:'), 'not yet identified',
        replaceRegexpOne(s.account_id, '^(?:(?:crm|group|org):[a-z][a-z0-9_]*|[a-z]+):', '')
    ) AS account_name,
    s.person_id AS person_id,
    s.event_id AS event_id,
    s.touchpoint_type AS touchpoint_type,
    s.phase AS phase,
    s.explanation AS explanation,
    arrayStringConcat(s.evidence, ',') AS evidence,
    toInt64(s.evidence_count) AS evidence_count,
    s.written_at AS written_at,
    s.case_id AS case_id,
    toBool(0) AS is_compound,
    '' AS parts
FROM {database}.signals AS s FINAL
LEFT ANY JOIN (SELECT account_id, name FROM {database}.account_journeys FINAL) AS a ON a.account_id = s.account_id
WHERE empty(s.parts)
COMMENT 'One row per friction or delight signal that stands; withdrawn ones are gone, those made of others are in compounds';

CREATE OR REPLACE VIEW {bi}.compounds {on_cluster}
(
    signal_id       String COMMENT 'Id of the episode; the same whatever the order of arrival',
    opened_at       DateTime64(3, 'UTC') COMMENT 'When the episode began',
    event_date      Date COMMENT 'Day of opened_at, UTC',
    is_closed       Bool COMMENT 'True where the episode has ended',
    closed_at       Nullable(DateTime64(3, 'UTC')) COMMENT 'When it ended, for episodes of events: at their latest; NULL where is_closed is false',
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
    written_at      DateTime64(3, 'UTC') COMMENT 'When this version of the row was stored',
    parts           String COMMENT 'Ids of the signals it is made of, joined with commas; they are in signals',
    parts_count     Int64 COMMENT 'How many of them it lists'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    s.signal_id AS signal_id,
    toDate(s.opened_at) AS event_date,
    s.opened_at AS opened_at,
    toBool(s.is_closed != 0) AS is_closed,
    if(s.is_closed != 0, s.closed_at, NULL) AS closed_at,
    s.polarity AS polarity,
    s.rule AS rule,
    toInt64(s.rule_version) AS rule_version,
    s.severity AS severity,
    s.account_id AS account_id,
    multiIf(
        ifNull(a.name, '') != '', ifNull(a.name, ''), startsWith(s.account_id, 'anon:'), 'not yet identified',
        replaceRegexpOne(s.account_id, '^(?:(?:crm|group|org):[a-z][a-z0-9_]*|[a-z]+):', '')
    ) AS account_name,
    s.person_id AS person_id,
    s.event_id AS event_id,
    s.touchpoint_type AS touchpoint_type,
    s.phase AS phase,
    s.explanation AS explanation,
    arrayStringConcat(s.evidence, ',') AS evidence,
    toInt64(s.evidence_count) AS evidence_count,
    s.written_at AS written_at,
    arrayStringConcat(s.parts, ',') AS parts,
    toInt64(length(s.parts)) AS parts_count
FROM {database}.signals AS s FINAL
LEFT ANY JOIN (SELECT account_id, name FROM {database}.account_journeys FINAL) AS a ON a.account_id = s.account_id
WHERE notEmpty(s.parts)
COMMENT 'One row per signal that is made of others and stands: cases, and what a rule says of signals, such as a moment of truth gone wrong';

CREATE OR REPLACE VIEW {bi}.cases {on_cluster}
(
    case_id         String COMMENT 'Id of the incident; signals name it in case_id',
    opened_at       DateTime64(3, 'UTC') COMMENT 'When its first signal began',
    event_date      Date COMMENT 'Day of opened_at, UTC',
    rule            LowCardinality(String) COMMENT 'Compound rule that found it',
    status          LowCardinality(String) COMMENT 'opened, grown (more than two signals so far) or closed (it stayed calm)',
    last_part_at    DateTime64(3, 'UTC') COMMENT 'When its latest signal began',
    is_closed       Bool COMMENT 'True where nothing came for as long as the rule says',
    closed_at       Nullable(DateTime64(3, 'UTC')) COMMENT 'When the last thing happened in it; NULL where is_closed is false',
    account_id      String COMMENT 'Customer account',
    account_name    String COMMENT 'Name of the account',
    touchpoint_type LowCardinality(String) COMMENT 'Kind of touchpoint that carried its first signal',
    phase           LowCardinality(String) COMMENT 'Phase of the account when it began',
    person_id       String COMMENT 'Person of its first signal; empty where none is known',
    people          Int64 COMMENT 'People its signals are of',
    parts           Int64 COMMENT 'Signals in it',
    rules           String COMMENT 'Rules that found them, joined with commas',
    severity        Float64 COMMENT '0 to 1: the worst signal, and a tenth more for each further rule',
    worst_severity  Float64 COMMENT '0 to 1: of its worst signal',
    explanation     String COMMENT 'Why, in words'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    c.signal_id AS case_id,
    toDate(c.opened_at) AS event_date,
    c.rule AS rule,
    multiIf(c.is_closed != 0, 'closed', p.n > 2, 'grown', 'opened') AS status,
    c.opened_at AS opened_at,
    p.latest AS last_part_at,
    toBool(c.is_closed != 0) AS is_closed,
    if(c.is_closed != 0, c.closed_at, NULL) AS closed_at,
    c.account_id AS account_id,
    multiIf(
        ifNull(a.name, '') != '', ifNull(a.name, ''), startsWith(c.account_id, 'anon:'), 'not yet identified',
        replaceRegexpOne(c.account_id, '^(?:(?:crm|group|org):[a-z][a-z0-9_]*|[a-z]+):', '')
    ) AS account_name,
    c.touchpoint_type AS touchpoint_type,
    c.phase AS phase,
    c.person_id AS person_id,
    toInt64(p.persons) AS people,
    toInt64(p.n) AS parts,
    arrayStringConcat(p.found_by, ',') AS rules,
    c.severity AS severity,
    p.worst AS worst_severity,
    c.explanation AS explanation
FROM {database}.signals AS c FINAL
INNER JOIN
(
    SELECT
        account_id,
        case_id,
        count() AS n,
        uniqExactIf(person_id, person_id != '') AS persons,
        max(severity) AS worst,
        max(opened_at) AS latest,
        arraySort(groupUniqArray(toString(rule))) AS found_by
    FROM {database}.signals FINAL
    WHERE case_id != ''
    GROUP BY account_id, case_id
) AS p ON p.account_id = c.account_id AND p.case_id = c.signal_id
LEFT ANY JOIN (SELECT account_id, name FROM {database}.account_journeys FINAL) AS a ON a.account_id = c.account_id
COMMENT 'One row per incident: signals of one account on one thing, joined';

CREATE OR REPLACE VIEW {bi}.account_phases {on_cluster}
(
    account_id   String COMMENT 'Customer account',
    account_name String COMMENT 'Name of the account',
    changed_at   DateTime64(3, 'UTC') COMMENT 'When the phase changed, or would have',
    event_date   Date COMMENT 'Day of changed_at, UTC',
    from_phase   LowCardinality(String) COMMENT 'Phase before',
    to_phase     LowCardinality(String) COMMENT 'Phase after',
    is_accepted  Bool COMMENT 'False: the change was asked for and refused',
    cause        String COMMENT 'Why, in words',
    event_id     String COMMENT 'Touchpoint that caused it',
    dwell_s      Float64 COMMENT 'Seconds spent in from_phase until then',
    direction    LowCardinality(String) COMMENT 'forward, backward, exit or re-entry',
    reason       String COMMENT 'Why it was refused; empty where is_accepted is true'
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
    JSONExtractFloat(change, 'dwell_s') AS dwell_s,
    JSONExtractString(change, 'direction') AS direction,
    JSONExtractString(change, 'reason') AS reason
FROM
(
    SELECT
        account_id,
        multiIf(
            name != '', name, startsWith(account_id, 'anon:'), 'not yet identified',
            replaceRegexpOne(account_id, '^(?:(?:crm|group|org):[a-z][a-z0-9_]*|[a-z]+):', '')
        ) AS account_name,
        arrayJoin(JSONExtractArrayRaw(transitions)) AS change
    FROM {database}.account_journeys FINAL
)
COMMENT 'One row per change of phase of an account, accepted or refused';

CREATE OR REPLACE VIEW {bi}.opportunities {on_cluster}
(
    opportunity_id   String COMMENT 'Id of the deal: deal:DIRECTORY:..., as in the subject of its touchpoints',
    account_id       String COMMENT 'Customer account',
    account_name     String COMMENT 'Name of the account',
    kind             LowCardinality(String) COMMENT 'new, or expansion: opened while the account was a customer',
    status           LowCardinality(String) COMMENT 'open, won, lost or removed',
    stage            String COMMENT 'Stage, in the words of the CRM',
    opened_at        DateTime64(3, 'UTC') COMMENT 'First event about it',
    event_date       Date COMMENT 'Day of opened_at, UTC',
    changed_at       DateTime64(3, 'UTC') COMMENT 'Last event that changed something here',
    is_closed        Bool COMMENT 'True where it is won, lost or removed',
    closed_at        Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was closed; NULL where is_closed is false',
    age_s            Float64 COMMENT 'Seconds from opened_at to closed_at, or to now while it is open',
    regressions      Int64 COMMENT 'Moves to an earlier stage',
    reopened         Int64 COMMENT 'Times it was opened again after it had been closed',
    has_amount       Bool COMMENT 'False: the CRM told no amount',
    amount           Nullable(Decimal(38, 4)) COMMENT 'Amount in currency; NULL where has_amount is false',
    currency         LowCardinality(String) COMMENT 'ISO 4217; empty where none was told',
    has_close_due_at Bool COMMENT 'False: the CRM told no expected close date',
    close_due_at     Nullable(DateTime64(3, 'UTC')) COMMENT 'When the CRM expects it to close; NULL where has_close_due_at is false',
    crm_id           String COMMENT 'What the CRM calls the deal. Join on it and on directory',
    directory        String COMMENT 'Directory of the CRM that the deal is of; deals of two are never the same'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    JSONExtractString(deal, 'opportunity_id') AS opportunity_id,
    account_id,
    account_name,
    JSONExtractString(deal, 'kind') AS kind,
    JSONExtractString(deal, 'status') AS status,
    JSONExtractString(deal, 'stage') AS stage,
    toDate(opened_at) AS event_date,
    parseDateTime64BestEffort(JSONExtractString(deal, 'opened_at'), 3, 'UTC') AS opened_at,
    parseDateTime64BestEffort(JSONExtractString(deal, 'changed_at'), 3, 'UTC') AS changed_at,
    toBool(status != 'open') AS is_closed,
    if(is_closed, parseDateTime64BestEffortOrNull(JSONExtractString(deal, 'closed_at'), 3, 'UTC'), NULL) AS closed_at,
    toFloat64(dateDiff('millisecond', opened_at, ifNull(closed_at, now64(3, 'UTC')))) / 1000 AS age_s,
    JSONExtractInt(deal, 'regressions') AS regressions,
    JSONExtractInt(deal, 'reopened') AS reopened,
    toBool(JSONType(deal, 'amount') != 'Null') AS has_amount,
    if(has_amount, toDecimal128OrNull(toString(JSONExtractFloat(deal, 'amount')), 4), NULL) AS amount,
    JSONExtractString(deal, 'currency') AS currency,
    toBool(JSONType(deal, 'close_due_at') != 'Null') AS has_close_due_at,
    parseDateTime64BestEffortOrNull(JSONExtractString(deal, 'close_due_at'), 3, 'UTC') AS close_due_at,
    replaceRegexpOne(opportunity_id, '^deal:(?:[a-z][a-z0-9_]*:)?', '') AS crm_id,
    extract(opportunity_id, '^deal:([a-z][a-z0-9_]*):') AS directory
FROM
(
    SELECT
        account_id,
        multiIf(
            name != '', name, startsWith(account_id, 'anon:'), 'not yet identified',
            replaceRegexpOne(account_id, '^(?:(?:crm|group|org):[a-z][a-z0-9_]*|[a-z]+):', '')
        ) AS account_name,
        arrayJoin(JSONExtractArrayRaw(opportunities)) AS deal
    FROM {database}.account_journeys FINAL
)
COMMENT 'One row per deal of an account; deals run beside the phase';
