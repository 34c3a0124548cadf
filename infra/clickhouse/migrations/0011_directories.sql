-- Ids carry their source: `crm:<directory>:<id>`. Accounts and the directory say what the CRM itself calls them, so that
-- its own extracts can be joined. Rows that an earlier version wrote are written anew by the resolve worker.

CREATE OR REPLACE VIEW {bi}.accounts {on_cluster}
(
    account_id         String COMMENT 'Id of the customer company: crm:DIRECTORY:..., domain:..., or anon:... before it is identified',
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
    friction_signals   Int64 COMMENT 'Friction signals that stand; compound ones (see cases) are left out, their parts are in',
    first_seen_at      DateTime64(3, 'UTC') COMMENT 'First touchpoint',
    last_seen_at       DateTime64(3, 'UTC') COMMENT 'Latest touchpoint',
    as_of              DateTime64(3, 'UTC') COMMENT 'Time for which this state was computed',
    written_at         DateTime64(3, 'UTC') COMMENT 'When the row was stored',
    committee_completeness Float64 COMMENT 'How complete the buying committee is, 0 to 1: mean over the roles; nan where the blueprint asks for nobody',
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
FROM {database}.account_journeys FINAL
COMMENT 'One row per customer account: where it stands now';

CREATE OR REPLACE VIEW {bi}.directory {on_cluster}
(
    object_kind LowCardinality(String) COMMENT 'account, contact, deal, owner, ticket or another object of the CRM',
    object_id   String COMMENT 'Id of the object in its system',
    field       String COMMENT 'What is said of it; exists says whether it is there, merged_into which record it became part of',
    value       String COMMENT 'What it is in this version; numbers as text, empty where it was taken away',
    event_date  Date COMMENT 'Day of since, UTC',
    since       DateTime64(3, 'UTC') COMMENT 'From when on the value holds',
    is_current  Bool COMMENT 'True for the version that holds now',
    until       DateTime64(3, 'UTC') COMMENT 'When another value took its place; 1970 where is_current is true',
    source      LowCardinality(String) COMMENT 'Configured source that said so',
    event_id    String COMMENT 'Record that said so; see touchpoints',
    account_id  String COMMENT 'Account the record belongs to',
    crm_id      String COMMENT 'What the CRM calls the object: the same as object_id; empty for what is no record of a CRM',
    directory   String COMMENT 'Directory the object is of; objects of two are never the same'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    v.kind AS object_kind,
    v.id AS object_id,
    v.said.1 AS field,
    v.said.2 AS value,
    toDate(v.at) AS event_date,
    v.at AS since,
    toBool(v.next_at = toDateTime64(0, 3, 'UTC')) AS is_current,
    v.next_at AS until,
    v.from_source AS source,
    v.event AS event_id,
    v.account AS account_id,
    if(v.kind IN ('account', 'contact', 'deal', 'owner', 'ticket', 'product', 'line_item'), v.id, '') AS crm_id,
    v.directory AS directory
FROM (
    SELECT
        d.kind AS kind, d.id AS id, d.said AS said, d.at AS at, d.from_source AS from_source, d.event AS event, d.account AS account,
        d.directory AS directory,
        leadInFrame(d.at, 1, toDateTime64(0, 3, 'UTC')) OVER (
            PARTITION BY d.kind, d.directory, d.id, d.said.1 ORDER BY d.at, d.event
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        ) AS next_at
    FROM (
        SELECT
            r.kind AS kind, r.told.1 AS id, (r.told.2, r.told.3) AS said, r.at AS at, r.from_source AS from_source, r.event AS event, r.account AS account,
            r.directory AS directory,
            row_number() OVER w AS version, lagInFrame(r.told.3) OVER w AS former
        FROM (
            SELECT
                transform(substring(t.subject, 1, position(t.subject, ':') - 1), ['company'], ['account']) AS kind,
                extract(t.subject, '^[a-z0-9_-]+:([a-z][a-z0-9_]*):') AS directory,
                if(
                    directory != '', substring(t.subject, position(t.subject, ':') + length(directory) + 2),
                    substring(t.subject, position(t.subject, ':') + 1)
                ) AS of,
                t.occurred_at AS at, t.source AS from_source, t.event_id AS event, t.account_id AS account,
                JSONHas(t.properties, 'association') AS is_association,
                arrayJoin(arrayConcat(
                    arrayMap(p -> (of, p.1, p.2), arrayConcat(
                        [('exists', if(t.action = 'crm_removed' AND NOT is_association, 'false', 'true'))],
                        if(is_association, [('account', if(JSONExtractBool(t.properties, 'removed'), '', t.account_id))], []),
                        if(
                            JSONHas(t.properties, 'property') AND JSONHas(t.properties, 'value'),
                            [(
                                transform(
                                    JSONExtractString(t.properties, 'property'),
                                    ['jobtitle', 'numberofemployees', 'hubspot_owner_id', 'hs_role', 'hs_buying_role', 'domain'],
                                    ['title', 'employees', 'owner', 'role', 'role', 'domains']
                                ),
                                JSONExtractString(t.properties, 'value')
                            )],
                            []
                        ),
                        arrayMap(
                            p -> (p.1, if(startsWith(p.2, '"'), JSONExtractString(p.2), p.2)),
                            arrayFilter(
                                p -> p.1 NOT IN ('property', 'value', 'change_source', 'association', 'removed', 'privacy'),
                                JSONExtractKeysAndValuesRaw(t.properties)
                            )
                        )
                    )),
                    arrayFlatten(arrayMap(
                        gone -> [(gone, 'exists', 'false'), (gone, 'merged_into', of)],
                        arrayFilter(
                            gone -> gone NOT IN ('', of), splitByChar(' ', JSONExtractString(t.properties, 'merged'))
                        )
                    ))
                )) AS told
            FROM {database}.touchpoints AS t FINAL
            WHERE (
                t.action IN ('crm_record', 'crm_removed', 'lifecycle_changed', 'deal_created', 'deal_stage_changed')
                OR t.action = 'alias' AND JSONHas(t.properties, 'merged') -- contacts that became one
            )
              AND position(t.subject, ':') > 1
        ) AS r
        WINDOW w AS (
            PARTITION BY r.kind, r.directory, r.told.1, r.told.2 ORDER BY r.at, r.event
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        )
    ) AS d
    WHERE d.version = 1 OR d.said.2 != d.former
) AS v
COMMENT 'One row per version of a field of a CRM object: what it was, from when to when, and who said so';
