CREATE OR REPLACE VIEW {bi}.deal_stages {on_cluster}
(
    opportunity_id String COMMENT 'Id of the deal, as in opportunities',
    entered_at     DateTime64(3, 'UTC') COMMENT 'When it came into the stage',
    event_date     Date COMMENT 'Day of entered_at, UTC',
    stage          String COMMENT 'Stage, in the words of the CRM',
    position       Int64 COMMENT 'Which of its stages in time: 1 is its first; a stage it comes back to counts again',
    is_current     Bool COMMENT 'True for the stage it is in now',
    left_at        Nullable(DateTime64(3, 'UTC')) COMMENT 'When it left the stage; NULL where is_current is true',
    stage_s        Float64 COMMENT 'Seconds in the stage, until now where is_current is true',
    account_id     String COMMENT 'Customer account',
    account_name   String COMMENT 'Name of the account',
    event_id       String COMMENT 'Touchpoint that told so'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    q.deal AS opportunity_id,
    q.at AS entered_at,
    toDate(q.at) AS event_date,
    q.told AS stage,
    toInt64(row_number() OVER by_time) AS position,
    toBool(left_at IS NULL) AS is_current,
    leadInFrame(toNullable(q.at)) OVER by_time AS left_at,
    toFloat64(dateDiff('millisecond', q.at, ifNull(left_at, now64(3, 'UTC')))) / 1000 AS stage_s,
    q.account AS account_id,
    multiIf(
        ifNull(a.name, '') != '', ifNull(a.name, ''), startsWith(q.account, 'anon:'), 'not yet identified',
        replaceRegexpOne(q.account, '^(?:(?:crm|group|org):[a-z][a-z0-9_]*|[a-z]+):', '')
    ) AS account_name,
    q.event AS event_id
FROM
(
    SELECT
        t.subject AS deal, t.occurred_at AS at, t.event_id AS event, t.account_id AS account,
        JSONExtractString(t.properties, 'value') AS told,
        lagInFrame(told) OVER (
            PARTITION BY t.subject ORDER BY t.occurred_at, t.event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS before
    FROM {database}.touchpoints AS t FINAL
    WHERE t.action = 'deal_stage_changed' AND startsWith(t.subject, 'deal:') AND told != ''
) AS q
LEFT ANY JOIN (SELECT account_id, name FROM {database}.account_journeys FINAL) AS a ON a.account_id = q.account
WHERE q.told != q.before
WINDOW by_time AS (PARTITION BY q.deal ORDER BY q.at, q.event ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
COMMENT 'One row per stage a deal has been in, in order';
