CREATE OR REPLACE VIEW {bi}.directory {on_cluster}
(
    object_kind LowCardinality(String) COMMENT 'account, contact, deal, owner, ticket or another object of the CRM',
    object_id   String COMMENT 'Id of the object in its system',
    field       String COMMENT 'What is said of it; exists says whether it is there, merged_into which record it became part of',
    value       String COMMENT 'What it is in this version; numbers as text, empty where it was taken away',
    since       DateTime64(3, 'UTC') COMMENT 'From when on the value holds',
    event_date  Date COMMENT 'Day of since, UTC',
    is_current  Bool COMMENT 'True for the version that holds now',
    until       Nullable(DateTime64(3, 'UTC')) COMMENT 'When another value took its place; NULL where is_current is true',
    source      LowCardinality(String) COMMENT 'Configured source that said so',
    event_id    String COMMENT 'Record that said so; see touchpoints',
    account_id  String COMMENT 'Account the record belongs to',
    crm_id      String COMMENT 'What the CRM calls the object: the same as object_id; empty for what is no record of a CRM',
    directory   String COMMENT 'Directory the object is of; objects of two are never the same'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS WITH
    {asker},
    v.kind IN ('account', 'deal', 'ticket', 'product', 'line_item', 'organization') AS is_thing,
    -- fields of which no value tells of a person
    v.said.1 IN (
        'exists', 'account', 'owner', 'owner_id', 'hubspot_owner_id', 'role', 'persona', 'segment', 'tier', 'account_tier',
        'customer_tier', 'hs_target_account', 'plan', 'industry', 'employees', 'size', 'country', 'hs_country_code',
        'BillingCountry', 'domains', 'website', 'annualrevenue', 'annual_revenue', 'AnnualRevenue', 'parent_account',
        'ParentId', 'hs_parent_company_id', 'lifecyclestage', 'renewal_date', 'dealstage', 'stage', 'StageName', 'pipeline',
        'amount', 'Amount', 'currency', 'deal_currency_code', 'closedate', 'CloseDate', 'hs_is_closed_won', 'status', 'priority'
    ) OR v.said.1 = 'merged_into' AND is_thing AS is_plain
SELECT
    v.kind AS object_kind,
    if(is_thing, v.id, {id:v.id}) AS object_id,
    v.said.1 AS field,
    if(is_plain, v.said.2, {words:v.said.2}) AS value,
    toDate(v.at) AS event_date,
    v.at AS since,
    toBool(v.next_at = toDateTime64(0, 3, 'UTC')) AS is_current,
    if(v.next_at = toDateTime64(0, 3, 'UTC'), NULL, v.next_at) AS until,
    v.from_source AS source,
    v.event AS event_id,
    v.account AS account_id,
    if(v.kind IN ('account', 'contact', 'deal', 'owner', 'ticket', 'product', 'line_item'), if(is_thing, v.id, {id:v.id}), '') AS crm_id,
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
