CREATE OR REPLACE VIEW {bi}.alerts_sent {on_cluster}
(
    sent_at      DateTime64(3, 'UTC') COMMENT 'When it was tried, or made where no channel wanted it',
    event_date   Date COMMENT 'Day of sent_at, UTC',
    notice_id    String COMMENT 'The message: the same each time it is tried',
    incident_id  String COMMENT 'The conversation it belongs to; messages on one incident share it',
    account_id   String COMMENT 'Customer account it is about',
    account_name String COMMENT 'Name of the account',
    policy       LowCardinality(String) COMMENT 'Policy of the blueprint that told it',
    kind         LowCardinality(String) COMMENT 'opened, grown, returned, reminder, closed, withdrawn or test',
    level        LowCardinality(String) COMMENT 'watch, high or severe',
    channel      LowCardinality(String) COMMENT 'Channel it went to; empty: none wanted it',
    outcome      LowCardinality(String) COMMENT 'sent, retry (to be tried again), gave_up or nobody',
    attempt      Int64 COMMENT 'Which attempt it was, from 1',
    answer       String COMMENT 'What the receiver said, cut; secrets masked',
    is_sent      Bool COMMENT 'True where the receiver took it: count these for messages that arrived'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS WITH
    {asker}
SELECT
    d.at AS sent_at,
    toDate(d.at) AS event_date,
    d.notice_id AS notice_id,
    d.incident_id AS incident_id,
    d.account_id AS account_id,
    multiIf(
        d.account_id = '', '', ifNull(a.name, '') != '', ifNull(a.name, ''), startsWith(d.account_id, 'anon:'), 'not yet identified',
        replaceRegexpOne(d.account_id, '^(?:(?:crm|group|org):[a-z][a-z0-9_]*|[a-z]+):', '')
    ) AS account_name,
    d.policy AS policy,
    d.kind AS kind,
    d.level AS level,
    d.channel AS channel,
    d.outcome AS outcome,
    toInt64(d.attempt) AS attempt,
    {words:d.answer} AS answer,
    toBool(d.outcome = 'sent') AS is_sent
FROM {database}.deliveries AS d FINAL
LEFT ANY JOIN (SELECT account_id, name FROM {database}.account_journeys FINAL) AS a ON a.account_id = d.account_id
COMMENT 'One row per attempt to tell somebody of something: to whom, why, and what the receiver said';
