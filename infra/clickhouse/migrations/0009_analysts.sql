-- What analysts stumbled over: an account's friction signals leave compound ones out and now say so; a touchpoint says
-- whether its account is identified; and a record of the CRM that was merged into another is no longer listed as there.

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
    friction_signals   Int64 COMMENT 'Friction signals that stand; compound ones (see cases) are left out, their parts are in',
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

CREATE OR REPLACE VIEW {bi}.touchpoints {on_cluster}
(
    event_id           String COMMENT 'Id of the touchpoint; the same however often it was sent',
    event_date         Date COMMENT 'Day of occurred_at, UTC',
    occurred_at        DateTime64(3, 'UTC') COMMENT 'When it happened, by the clock of the sender',
    received_at        DateTime64(3, 'UTC') COMMENT 'When we received it',
    written_at         DateTime64(3, 'UTC') COMMENT 'When this version of the row was stored',
    source             LowCardinality(String) COMMENT 'Configured source that sent it',
    vendor             LowCardinality(String) COMMENT 'Kind of system it came from',
    vendor_type        LowCardinality(String) COMMENT 'Name of the event in the words of the vendor',
    vendor_event_id    String COMMENT 'Id of the event in the system of the vendor',
    action             LowCardinality(String) COMMENT 'What happened, in our words',
    touchpoint_type    LowCardinality(String) COMMENT 'Kind of touchpoint, from the blueprint',
    phase              LowCardinality(String) COMMENT 'Phase of the account at that time',
    home_phase         LowCardinality(String) COMMENT 'Phase the touchpoint type belongs to',
    account_id         String COMMENT 'Customer account it belongs to',
    account_name       String COMMENT 'Name of the account',
    account_method     LowCardinality(String) COMMENT 'How we know the account',
    account_confidence Float64 COMMENT 'How sure we are of the account, 0 to 1',
    person_id          String COMMENT 'Person; empty where no person was involved',
    persona            LowCardinality(String) COMMENT 'Kind of person',
    segment            LowCardinality(String) COMMENT 'Customer segment',
    channel            LowCardinality(String) COMMENT 'Channel: web, crm, support, ...',
    on_map             Bool COMMENT 'True for contact moments, false for records about records',
    moment_of_truth    Bool COMMENT 'True where this type makes or breaks the relationship',
    importance         Int64 COMMENT 'Importance of the type: 1 minor to 5 decisive',
    has_emotion        Bool COMMENT 'True where there is evidence of an emotion; leave the others out of averages',
    emotion            Float64 COMMENT '-1 painful to 1 delightful; nan where has_emotion is false',
    friction           Int64 COMMENT 'Friction signals it carries or belongs to; a signal names one touchpoint and the rest as evidence',
    friction_rules     String COMMENT 'Rules of these signals, joined with commas',
    delight            Int64 COMMENT 'Delight signals it carries',
    pain               Float64 COMMENT '0 to 1: joint severity of its friction signals',
    session_id         String COMMENT 'Session in the system of the sender',
    page               String COMMENT 'Path of the page',
    element            String COMMENT 'What was clicked, submitted or touched',
    subject            String COMMENT 'The case it is about, such as ticket:12 or deal:9',
    title              String COMMENT 'Title given by the sender',
    score_kind         LowCardinality(String) COMMENT 'nps, csat, ces or rating; empty where no score was given',
    score              Float64 COMMENT 'The score; nan where score_kind is empty',
    clock_suspect      Bool COMMENT 'The clock of the sender was more than 5 minutes ahead of ours',
    backfill           Bool COMMENT 'Imported history, not seen live',
    blueprint_version  Int64 COMMENT 'Version of the blueprint it was judged by',
    is_identified      Bool COMMENT 'False: of an account we know only as an anonymous visitor so far'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    t.event_id AS event_id,
    toDate(t.minute) AS event_date,
    t.occurred_at AS occurred_at,
    t.received_at AS received_at,
    t.written_at AS written_at,
    t.source AS source,
    t.vendor AS vendor,
    t.vendor_type AS vendor_type,
    t.vendor_event_id AS vendor_event_id,
    t.action AS action,
    t.touchpoint_type AS touchpoint_type,
    t.phase AS phase,
    t.home_phase AS home_phase,
    t.account_id AS account_id,
    multiIf(
        ifNull(a.name, '') != '', ifNull(a.name, ''), startsWith(t.account_id, 'anon:'), 'not yet identified',
        substring(t.account_id, position(t.account_id, ':') + 1)
    ) AS account_name,
    t.account_method AS account_method,
    t.account_confidence AS account_confidence,
    t.person_id AS person_id,
    t.persona AS persona,
    t.segment AS segment,
    t.channel AS channel,
    toBool(t.on_map != 0) AS on_map,
    toBool(t.moment_of_truth != 0) AS moment_of_truth,
    toInt64(t.importance) AS importance,
    toBool(t.has_emotion != 0) AS has_emotion,
    t.emotion AS emotion,
    toInt64(t.friction) AS friction,
    arrayStringConcat(t.friction_rules, ',') AS friction_rules,
    toInt64(t.delight) AS delight,
    t.pain AS pain,
    t.session_id AS session_id,
    t.page AS page,
    t.element AS element,
    t.subject AS subject,
    t.title AS title,
    t.score_kind AS score_kind,
    t.score AS score,
    toBool(t.clock_suspect != 0) AS clock_suspect,
    toBool(t.backfill != 0) AS backfill,
    toInt64(t.blueprint_version) AS blueprint_version,
    toBool(NOT startsWith(t.account_id, 'anon:')) AS is_identified
FROM {database}.touchpoints AS t FINAL
LEFT ANY JOIN (SELECT account_id, name FROM {database}.account_journeys FINAL) AS a ON a.account_id = t.account_id
COMMENT 'One row per touchpoint, attributed to its account, persona and phase';

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
    account_id  String COMMENT 'Account the record belongs to'
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
    v.account AS account_id
FROM (
    SELECT
        d.kind AS kind, d.id AS id, d.said AS said, d.at AS at, d.from_source AS from_source, d.event AS event, d.account AS account,
        leadInFrame(d.at, 1, toDateTime64(0, 3, 'UTC')) OVER (
            PARTITION BY d.kind, d.id, d.said.1 ORDER BY d.at, d.event
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        ) AS next_at
    FROM (
        SELECT
            r.kind AS kind, r.told.1 AS id, (r.told.2, r.told.3) AS said, r.at AS at, r.from_source AS from_source, r.event AS event, r.account AS account,
            row_number() OVER w AS version, lagInFrame(r.told.3) OVER w AS former
        FROM (
            SELECT
                transform(substring(t.subject, 1, position(t.subject, ':') - 1), ['company'], ['account']) AS kind,
                substring(t.subject, position(t.subject, ':') + 1) AS of,
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
            PARTITION BY r.kind, r.told.1, r.told.2 ORDER BY r.at, r.event
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        )
    ) AS d
    WHERE d.version = 1 OR d.said.2 != d.former
) AS v
COMMENT 'One row per version of a field of a CRM object: what it was, from when to when, and who said so';
