CREATE OR REPLACE VIEW {bi}.tickets {on_cluster}
(
    ticket_id        String COMMENT 'Id of the ticket: ticket:DIRECTORY:..., as in the subject of its touchpoints',
    account_id       String COMMENT 'Customer account, by its latest touchpoint',
    account_name     String COMMENT 'Name of the account',
    person_id        String COMMENT 'Person who opened it; empty where none is known',
    source           LowCardinality(String) COMMENT 'Configured source that told of it',
    title            String COMMENT 'Title, as last told',
    status           LowCardinality(String) COMMENT 'Status as last told: new, open, pending, hold, solved or closed; empty: never told',
    priority         LowCardinality(String) COMMENT 'Priority as last told; empty: never told',
    created_at       DateTime64(3, 'UTC') COMMENT 'When it was opened; where that was not told, its first touchpoint',
    event_date       Date COMMENT 'Day of created_at, UTC',
    has_created      Bool COMMENT 'False: nobody told that it was opened, so no time from then on is known',
    first_reply_at   Nullable(DateTime64(3, 'UTC')) COMMENT 'First answer of an agent; NULL: none, or the source cannot show answers',
    solved_at        Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was last solved or closed; NULL while it is not',
    is_solved        Bool COMMENT 'True where it is solved or closed now',
    first_reply_s    Nullable(Decimal(18, 3)) COMMENT 'Seconds from created_at to first_reply_at; NULL where one is not known',
    resolution_s     Nullable(Decimal(18, 3)) COMMENT 'Seconds from created_at to solved_at; NULL where one is not known',
    reopened         Int64 COMMENT 'Times it was opened again after it was solved or closed',
    agent_replies    Int64 COMMENT 'Answers of agents',
    customer_replies Int64 COMMENT 'Messages of the customer after the first',
    touchpoints      Int64 COMMENT 'Touchpoints about it',
    pain_sum         Float64 COMMENT 'Pain of its touchpoints, added up',
    emotion_sum      Float64 COMMENT 'Emotions of its touchpoints, added up; divided by emotion_count: the mean',
    emotion_count    Int64 COMMENT 'Its touchpoints with evidence of an emotion'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS WITH
    {asker}
SELECT
    q.id AS ticket_id,
    q.account AS account_id,
    multiIf(
        ifNull(a.name, '') != '', ifNull(a.name, ''), startsWith(q.account, 'anon:'), 'not yet identified',
        replaceRegexpOne(q.account, '^(?:(?:crm|group|org):[a-z][a-z0-9_]*|[a-z]+):', '')
    ) AS account_name,
    {person:q.opener} AS person_id,
    q.from_source AS source,
    {words:q.last_title} AS title,
    q.last_status AS status,
    q.last_priority AS priority,
    if(q.openings > 0, q.opened, q.first) AS created_at,
    toDate(created_at) AS event_date,
    toBool(q.openings > 0) AS has_created,
    if(q.answers > 0, q.answered, NULL) AS first_reply_at,
    if(is_solved, q.solved, NULL) AS solved_at,
    toBool(q.last_status IN ('solved', 'closed')) AS is_solved,
    if(
        q.openings > 0 AND q.answers > 0 AND q.answered >= q.opened,
        toDecimal64(dateDiff('millisecond', q.opened, q.answered), 3) / 1000, NULL
    ) AS first_reply_s,
    if(
        q.openings > 0 AND is_solved AND q.solved >= q.opened,
        toDecimal64(dateDiff('millisecond', q.opened, q.solved), 3) / 1000, NULL
    ) AS resolution_s,
    toInt64(q.reopenings) AS reopened,
    toInt64(q.answers) AS agent_replies,
    toInt64(q.messages) AS customer_replies,
    toInt64(q.n) AS touchpoints,
    q.pains AS pain_sum,
    q.emotions AS emotion_sum,
    toInt64(q.felt) AS emotion_count
FROM
(
    SELECT
        id,
        argMax(account_id, moment) AS account,
        argMinIf(person_id, moment, action = 'ticket_created') AS opener,
        argMax(source, moment) AS from_source,
        argMaxIf(title, moment, title != '') AS last_title,
        argMaxIf(status, moment, status != '') AS last_status,
        argMaxIf(priority, moment, priority != '') AS last_priority,
        min(at) AS first,
        minIf(at, action = 'ticket_created') AS opened,
        countIf(action = 'ticket_created') AS openings,
        minIf(at, action = 'ticket_replied_by_agent') AS answered,
        countIf(action = 'ticket_replied_by_agent') AS answers,
        countIf(action = 'ticket_replied_by_customer') AS messages,
        maxIf(at, is_end AND NOT was_end) AS solved,
        countIf(was_end AND status != '' AND NOT is_end) AS reopenings,
        count() AS n,
        sum(toInt64(round(pain * 1e9))) / 1e9 AS pains,
        sumIf(toInt64(round(if(has_emotion, emotion, 0) * 1e9)), has_emotion) / 1e9 AS emotions,
        countIf(has_emotion) AS felt
    FROM
    (
        SELECT
            *,
            status IN ('solved', 'closed') AS is_end,
            lagInFrame(known) OVER by_time IN ('solved', 'closed') AS was_end
        FROM
        (
            SELECT
                *,
                -- the status that holds after it: what is told, else what was told before
                last_value(nullIf(status, '')) IGNORE NULLS OVER so_far AS known
            FROM
            (
                SELECT
                    t.subject AS id, t.occurred_at AS at, t.moment AS moment, t.account_id AS account_id,
                    t.person_id AS person_id, t.source AS source, t.title AS title, t.action AS action, t.pain AS pain,
                    t.emotion AS emotion, t.has_emotion AS has_emotion,
                    multiIf(
                        t.action = 'ticket_status', JSONExtractString(t.properties, 'current'),
                        t.action = 'ticket_created', ifNull(nullIf(JSONExtractString(t.properties, 'status'), ''), 'new'), ''
                    ) AS status,
                    JSONExtractString(t.properties, 'priority') AS priority
                FROM {database}.touchpoints AS t FINAL
                WHERE startsWith(t.subject, 'ticket:')
            )
            WINDOW so_far AS (PARTITION BY id ORDER BY moment ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
        )
        WINDOW by_time AS (PARTITION BY id ORDER BY moment ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    )
    GROUP BY id
) AS q
LEFT ANY JOIN (SELECT account_id, name FROM {database}.account_journeys FINAL) AS a ON a.account_id = q.account
COMMENT 'One row per support ticket: when it was opened, answered, solved and opened again';
