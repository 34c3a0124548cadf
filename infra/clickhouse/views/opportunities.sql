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
