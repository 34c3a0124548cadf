-- Right by dragging a column: what is not there is NULL, which sums and means leave out, not nan or 1970. Such
-- numbers are Decimal, as Superset knows no Nullable(Float64), and made from text, as a cast cuts 19.99 to 19.9899.
-- The first time of a view is the one its rows are about, for BI tools take that.
-- A compound signal is a row of compounds and none of signals, where its parts are.

CREATE OR REPLACE VIEW {bi}.accounts {on_cluster}
(
    account_id         String COMMENT 'Id of the customer company: crm:DIRECTORY:..., domain:..., or anon:... before it is identified',
    account_name       String COMMENT 'Name from the CRM, else the id without its namespace',
    is_identified      Bool COMMENT 'False: we know only an anonymous visitor so far',
    phase              LowCardinality(String) COMMENT 'Phase of the journey it is in now',
    has_phase_since    Bool COMMENT 'False: it has been in this phase since its first touchpoint',
    first_seen_at      DateTime64(3, 'UTC') COMMENT 'First touchpoint',
    phase_since        Nullable(DateTime64(3, 'UTC')) COMMENT 'When it entered the phase; NULL where has_phase_since is false',
    high_water_phase   LowCardinality(String) COMMENT 'Furthest phase it has reached',
    segment            LowCardinality(String) COMMENT 'Customer segment',
    touchpoints        Int64 COMMENT 'Touchpoints in all, with records about records',
    on_map_touchpoints Int64 COMMENT 'Touchpoints that are contact moments',
    people             Int64 COMMENT 'People known at the account',
    friction_signals   Int64 COMMENT 'Friction signals that stand; compound ones (see compounds) are left out, their parts are in',
    last_seen_at       DateTime64(3, 'UTC') COMMENT 'Latest touchpoint',
    as_of              DateTime64(3, 'UTC') COMMENT 'Time for which this state was computed',
    written_at         DateTime64(3, 'UTC') COMMENT 'When the row was stored',
    committee_completeness Nullable(Decimal(9, 6)) COMMENT 'How complete the buying committee is, 0 to 1: mean over the roles; NULL where the blueprint asks for nobody',
    open_opportunities Int64 COMMENT 'Deals that are open',
    blueprint_version  Int64 COMMENT 'Version of the blueprint that made this row',
    crm_id             String COMMENT 'What the CRM calls it; empty where it is no account of a CRM. Join on it and on directory',
    directory          String COMMENT 'Whose account it is: the directory of a CRM, a helpdesk or a product; empty for the others'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    account_id,
    multiIf(
        name != '', name, startsWith(account_id, 'anon:'), 'not yet identified',
        match(account_id, '^(crm|group|org):[a-z][a-z0-9_]*:'), replaceRegexpOne(account_id, '^[a-z]+:[a-z][a-z0-9_]*:', ''),
        substring(account_id, position(account_id, ':') + 1)
    ) AS account_name,
    toBool(NOT startsWith(account_id, 'anon:')) AS is_identified,
    phase,
    toBool(j.phase_since > toDateTime64(0, 3, 'UTC')) AS has_phase_since,
    if(j.phase_since > toDateTime64(0, 3, 'UTC'), j.phase_since, NULL) AS phase_since,
    high_water_phase,
    segment,
    toInt64(touchpoints) AS touchpoints,
    toInt64(on_map_touchpoints) AS on_map_touchpoints,
    toInt64(people) AS people,
    toInt64(friction_signals) AS friction_signals,
    first_seen_at,
    last_seen_at,
    as_of,
    written_at,
    toDecimal32OrNull(toString(round(j.committee_completeness, 6)), 6) AS committee_completeness,
    toInt64(arrayCount(deal -> JSONExtractString(deal, 'status') = 'open', JSONExtractArrayRaw(opportunities)))
        AS open_opportunities,
    toInt64(blueprint_version) AS blueprint_version,
    if(
        startsWith(account_id, 'crm:'),
        if(
            match(account_id, '^crm:[a-z][a-z0-9_]*:'),
            replaceRegexpOne(account_id, '^crm:[a-z][a-z0-9_]*:', ''), substring(account_id, 5)
        ),
        ''
    ) AS crm_id,
    extract(account_id, '^(?:crm|group|org):([a-z][a-z0-9_]*):') AS directory
FROM {database}.account_journeys AS j FINAL
COMMENT 'One row per customer account: where it stands now';

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
        substring(s.account_id, position(s.account_id, ':') + 1)
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
        substring(s.account_id, position(s.account_id, ':') + 1)
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
        substring(c.account_id, position(c.account_id, ':') + 1)
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
            substring(account_id, position(account_id, ':') + 1)
        ) AS account_name,
        arrayJoin(JSONExtractArrayRaw(transitions)) AS change
    FROM {database}.account_journeys FINAL
)
COMMENT 'One row per change of phase of an account, accepted or refused';

