CREATE OR REPLACE VIEW {bi}.quotes {on_cluster}
(
    event_id        String COMMENT 'Touchpoint it was said at; see touchpoints',
    occurred_at     DateTime64(3, 'UTC') COMMENT 'When',
    event_date      Date COMMENT 'Day of occurred_at, UTC',
    account_id      String COMMENT 'Customer account',
    account_name    String COMMENT 'Name of the account',
    person_id       String COMMENT 'Person who said it; empty where none is known',
    persona         LowCardinality(String) COMMENT 'Kind of person',
    said_by         LowCardinality(String) COMMENT 'customer, company (an agent''s answer) or program (the message of an error)',
    touchpoint_type LowCardinality(String) COMMENT 'Kind of touchpoint',
    phase           LowCardinality(String) COMMENT 'Phase of the account at that time',
    subject         String COMMENT 'The case it is about, such as a ticket',
    title           String COMMENT 'Title given by the sender',
    words           String COMMENT 'What was said or written',
    has_emotion     Bool COMMENT 'True where there is evidence of an emotion',
    emotion         Nullable(Decimal(9, 6)) COMMENT '-1 painful to 1 delightful; NULL where has_emotion is false',
    pain            Float64 COMMENT '0 to 1: joint severity of the friction signals of the touchpoint'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS WITH
    {asker}
SELECT
    t.event_id AS event_id,
    t.occurred_at AS occurred_at,
    toDate(t.minute) AS event_date,
    t.account_id AS account_id,
    multiIf(
        ifNull(a.name, '') != '', ifNull(a.name, ''), startsWith(t.account_id, 'anon:'), 'not yet identified',
        replaceRegexpOne(t.account_id, '^(?:(?:crm|group|org):[a-z][a-z0-9_]*|[a-z]+):', '')
    ) AS account_name,
    {person:t.person_id} AS person_id,
    t.persona AS persona,
    multiIf(t.action = 'ticket_replied_by_agent', 'company', t.action = 'client_error', 'program', 'customer') AS said_by,
    t.touchpoint_type AS touchpoint_type,
    t.phase AS phase,
    {subject:t.subject} AS subject,
    {words:t.title} AS title,
    {words:t.text} AS words,
    toBool(t.has_emotion != 0) AS has_emotion,
    if(t.has_emotion != 0, toDecimal32OrNull(toString(round(t.emotion, 6)), 6), NULL) AS emotion,
    t.pain AS pain
FROM {database}.touchpoints AS t FINAL
LEFT ANY JOIN (SELECT account_id, name FROM {database}.account_journeys FINAL) AS a ON a.account_id = t.account_id
WHERE t.text != ''
COMMENT 'One row per touchpoint with words: what was said or written. Personal data: withhold this view from whoever should not read it';
