CREATE OR REPLACE VIEW {bi}.cases {on_cluster}
(
    case_id         String COMMENT 'Id of the case; signals name it in case_id',
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
AS WITH
    {asker}
SELECT
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
    {person:c.person_id} AS person_id,
    toInt64(p.persons) AS people,
    toInt64(p.n) AS parts,
    arrayStringConcat(p.found_by, ',') AS rules,
    c.severity AS severity,
    p.worst AS worst_severity,
    if(hides, c.rule, c.explanation) AS explanation
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
COMMENT 'One row per case: signals of one account on one thing, joined by a compound rule; what people are shown and take is in incidents';
