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
    parts_count     Int64 COMMENT 'How many of them it lists',
    explanation_coded String COMMENT 'What explanation is made from, as JSON: a key and its parameters; empty where it was stored before or is hidden'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS WITH
    {asker}
SELECT
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
    {person:s.person_id} AS person_id,
    s.event_id AS event_id,
    s.touchpoint_type AS touchpoint_type,
    s.phase AS phase,
    if(hides, s.rule, s.explanation) AS explanation,
    arrayStringConcat(s.evidence, ',') AS evidence,
    toInt64(s.evidence_count) AS evidence_count,
    s.written_at AS written_at,
    arrayStringConcat(s.parts, ',') AS parts,
    toInt64(length(s.parts)) AS parts_count,
    if(hides, '', s.explanation_coded) AS explanation_coded
FROM {database}.signals AS s FINAL
LEFT ANY JOIN (SELECT account_id, name FROM {database}.account_journeys FINAL) AS a ON a.account_id = s.account_id
WHERE notEmpty(s.parts)
COMMENT 'One row per signal that is made of others and stands: cases, and what a rule says of signals, such as a moment of truth gone wrong';
