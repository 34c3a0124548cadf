CREATE OR REPLACE VIEW {bi}.incidents {on_cluster}
(
    incident_id      String COMMENT 'Id of the incident, as alerts and alerts_sent have it',
    opened_at        DateTime64(3, 'UTC') COMMENT 'Since when it hurts',
    event_date       Date COMMENT 'Day of opened_at, UTC',
    state            LowCardinality(String) COMMENT 'open (nobody has it), taken, silenced, done (by somebody) or over (by itself), as of now',
    is_open          Bool COMMENT 'True for open, taken and silenced: it still hurts',
    severity         LowCardinality(String) COMMENT 'watch, high or severe, weighed by how much the account counts',
    severity_score   Float64 COMMENT '0 to 1: its worst part, not weighed',
    account_id       String COMMENT 'Customer account',
    account_name     String COMMENT 'Name of the account',
    what             String COMMENT 'What happened, in words',
    touchpoint_type  LowCardinality(String) COMMENT 'Kind of touchpoint where it hurt worst; empty where the account fell back',
    touchpoint_name  String COMMENT 'Its shown name',
    owner_department LowCardinality(String) COMMENT 'Department that answers for it; empty where nobody is named',
    phase            LowCardinality(String) COMMENT 'Phase of the account then',
    phase_name       String COMMENT 'Its shown name',
    taken_by         String COMMENT 'Who takes care of it; empty: nobody',
    taken_at         Nullable(DateTime64(3, 'UTC')) COMMENT 'Since when; NULL: nobody does',
    assigned_by      String COMMENT 'Who gave it to them; empty: they took it themselves',
    silenced_until   Nullable(DateTime64(3, 'UTC')) COMMENT 'Until when nobody wants to hear of it; NULL: never silenced',
    silenced_by      String COMMENT 'Who silenced it',
    done_at          Nullable(DateTime64(3, 'UTC')) COMMENT 'When somebody said that it is done; NULL: nobody did',
    done_by          String COMMENT 'Who said so',
    is_back          Bool COMMENT 'True where it was done and hurts again',
    last_pain_at     DateTime64(3, 'UTC') COMMENT 'When it last hurt',
    over_at          Nullable(DateTime64(3, 'UTC')) COMMENT 'When it is, or was, over if nothing more comes; NULL: something still waits',
    told_at          Nullable(DateTime64(3, 'UTC')) COMMENT 'When people were first told of it; NULL: nobody was',
    channels         String COMMENT 'Where they were told, joined with commas',
    signs            Int64 COMMENT 'Pains in it; what several rules say of one touchpoint is one',
    tags             String COMMENT 'Rules that made something of several pains, joined with commas',
    people           Int64 COMMENT 'People it hurt, as far as they are known',
    evidence         String COMMENT 'Ids of the touchpoints that show it, oldest first, joined with commas, at most 20',
    evidence_count   Int64 COMMENT 'Touchpoints that show it',
    pain_sum         Float64 COMMENT 'Pain of these touchpoints, added up; each touchpoint is in one incident at most',
    event_id         String COMMENT 'Its oldest evidence: /incidents/ and this id is its page',
    written_at       DateTime64(3, 'UTC') COMMENT 'When this version of the row was stored'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS WITH
    {asker},
    now64(3, 'UTC') AS seen_at,
    (
        SELECT (
            groupArrayIf(JSONExtractString(entry, 'id'), what = 'types'), groupArrayIf(JSONExtractString(entry, 'name'), what = 'types'),
            groupArrayIf(JSONExtractString(entry, 'owner', 'department'), what = 'types'),
            groupArrayIf(JSONExtractString(entry, 'id'), what = 'phases'), groupArrayIf(JSONExtractString(entry, 'name'), what = 'phases')
        )
        FROM
        (
            SELECT what, arrayJoin(JSONExtractArrayRaw(payload, what)) AS entry
            FROM (SELECT argMax(b.payload, b.written_at) AS payload FROM {database}.blueprints AS b) AS p
            ARRAY JOIN ['types', 'phases'] AS what
        )
    ) AS names
SELECT
    i.incident_id AS incident_id,
    i.opened_at AS opened_at,
    toDate(i.opened_at) AS event_date,
    multiIf(
        i.done_at > toDateTime64(0, 3, 'UTC') AND i.pained_at <= i.done_at, 'done',
        i.over_at > toDateTime64(0, 3, 'UTC') AND i.over_at <= seen_at, 'over',
        i.silenced_until > seen_at, 'silenced',
        i.taken_by != '', 'taken', 'open'
    ) AS state,
    toBool(state IN ('open', 'taken', 'silenced')) AS is_open,
    i.level AS severity,
    i.severity AS severity_score,
    i.account_id AS account_id,
    multiIf(
        ifNull(a.name, '') != '', ifNull(a.name, ''), startsWith(i.account_id, 'anon:'), 'not yet identified',
        replaceRegexpOne(i.account_id, '^(?:(?:crm|group|org):[a-z][a-z0-9_]*|[a-z]+):', '')
    ) AS account_name,
    {words:i.what} AS what,
    i.touchpoint_type AS touchpoint_type,
    transform(i.touchpoint_type, names.1, names.2, '') AS touchpoint_name,
    transform(i.touchpoint_type, names.1, names.3, '') AS owner_department,
    i.phase AS phase,
    transform(i.phase, names.4, names.5, '') AS phase_name,
    i.taken_by AS taken_by,
    if(i.taken_at > toDateTime64(0, 3, 'UTC'), i.taken_at, NULL) AS taken_at,
    i.assigned_by AS assigned_by,
    if(i.silenced_until > toDateTime64(0, 3, 'UTC'), i.silenced_until, NULL) AS silenced_until,
    i.silenced_by AS silenced_by,
    if(i.done_at > toDateTime64(0, 3, 'UTC'), i.done_at, NULL) AS done_at,
    i.done_by AS done_by,
    toBool(i.done_at > toDateTime64(0, 3, 'UTC') AND i.pained_at > i.done_at) AS is_back,
    i.pained_at AS last_pain_at,
    if(i.over_at > toDateTime64(0, 3, 'UTC'), i.over_at, NULL) AS over_at,
    if(i.told_at > toDateTime64(0, 3, 'UTC'), i.told_at, NULL) AS told_at,
    arrayStringConcat(i.channels, ',') AS channels,
    toInt64(i.signs) AS signs,
    arrayStringConcat(i.tags, ',') AS tags,
    toInt64(i.people) AS people,
    arrayStringConcat(arraySlice(i.evidence, 1, 20), ',') AS evidence,
    toInt64(length(i.evidence)) AS evidence_count,
    i.pain AS pain_sum,
    i.event_id AS event_id,
    i.written_at AS written_at
FROM {database}.incidents AS i FINAL
LEFT ANY JOIN (SELECT account_id, name FROM {database}.account_journeys FINAL) AS a ON a.account_id = i.account_id
COMMENT 'One row per incident, as the page of incidents has it: what hurts an account, how badly, and who has taken it';
