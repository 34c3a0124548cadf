CREATE OR REPLACE VIEW {bi}.account_phases {on_cluster}
(
    account_id   String COMMENT 'Customer account',
    account_name String COMMENT 'Name of the account',
    changed_at   DateTime64(3, 'UTC') COMMENT 'When the phase changed, or would have',
    event_date   Date COMMENT 'Day of changed_at, UTC',
    from_phase   LowCardinality(String) COMMENT 'Phase before',
    to_phase     LowCardinality(String) COMMENT 'Phase after',
    is_accepted  Bool COMMENT 'False: the change was asked for and refused',
    cause        String COMMENT 'Why, in words',
    event_id     String COMMENT 'Touchpoint that caused it',
    dwell_s      Float64 COMMENT 'Seconds spent in from_phase until then',
    direction    LowCardinality(String) COMMENT 'forward, backward, exit or re-entry',
    reason       String COMMENT 'Why it was refused; empty where is_accepted is true',
    cause_coded  String COMMENT 'What cause is made from, as JSON: a key and its parameters; empty where it was stored before'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    account_id,
    account_name,
    toDate(changed_at) AS event_date,
    parseDateTime64BestEffort(JSONExtractString(change, 'at'), 3, 'UTC') AS changed_at,
    JSONExtractString(change, 'from_phase') AS from_phase,
    JSONExtractString(change, 'to_phase') AS to_phase,
    toBool(JSONExtractBool(change, 'accepted')) AS is_accepted,
    JSONExtractString(change, 'cause') AS cause,
    JSONExtractString(change, 'event_id') AS event_id,
    JSONExtractFloat(change, 'dwell_s') AS dwell_s,
    JSONExtractString(change, 'direction') AS direction,
    JSONExtractString(change, 'reason') AS reason,
    JSONExtractString(change, 'cause_coded') AS cause_coded
FROM
(
    SELECT
        account_id,
        multiIf(
            name != '', name, startsWith(account_id, 'anon:'), 'not yet identified',
            replaceRegexpOne(account_id, '^(?:(?:crm|group|org):[a-z][a-z0-9_]*|[a-z]+):', '')
        ) AS account_name,
        arrayJoin(JSONExtractArrayRaw(transitions)) AS change
    FROM {database}.account_journeys FINAL
)
COMMENT 'One row per change of phase of an account, accepted or refused';
