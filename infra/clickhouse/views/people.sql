CREATE OR REPLACE VIEW {bi}.people {on_cluster}
(
    person_id      String COMMENT 'Person; names are in person_names',
    account_id     String COMMENT 'Account of their latest touchpoint',
    account_name   String COMMENT 'Name of the account',
    persona        LowCardinality(String) COMMENT 'Kind of person, by their latest touchpoint',
    buying_role    LowCardinality(String) COMMENT 'Part of that persona in the decision',
    first_seen_at  DateTime64(3, 'UTC') COMMENT 'First touchpoint',
    last_seen_at   DateTime64(3, 'UTC') COMMENT 'Latest touchpoint',
    touchpoints    Int64 COMMENT 'Touchpoints in all, with records about records',
    on_map_touchpoints Int64 COMMENT 'Touchpoints that are contact moments',
    friction_touchpoints Int64 COMMENT 'Contact moments with at least one friction signal',
    pain_sum       Float64 COMMENT 'Pain of the contact moments, added up',
    emotion_sum    Float64 COMMENT 'Emotions of the contact moments, added up; divided by emotion_count: the mean',
    emotion_count  Int64 COMMENT 'Contact moments with evidence of an emotion'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS WITH
    {asker},
    (
        SELECT (groupArray(JSONExtractString(kind, 'id')), groupArray(JSONExtractString(kind, 'buying_role')))
        FROM (SELECT arrayJoin(JSONExtractArrayRaw(argMax(b.payload, b.written_at), 'personas')) AS kind FROM {database}.blueprints AS b)
    ) AS kinds
SELECT
    {person:q.id} AS person_id,
    q.account AS account_id,
    multiIf(
        ifNull(a.name, '') != '', ifNull(a.name, ''), startsWith(q.account, 'anon:'), 'not yet identified',
        replaceRegexpOne(q.account, '^(?:(?:crm|group|org):[a-z][a-z0-9_]*|[a-z]+):', '')
    ) AS account_name,
    q.latest_persona AS persona,
    transform(q.latest_persona, kinds.1, kinds.2, '') AS buying_role,
    q.since AS first_seen_at,
    q.until AS last_seen_at,
    toInt64(q.n) AS touchpoints,
    toInt64(q.on_it) AS on_map_touchpoints,
    toInt64(q.painful) AS friction_touchpoints,
    q.pains AS pain_sum,
    q.emotions AS emotion_sum,
    toInt64(q.felt) AS emotion_count
FROM
(
    SELECT
        t.person_id AS id,
        argMax(t.account_id, t.moment) AS account,
        argMax(t.persona, t.moment) AS latest_persona,
        min(t.occurred_at) AS since,
        max(t.occurred_at) AS until,
        count() AS n,
        countIf(t.on_map) AS on_it,
        countIf(t.on_map AND t.friction > 0) AS painful,
        sumIf(toInt64(round(t.pain * 1e9)), t.on_map) / 1e9 AS pains,
        sumIf(toInt64(round(if(t.has_emotion, t.emotion, 0) * 1e9)), t.on_map AND t.has_emotion) / 1e9 AS emotions,
        countIf(t.on_map AND t.has_emotion) AS felt
    FROM {database}.touchpoints AS t FINAL
    WHERE t.person_id != ''
    GROUP BY id
) AS q
LEFT ANY JOIN (SELECT account_id, name FROM {database}.account_journeys FINAL) AS a ON a.account_id = q.account
COMMENT 'One row per person at a customer: what they met, without their name';