CREATE OR REPLACE VIEW {bi}.opportunities {on_cluster}
(
    opportunity_id   String COMMENT 'Id of the deal: deal:..., as in the subject of its touchpoints',
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
    close_due_at     Nullable(DateTime64(3, 'UTC')) COMMENT 'When the CRM expects it to close; NULL where has_close_due_at is false'
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
    parseDateTime64BestEffortOrNull(JSONExtractString(deal, 'close_due_at'), 3, 'UTC') AS close_due_at
FROM
(
    SELECT
        account_id,
        multiIf(
            name != '', name, startsWith(account_id, 'anon:'), 'not yet identified',
            substring(account_id, position(account_id, ':') + 1)
        ) AS account_name,
        arrayJoin(JSONExtractArrayRaw(opportunities)) AS deal
    FROM {database}.account_journeys FINAL
)
COMMENT 'One row per deal of an account; deals run beside the phase';

CREATE OR REPLACE VIEW {bi}.corrections {on_cluster}
(
    correction_id       String COMMENT 'Id of the correction',
    account_id          String COMMENT 'Customer account that was computed again',
    corrected_at        DateTime64(3, 'UTC') COMMENT 'When',
    event_date          Date COMMENT 'Day of corrected_at, UTC',
    cause               String COMMENT 'Why, in words',
    touchpoints_changed Int64 COMMENT 'Touchpoints whose figures changed',
    touchpoints_removed Int64 COMMENT 'Touchpoints that moved to another account or were erased',
    signals_changed     Int64 COMMENT 'Signals that are new or different',
    signals_withdrawn   Int64 COMMENT 'Signals that a later event disproved',
    what                String COMMENT 'What changed, in words'
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
    toInt64(c.signals_withdrawn) AS signals_withdrawn,
    c.what AS what
FROM {database}.corrections AS c FINAL
COMMENT 'What a recomputation changed after the fact: late events, merged identities, new blueprints';

CREATE OR REPLACE VIEW {bi}.directory {on_cluster}
(
    object_kind LowCardinality(String) COMMENT 'account, contact, deal, owner, ticket or another object of the CRM',
    object_id   String COMMENT 'Id of the object in its system',
    field       String COMMENT 'What is said of it; exists says whether it is there, merged_into which record it became part of',
    value       String COMMENT 'What it is in this version; numbers as text, empty where it was taken away',
    since       DateTime64(3, 'UTC') COMMENT 'From when on the value holds',
    event_date  Date COMMENT 'Day of since, UTC',
    is_current  Bool COMMENT 'True for the version that holds now',
    until       Nullable(DateTime64(3, 'UTC')) COMMENT 'When another value took its place; NULL where is_current is true',
    source      LowCardinality(String) COMMENT 'Configured source that said so',
    event_id    String COMMENT 'Record that said so; see touchpoints',
    account_id  String COMMENT 'Account the record belongs to',
    crm_id      String COMMENT 'What the CRM calls the object: the same as object_id; empty for what is no record of a CRM',
    directory   String COMMENT 'Directory the object is of; objects of two are never the same'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    v.kind AS object_kind,
    v.id AS object_id,
    v.said.1 AS field,
    v.said.2 AS value,
    toDate(v.at) AS event_date,
    v.at AS since,
    toBool(v.next_at = toDateTime64(0, 3, 'UTC')) AS is_current,
    if(v.next_at = toDateTime64(0, 3, 'UTC'), NULL, v.next_at) AS until,
    v.from_source AS source,
    v.event AS event_id,
    v.account AS account_id,
    if(v.kind IN ('account', 'contact', 'deal', 'owner', 'ticket', 'product', 'line_item'), v.id, '') AS crm_id,
    v.directory AS directory
FROM (
    SELECT
        d.kind AS kind, d.id AS id, d.said AS said, d.at AS at, d.from_source AS from_source, d.event AS event, d.account AS account,
        d.directory AS directory,
        leadInFrame(d.at, 1, toDateTime64(0, 3, 'UTC')) OVER (
            PARTITION BY d.kind, d.directory, d.id, d.said.1 ORDER BY d.at, d.event
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        ) AS next_at
    FROM (
        SELECT
            r.kind AS kind, r.told.1 AS id, (r.told.2, r.told.3) AS said, r.at AS at, r.from_source AS from_source, r.event AS event, r.account AS account,
            r.directory AS directory,
            row_number() OVER w AS version, lagInFrame(r.told.3) OVER w AS former
        FROM (
            SELECT
                transform(substring(t.subject, 1, position(t.subject, ':') - 1), ['company'], ['account']) AS kind,
                extract(t.subject, '^[a-z0-9_-]+:([a-z][a-z0-9_]*):') AS directory,
                if(
                    directory != '', substring(t.subject, position(t.subject, ':') + length(directory) + 2),
                    substring(t.subject, position(t.subject, ':') + 1)
                ) AS of,
                t.occurred_at AS at, t.source AS from_source, t.event_id AS event, t.account_id AS account,
                JSONHas(t.properties, 'association') AS is_association,
                arrayJoin(arrayConcat(
                    arrayMap(p -> (of, p.1, p.2), arrayConcat(
                        [('exists', if(t.action = 'crm_removed' AND NOT is_association, 'false', 'true'))],
                        if(is_association, [('account', if(JSONExtractBool(t.properties, 'removed'), '', t.account_id))], []),
                        if(
                            JSONHas(t.properties, 'property') AND JSONHas(t.properties, 'value'),
                            [(
                                transform(
                                    JSONExtractString(t.properties, 'property'),
                                    ['jobtitle', 'numberofemployees', 'hubspot_owner_id', 'hs_role', 'hs_buying_role', 'domain'],
                                    ['title', 'employees', 'owner', 'role', 'role', 'domains']
                                ),
                                JSONExtractString(t.properties, 'value')
                            )],
                            []
                        ),
                        arrayMap(
                            p -> (p.1, if(startsWith(p.2, '"'), JSONExtractString(p.2), p.2)),
                            arrayFilter(
                                p -> p.1 NOT IN ('property', 'value', 'change_source', 'association', 'removed', 'privacy'),
                                JSONExtractKeysAndValuesRaw(t.properties)
                            )
                        )
                    )),
                    arrayFlatten(arrayMap(
                        gone -> [(gone, 'exists', 'false'), (gone, 'merged_into', of)],
                        arrayFilter(
                            gone -> gone NOT IN ('', of), splitByChar(' ', JSONExtractString(t.properties, 'merged'))
                        )
                    ))
                )) AS told
            FROM {database}.touchpoints AS t FINAL
            WHERE (
                t.action IN ('crm_record', 'crm_removed', 'lifecycle_changed', 'deal_created', 'deal_stage_changed')
                OR t.action = 'alias' AND JSONHas(t.properties, 'merged') -- contacts that became one
            )
              AND position(t.subject, ':') > 1
        ) AS r
        WINDOW w AS (
            PARTITION BY r.kind, r.directory, r.told.1, r.told.2 ORDER BY r.at, r.event
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        )
    ) AS d
    WHERE d.version = 1 OR d.said.2 != d.former
) AS v
COMMENT 'One row per version of a field of a CRM object: what it was, from when to when, and who said so';

CREATE OR REPLACE VIEW {bi}.proposals {on_cluster}
(
    proposal_id String COMMENT 'Id of the question; the same question keeps its id',
    kind        LowCardinality(String) COMMENT 'same_person: are a and b one person; belongs: does a belong to account b',
    a           String COMMENT 'An id a person is known by, as kind:value',
    b           String COMMENT 'Another such id, or the account for belongs',
    reason      String COMMENT 'Why it is asked, in words',
    evidence    String COMMENT 'Touchpoint that gave rise to it',
    confidence  Float64 COMMENT 'How likely a yes is by the evidence alone, 0 to 1',
    since       DateTime64(3, 'UTC') COMMENT 'Time of the evidence',
    event_date  Date COMMENT 'Day of since, UTC',
    status      LowCardinality(String) COMMENT 'open, accepted, rejected, or settled by later evidence',
    is_decided  Bool COMMENT 'True where a person has answered',
    decided_by  String COMMENT 'Who answered; empty where is_decided is false',
    decided_at  Nullable(DateTime64(3, 'UTC')) COMMENT 'When; NULL where is_decided is false'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    p.proposal_id AS proposal_id,
    p.kind AS kind,
    p.a AS a,
    p.b AS b,
    p.reason AS reason,
    p.evidence AS evidence,
    p.confidence AS confidence,
    toDate(p.since) AS event_date,
    p.since AS since,
    p.status AS status,
    toBool(p.status IN ('accepted', 'rejected')) AS is_decided,
    p.by AS decided_by,
    if(p.status IN ('accepted', 'rejected'), p.decided_at, NULL) AS decided_at
FROM {database}.proposals AS p FINAL
COMMENT 'One row per question about who is who: what evidence left open, and what people answered';

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
    toDecimal32OrNull(toString(round(emotions / felt, 6)), 6) AS emotion,
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
    emotion              Nullable(Decimal(9, 6)) COMMENT 'Mean of the touchpoints with evidence, -1 to 1; NULL where has_emotion is false',
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
    toDecimal32OrNull(toString(round(emotions / felt, 6)), 6) AS emotion,
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

CREATE OR REPLACE VIEW {bi}.touchpoint_types {on_cluster}
(
    touchpoint_type         String COMMENT 'Id, as in the other views',
    touchpoint_name         String COMMENT 'Shown name',
    home_phase              LowCardinality(String) COMMENT 'Phase it belongs to',
    position                Int64 COMMENT 'Place in the catalogue',
    is_on_map               Bool COMMENT 'False for records about records, which are no contact moments',
    typical_channel         String COMMENT 'Channel it usually comes by',
    is_direct               Bool COMMENT 'With us; false: through a third party or medium',
    is_online               Bool COMMENT 'On a screen; false: in person or on paper',
    started_by              LowCardinality(String) COMMENT 'Who starts it: customer or company',
    is_moment_of_truth      Bool COMMENT 'Makes or breaks the relationship',
    importance              Int64 COMMENT '1 minor to 5 decisive',
    risk                    Int64 COMMENT 'Damage if it fails: 1 hardly noticed to 5 the customer is lost',
    if_it_fails             String COMMENT 'That damage in words',
    owner_department        String COMMENT 'Department that answers for it',
    owner_people            String COMMENT 'Roles that work on it, joined with commas',
    owner_technology        String COMMENT 'Systems it runs on, joined with commas',
    customer_goal           String COMMENT 'What the customer wants of it',
    excellent               String COMMENT 'What it looks like at its best',
    terrible                String COMMENT 'What it looks like at its worst',
    has_desired_emotion     Bool COMMENT 'False: nobody has said what it should feel like',
    desired_emotion         Nullable(Decimal(18, 6)) COMMENT '-1 painful to 1 delightful; NULL where has_desired_emotion is false',
    effort                  LowCardinality(String) COMMENT 'To improve it: quick, medium or long; empty: not estimated',
    target_first_response_s Nullable(Decimal(18, 6)) COMMENT 'Seconds to the first human answer at most; NULL: no target',
    target_resolution_s     Nullable(Decimal(18, 6)) COMMENT 'Seconds until it is solved at most; NULL: no target',
    target_answer_s         Nullable(Decimal(18, 6)) COMMENT 'Seconds until we have answered at most; NULL: no target',
    target_duration_ms      Nullable(Decimal(18, 6)) COMMENT 'Milliseconds it may take to load; NULL: no target',
    target_emotion          Nullable(Decimal(18, 6)) COMMENT 'Mean emotion at least; NULL: no target',
    target_friction_rate    Nullable(Decimal(18, 6)) COMMENT 'Part of the touchpoints with friction at most; NULL: no target',
    blueprint_version       Int64 COMMENT 'Version of the blueprint this is from'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    JSONExtractString(kind, 'id') AS touchpoint_type,
    JSONExtractString(kind, 'name') AS touchpoint_name,
    JSONExtractString(kind, 'phase') AS home_phase,
    toInt64(place) AS position,
    toBool(JSONExtractBool(kind, 'on_map')) AS is_on_map,
    JSONExtractString(kind, 'channel') AS typical_channel,
    toBool(JSONExtractString(kind, 'contact') = 'direct') AS is_direct,
    toBool(JSONExtractString(kind, 'setting') = 'online') AS is_online,
    JSONExtractString(kind, 'started_by') AS started_by,
    toBool(JSONExtractBool(kind, 'moment_of_truth')) AS is_moment_of_truth,
    JSONExtractInt(kind, 'importance') AS importance,
    JSONExtractInt(kind, 'risk') AS risk,
    JSONExtractString(kind, 'if_it_fails') AS if_it_fails,
    JSONExtractString(kind, 'owner', 'department') AS owner_department,
    arrayStringConcat(JSONExtract(kind, 'owner', 'people', 'Array(String)'), ', ') AS owner_people,
    arrayStringConcat(JSONExtract(kind, 'owner', 'technology', 'Array(String)'), ', ') AS owner_technology,
    JSONExtractString(kind, 'goal') AS customer_goal,
    JSONExtractString(kind, 'excellent') AS excellent,
    JSONExtractString(kind, 'terrible') AS terrible,
    toBool(JSONType(kind, 'desired_emotion') != 'Null') AS has_desired_emotion,
    if(JSONType(kind, 'desired_emotion') != 'Null', toDecimal64OrNull(toString(JSONExtractFloat(kind, 'desired_emotion')), 6), NULL) AS desired_emotion,
    JSONExtractString(kind, 'effort') AS effort,
    if(JSONHas(kind, 'targets', 'first_response_s'), toDecimal64OrNull(toString(JSONExtractFloat(kind, 'targets', 'first_response_s')), 6), NULL) AS target_first_response_s,
    if(JSONHas(kind, 'targets', 'resolution_s'), toDecimal64OrNull(toString(JSONExtractFloat(kind, 'targets', 'resolution_s')), 6), NULL) AS target_resolution_s,
    if(JSONHas(kind, 'targets', 'answer_s'), toDecimal64OrNull(toString(JSONExtractFloat(kind, 'targets', 'answer_s')), 6), NULL) AS target_answer_s,
    if(JSONHas(kind, 'targets', 'duration_ms'), toDecimal64OrNull(toString(JSONExtractFloat(kind, 'targets', 'duration_ms')), 6), NULL) AS target_duration_ms,
    if(JSONHas(kind, 'targets', 'emotion'), toDecimal64OrNull(toString(JSONExtractFloat(kind, 'targets', 'emotion')), 6), NULL) AS target_emotion,
    if(JSONHas(kind, 'targets', 'friction_rate'), toDecimal64OrNull(toString(JSONExtractFloat(kind, 'targets', 'friction_rate')), 6), NULL) AS target_friction_rate,
    toInt64(in_force) AS blueprint_version
FROM
(
    SELECT in_force, entry.1 AS place, entry.2 AS kind
    FROM
    (
        SELECT argMax(b.blueprint_version, b.written_at) AS in_force, argMax(b.payload, b.written_at) AS whole
        FROM {database}.blueprints AS b
    )
    ARRAY JOIN arrayZip(
        arrayEnumerate(JSONExtractArrayRaw(whole, 'types')), JSONExtractArrayRaw(whole, 'types')
    ) AS entry
)
COMMENT 'One row per kind of touchpoint of the blueprint in force: what it is and what it should be';
