CREATE OR REPLACE VIEW {bi}.corrections {on_cluster}
(
    correction_id       String COMMENT 'Id of the correction',
    account_id          String COMMENT 'Customer account that was computed again',
    corrected_at        DateTime64(3, 'UTC') COMMENT 'When',
    event_date          Date COMMENT 'Day of corrected_at, UTC',
    cause               String COMMENT 'Why, in words',
    touchpoints_changed Int64 COMMENT 'Touchpoints whose figures changed',
    touchpoints_removed Int64 COMMENT 'Touchpoints that moved to another account or were erased',
    signals_changed     Int64 COMMENT 'Signals that are new or different',
    signals_withdrawn   Int64 COMMENT 'Signals that a later event disproved',
    what                String COMMENT 'What changed, in words',
    cause_coded         String COMMENT 'What cause is made from, as JSON: a list of keys, each with its parameters; empty where it was stored before or is hidden',
    what_coded          String COMMENT 'The same of what'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS WITH
    {asker}
SELECT
    correction_id,
    account_id,
    toDate(c.corrected_at) AS event_date,
    c.corrected_at AS corrected_at,
    {words:c.cause} AS cause,
    toInt64(c.touchpoints_changed) AS touchpoints_changed,
    toInt64(c.touchpoints_removed) AS touchpoints_removed,
    toInt64(c.signals_changed) AS signals_changed,
    toInt64(c.signals_withdrawn) AS signals_withdrawn,
    c.what AS what,
    if(hides, '', c.cause_coded) AS cause_coded,
    c.what_coded AS what_coded
FROM {database}.corrections AS c FINAL
COMMENT 'What a recomputation changed after the fact: late events, merged identities, new blueprints';
