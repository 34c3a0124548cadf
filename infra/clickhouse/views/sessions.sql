CREATE OR REPLACE VIEW {bi}.sessions {on_cluster}
(
    source         LowCardinality(String) COMMENT 'Configured source that sent it',
    session_id     String COMMENT 'Session in the system of the sender; unique within its source',
    started_at     DateTime64(3, 'UTC') COMMENT 'First touchpoint',
    event_date     Date COMMENT 'Day of started_at, UTC',
    ended_at       DateTime64(3, 'UTC') COMMENT 'Latest touchpoint',
    duration_s     Float64 COMMENT 'Seconds between them',
    account_id     String COMMENT 'Customer account, by its latest touchpoint',
    account_name   String COMMENT 'Name of the account',
    is_identified  Bool COMMENT 'False: of an account we know only as an anonymous visitor so far',
    person_id      String COMMENT 'Person, by its latest touchpoint with one',
    persona        LowCardinality(String) COMMENT 'Kind of person, by the same',
    device         LowCardinality(String) COMMENT 'desktop, mobile or tablet; empty: not told',
    channel        LowCardinality(String) COMMENT 'Channel by which it began',
    referrer_host  LowCardinality(String) COMMENT 'Host of the site before; empty: none, or not told',
    utm_source     LowCardinality(String) COMMENT 'Campaign: where the link stood; empty: none',
    utm_campaign   LowCardinality(String) COMMENT 'Campaign: its name; empty: none',
    url_host       LowCardinality(String) COMMENT 'Host of the first page; empty: not told',
    entry_page     String COMMENT 'Path of the first page',
    exit_page      String COMMENT 'Path of the last page',
    touchpoints    Int64 COMMENT 'Touchpoints in it',
    page_views     Int64 COMMENT 'Pages viewed',
    friction_touchpoints Int64 COMMENT 'Touchpoints with at least one friction signal',
    pain_sum       Float64 COMMENT 'Pain of its touchpoints, added up',
    emotion_sum    Float64 COMMENT 'Emotions of its touchpoints, added up; divided by emotion_count: the mean',
    emotion_count  Int64 COMMENT 'Touchpoints with evidence of an emotion'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS WITH
    {asker}
SELECT
    q.from_source AS source,
    {id:q.id} AS session_id,
    q.since AS started_at,
    toDate(q.since) AS event_date,
    q.until AS ended_at,
    toFloat64(dateDiff('millisecond', q.since, q.until)) / 1000 AS duration_s,
    q.account AS account_id,
    multiIf(
        ifNull(a.name, '') != '', ifNull(a.name, ''), startsWith(q.account, 'anon:'), 'not yet identified',
        replaceRegexpOne(q.account, '^(?:(?:crm|group|org):[a-z][a-z0-9_]*|[a-z]+):', '')
    ) AS account_name,
    toBool(NOT startsWith(q.account, 'anon:')) AS is_identified,
    {person:q.person} AS person_id,
    q.kind AS persona,
    q.seen_on AS device,
    q.way AS channel,
    q.site_before AS referrer_host,
    q.link_source AS utm_source,
    q.campaign AS utm_campaign,
    q.host AS url_host,
    q.entry AS entry_page,
    q.exit AS exit_page,
    toInt64(q.n) AS touchpoints,
    toInt64(q.views) AS page_views,
    toInt64(q.painful) AS friction_touchpoints,
    q.pains AS pain_sum,
    q.emotions AS emotion_sum,
    toInt64(q.felt) AS emotion_count
FROM
(
    SELECT
        t.source AS from_source,
        t.session_id AS id,
        min(t.occurred_at) AS since,
        max(t.occurred_at) AS until,
        argMax(t.account_id, t.moment) AS account,
        argMaxIf(t.person_id, t.moment, t.person_id != '') AS person,
        argMaxIf(t.persona, t.moment, t.person_id != '') AS kind,
        argMinIf(t.device, t.moment, t.device != '') AS seen_on,
        argMin(t.channel, t.moment) AS way,
        argMinIf(t.referrer_host, t.moment, t.referrer_host != '') AS site_before,
        argMinIf(t.utm_source, t.moment, t.utm_source != '') AS link_source,
        argMinIf(t.utm_campaign, t.moment, t.utm_campaign != '') AS campaign,
        argMinIf(t.url_host, t.moment, t.url_host != '') AS host,
        argMinIf(t.page, t.moment, t.page != '') AS entry,
        argMaxIf(t.page, t.moment, t.page != '') AS exit,
        count() AS n,
        countIf(t.action = 'page_view') AS views,
        countIf(t.friction > 0) AS painful,
        sum(toInt64(round(t.pain * 1e9))) / 1e9 AS pains,
        sumIf(toInt64(round(if(t.has_emotion, t.emotion, 0) * 1e9)), t.has_emotion) / 1e9 AS emotions,
        countIf(t.has_emotion) AS felt
    FROM {database}.touchpoints AS t FINAL
    WHERE t.session_id != ''
    GROUP BY from_source, id
) AS q
LEFT ANY JOIN (SELECT account_id, name FROM {database}.account_journeys FINAL) AS a ON a.account_id = q.account
COMMENT 'One row per session on the web or in the product';
