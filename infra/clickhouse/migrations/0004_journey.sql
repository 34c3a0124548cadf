-- Deals beside the phase, the buying committee, refusals with their reason, and which blueprint made an account's rows.
-- Rows that were written before have none of it until they are told again: `touchline remap`.

ALTER TABLE {database}.account_journeys {on_cluster}
    ADD COLUMN IF NOT EXISTS opportunities String COMMENT 'JSON array' AFTER transitions,
    ADD COLUMN IF NOT EXISTS committee String COMMENT 'JSON array of roles, with people known and required' AFTER opportunities,
    ADD COLUMN IF NOT EXISTS committee_completeness Float64 COMMENT '0..1; nan: the blueprint asks for nobody' AFTER committee,
    ADD COLUMN IF NOT EXISTS blueprint_version UInt32 AFTER committee_completeness,
    ADD COLUMN IF NOT EXISTS blueprint_digest UInt64 COMMENT 'of what the blueprint means: an edit changes it' AFTER blueprint_version;

ALTER TABLE {database}.corrections {on_cluster}
    ADD COLUMN IF NOT EXISTS what String COMMENT 'what changed, in words' AFTER cause;

CREATE OR REPLACE VIEW {bi}.accounts {on_cluster}
(
    account_id         String COMMENT 'Id of the customer company: crm:..., domain:..., or anon:... before it is identified',
    account_name       String COMMENT 'Name from the CRM, else the id without its namespace',
    is_identified      Bool COMMENT 'False: we know only an anonymous visitor so far',
    phase              LowCardinality(String) COMMENT 'Phase of the journey it is in now',
    has_phase_since    Bool COMMENT 'False: it has been in this phase since its first touchpoint',
    phase_since        DateTime64(3, 'UTC') COMMENT 'When it entered the phase; 1970 where has_phase_since is false',
    high_water_phase   LowCardinality(String) COMMENT 'Furthest phase it has reached',
    segment            LowCardinality(String) COMMENT 'Customer segment',
    touchpoints        Int64 COMMENT 'Touchpoints in all, with records about records',
    on_map_touchpoints Int64 COMMENT 'Touchpoints that are contact moments',
    people             Int64 COMMENT 'People known at the account',
    friction_signals   Int64 COMMENT 'Friction signals that stand',
    first_seen_at      DateTime64(3, 'UTC') COMMENT 'First touchpoint',
    last_seen_at       DateTime64(3, 'UTC') COMMENT 'Latest touchpoint',
    as_of              DateTime64(3, 'UTC') COMMENT 'Time for which this state was computed',
    written_at         DateTime64(3, 'UTC') COMMENT 'When the row was stored',
    committee_completeness Float64 COMMENT 'How complete the buying committee is, 0 to 1: mean over the roles; nan where the blueprint asks for nobody',
    open_opportunities Int64 COMMENT 'Deals that are open',
    blueprint_version  Int64 COMMENT 'Version of the blueprint that made this row'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    account_id,
    multiIf(
        name != '', name, startsWith(account_id, 'anon:'), 'not yet identified',
        substring(account_id, position(account_id, ':') + 1)
    ) AS account_name,
    toBool(NOT startsWith(account_id, 'anon:')) AS is_identified,
    phase,
    toBool(phase_since > toDateTime64(0, 3, 'UTC')) AS has_phase_since,
    phase_since,
    high_water_phase,
    segment,
    toInt64(touchpoints) AS touchpoints,
    toInt64(on_map_touchpoints) AS on_map_touchpoints,
    toInt64(people) AS people,
    toInt64(friction_signals) AS friction_signals,
    first_seen_at,
    last_seen_at,
    as_of,
    written_at,
    committee_completeness,
    toInt64(arrayCount(deal -> JSONExtractString(deal, 'status') = 'open', JSONExtractArrayRaw(opportunities)))
        AS open_opportunities,
    toInt64(blueprint_version) AS blueprint_version
FROM {database}.account_journeys FINAL
COMMENT 'One row per customer account: where it stands now';

CREATE OR REPLACE VIEW {bi}.account_phases {on_cluster}
(
    account_id   String COMMENT 'Customer account',
    account_name String COMMENT 'Name of the account',
    event_date   Date COMMENT 'Day of changed_at, UTC',
    changed_at   DateTime64(3, 'UTC') COMMENT 'When the phase changed, or would have',
    from_phase   LowCardinality(String) COMMENT 'Phase before',
    to_phase     LowCardinality(String) COMMENT 'Phase after',
    is_accepted  Bool COMMENT 'False: the change was asked for and refused',
    cause        String COMMENT 'Why, in words',
    event_id     String COMMENT 'Touchpoint that caused it',
    dwell_s      Float64 COMMENT 'Seconds spent in from_phase until then',
    direction    LowCardinality(String) COMMENT 'forward, backward, exit or re-entry',
    reason       String COMMENT 'Why it was refused; empty where is_accepted is true'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    account_id,
    account_name,
    toDate(changed_at) AS event_date,
    parseDateTime64BestEffort(JSONExtractString(change, 'at'), 3, 'UTC') AS changed_at,
    JSONExtractString(change, 'from_phase') AS from_phase,
    JSONExtractString(change, 'to_phase') AS to_phase,
    JSONExtractBool(change, 'accepted') AS is_accepted,
    JSONExtractString(change, 'cause') AS cause,
    JSONExtractString(change, 'event_id') AS event_id,
    JSONExtractFloat(change, 'dwell_s') AS dwell_s,
    JSONExtractString(change, 'direction') AS direction,
    JSONExtractString(change, 'reason') AS reason
FROM
(
    SELECT
        account_id,
        multiIf(
            name != '', name, startsWith(account_id, 'anon:'), 'not yet identified',
            substring(account_id, position(account_id, ':') + 1)
        ) AS account_name,
        arrayJoin(JSONExtractArrayRaw(transitions)) AS change
    FROM {database}.account_journeys FINAL
)
COMMENT 'One row per change of phase of an account, accepted or refused';

CREATE OR REPLACE VIEW {bi}.corrections {on_cluster}
(
    correction_id       String COMMENT 'Id of the correction',
    account_id          String COMMENT 'Customer account that was computed again',
    event_date          Date COMMENT 'Day of corrected_at, UTC',
    corrected_at        DateTime64(3, 'UTC') COMMENT 'When',
    cause               String COMMENT 'Why, in words',
    touchpoints_changed Int64 COMMENT 'Touchpoints whose figures changed',
    touchpoints_removed Int64 COMMENT 'Touchpoints that moved to another account or were erased',
    signals_changed     Int64 COMMENT 'Signals that are new or different',
    signals_withdrawn   Int64 COMMENT 'Signals that a later event disproved',
    what                String COMMENT 'What changed, in words'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    correction_id,
    account_id,
    toDate(c.corrected_at) AS event_date,
    c.corrected_at AS corrected_at,
    cause,
    toInt64(c.touchpoints_changed) AS touchpoints_changed,
    toInt64(c.touchpoints_removed) AS touchpoints_removed,
    toInt64(c.signals_changed) AS signals_changed,
    toInt64(c.signals_withdrawn) AS signals_withdrawn,
    c.what AS what
FROM {database}.corrections AS c FINAL
COMMENT 'What a recomputation changed after the fact: late events, merged identities, new blueprints';

CREATE OR REPLACE VIEW {bi}.opportunities {on_cluster}
(
    opportunity_id   String COMMENT 'Id of the deal: deal:..., as in the subject of its touchpoints',
    account_id       String COMMENT 'Customer account',
    account_name     String COMMENT 'Name of the account',
    kind             LowCardinality(String) COMMENT 'new, or expansion: opened while the account was a customer',
    status           LowCardinality(String) COMMENT 'open, won, lost or removed',
    stage            String COMMENT 'Stage, in the words of the CRM',
    event_date       Date COMMENT 'Day of opened_at, UTC',
    opened_at        DateTime64(3, 'UTC') COMMENT 'First event about it',
    changed_at       DateTime64(3, 'UTC') COMMENT 'Last event that changed something here',
    is_closed        Bool COMMENT 'True where it is won, lost or removed',
    closed_at        DateTime64(3, 'UTC') COMMENT 'When it was closed; 1970 where is_closed is false',
    age_s            Float64 COMMENT 'Seconds from opened_at to closed_at, or to now while it is open',
    regressions      Int64 COMMENT 'Moves to an earlier stage',
    reopened         Int64 COMMENT 'Times it was opened again after it had been closed',
    has_amount       Bool COMMENT 'False: the CRM told no amount',
    amount           Float64 COMMENT 'Amount in currency; nan where has_amount is false',
    currency         LowCardinality(String) COMMENT 'ISO 4217; empty where none was told',
    has_close_due_at Bool COMMENT 'False: the CRM told no expected close date',
    close_due_at     DateTime64(3, 'UTC') COMMENT 'When the CRM expects it to close; 1970 where has_close_due_at is false'
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
    parseDateTime64BestEffortOrZero(JSONExtractString(deal, 'closed_at'), 3, 'UTC') AS closed_at,
    toFloat64(dateDiff('millisecond', opened_at, if(is_closed, closed_at, now64(3, 'UTC')))) / 1000 AS age_s,
    JSONExtractInt(deal, 'regressions') AS regressions,
    JSONExtractInt(deal, 'reopened') AS reopened,
    toBool(JSONType(deal, 'amount') != 'Null') AS has_amount,
    if(has_amount, JSONExtractFloat(deal, 'amount'), nan) AS amount,
    JSONExtractString(deal, 'currency') AS currency,
    toBool(JSONType(deal, 'close_due_at') != 'Null') AS has_close_due_at,
    parseDateTime64BestEffortOrZero(JSONExtractString(deal, 'close_due_at'), 3, 'UTC') AS close_due_at
FROM
(
    SELECT
        account_id,
        multiIf(
            name != '', name, startsWith(account_id, 'anon:'), 'not yet identified',
            substring(account_id, position(account_id, ':') + 1)
        ) AS account_name,
        arrayJoin(JSONExtractArrayRaw(opportunities)) AS deal
    FROM {database}.account_journeys FINAL
)
COMMENT 'One row per deal of an account; deals run beside the phase';

CREATE OR REPLACE VIEW {bi}.committee {on_cluster}
(
    account_id   String COMMENT 'Customer account',
    account_name String COMMENT 'Name of the account',
    role         LowCardinality(String) COMMENT 'Role in buying, from the personas of the blueprint',
    known        Int64 COMMENT 'People of that role known at the account',
    required     Int64 COMMENT 'How many a complete committee has',
    completeness Float64 COMMENT 'known / required, at most 1'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    account_id,
    account_name,
    JSONExtractString(seat, 'role') AS role,
    JSONExtractInt(seat, 'known') AS known,
    JSONExtractInt(seat, 'required') AS required,
    least(known / required, 1.) AS completeness
FROM
(
    SELECT
        account_id,
        multiIf(
            name != '', name, startsWith(account_id, 'anon:'), 'not yet identified',
            substring(account_id, position(account_id, ':') + 1)
        ) AS account_name,
        arrayJoin(JSONExtractArrayRaw(committee)) AS seat
    FROM {database}.account_journeys FINAL
)
COMMENT 'One row per account and buying role: who is known of the buying committee, and who is missing';
