CREATE OR REPLACE VIEW {bi}.accounts {on_cluster}
(
    account_id         String COMMENT 'Id of the customer company: crm:DIRECTORY:..., domain:..., or anon:... before it is identified',
    account_name       String COMMENT 'Name from the CRM, else the id without its namespace',
    is_identified      Bool COMMENT 'False: we know only an anonymous visitor so far',
    phase              LowCardinality(String) COMMENT 'Phase of the journey it is in now',
    has_phase_since    Bool COMMENT 'False: it has been in this phase since its first touchpoint',
    first_seen_at      DateTime64(3, 'UTC') COMMENT 'First touchpoint',
    phase_since        Nullable(DateTime64(3, 'UTC')) COMMENT 'When it entered the phase; NULL where has_phase_since is false',
    high_water_phase   LowCardinality(String) COMMENT 'Furthest phase it has reached',
    segment            LowCardinality(String) COMMENT 'Customer segment',
    touchpoints        Int64 COMMENT 'Touchpoints in all, with records about records',
    on_map_touchpoints Int64 COMMENT 'Touchpoints that are contact moments',
    people             Int64 COMMENT 'People known at the account',
    friction_signals   Int64 COMMENT 'Friction signals that stand; compound ones (see compounds) are left out, their parts are in',
    last_seen_at       DateTime64(3, 'UTC') COMMENT 'Latest touchpoint',
    as_of              DateTime64(3, 'UTC') COMMENT 'Time for which this state was computed',
    written_at         DateTime64(3, 'UTC') COMMENT 'When the row was stored',
    committee_completeness Nullable(Decimal(9, 6)) COMMENT 'How complete the buying committee is, 0 to 1: mean over the roles; NULL where the blueprint asks for nobody',
    open_opportunities Int64 COMMENT 'Deals that are open',
    blueprint_version  Int64 COMMENT 'Version of the blueprint that made this row',
    crm_id             String COMMENT 'What the CRM calls it; empty where it is no account of a CRM. Join on it and on directory',
    directory          String COMMENT 'Whose account it is: the directory of a CRM, a helpdesk or a product; empty for the others'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    account_id,
    multiIf(
        name != '', name, startsWith(account_id, 'anon:'), 'not yet identified',
        match(account_id, '^(crm|group|org):[a-z][a-z0-9_]*:'), replaceRegexpOne(account_id, '^[a-z]+:[a-z][a-z0-9_]*:', ''),
        substring(account_id, position(account_id, ':') + 1)
    ) AS account_name,
    toBool(NOT startsWith(account_id, 'anon:')) AS is_identified,
    phase,
    toBool(j.phase_since > toDateTime64(0, 3, 'UTC')) AS has_phase_since,
    if(j.phase_since > toDateTime64(0, 3, 'UTC'), j.phase_since, NULL) AS phase_since,
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
    toDecimal32OrNull(toString(round(j.committee_completeness, 6)), 6) AS committee_completeness,
    toInt64(arrayCount(deal -> JSONExtractString(deal, 'status') = 'open', JSONExtractArrayRaw(opportunities)))
        AS open_opportunities,
    toInt64(blueprint_version) AS blueprint_version,
    if(
        startsWith(account_id, 'crm:'),
        if(
            match(account_id, '^crm:[a-z][a-z0-9_]*:'),
            replaceRegexpOne(account_id, '^crm:[a-z][a-z0-9_]*:', ''), substring(account_id, 5)
        ),
        ''
    ) AS crm_id,
    extract(account_id, '^(?:crm|group|org):([a-z][a-z0-9_]*):') AS directory
FROM {database}.account_journeys AS j FINAL
COMMENT 'One row per customer account: where it stands now';
