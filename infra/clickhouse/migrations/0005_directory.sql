-- The CRM's directory as versioned facts: what was said of accounts, contacts, deals and owners, from when to when.
-- Nothing is copied: the versions are derived from the records as they are stored, however late they came.

CREATE OR REPLACE VIEW {bi}.directory {on_cluster}
(
    object_kind LowCardinality(String) COMMENT 'account, contact, deal, owner, ticket or another object of the CRM',
    object_id   String COMMENT 'Id of the object in its system',
    field       String COMMENT 'What is said of it; exists says whether it is there',
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
            r.kind AS kind, r.id AS id, r.said AS said, r.at AS at, r.from_source AS from_source, r.event AS event, r.account AS account,
            row_number() OVER w AS version, lagInFrame(r.said.2) OVER w AS former
        FROM (
            SELECT
                transform(substring(t.subject, 1, position(t.subject, ':') - 1), ['company'], ['account']) AS kind,
                substring(t.subject, position(t.subject, ':') + 1) AS id,
                t.occurred_at AS at, t.source AS from_source, t.event_id AS event, t.account_id AS account,
                JSONHas(t.properties, 'association') AS is_association,
                arrayJoin(arrayConcat(
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
                )) AS said
            FROM {database}.touchpoints AS t FINAL
            WHERE t.action IN ('crm_record', 'crm_removed', 'lifecycle_changed', 'deal_created', 'deal_stage_changed')
              AND position(t.subject, ':') > 1
        ) AS r
        WINDOW w AS (
            PARTITION BY r.kind, r.id, r.said.1 ORDER BY r.at, r.event
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        )
    ) AS d
    WHERE d.version = 1 OR d.said.2 != d.former
) AS v
COMMENT 'One row per version of a field of a CRM object: what it was, from when to when, and who said so';
