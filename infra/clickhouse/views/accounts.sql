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
    directory          String COMMENT 'Whose account it is: the directory of a CRM, a helpdesk or a product; empty for the others',
    tier               LowCardinality(String) COMMENT 'Tier of the customer, as the CRM or product tells it, in small letters; empty: not told',
    industry           LowCardinality(String) COMMENT 'Industry; empty: not told',
    employees          Nullable(Decimal(18, 0)) COMMENT 'Number of employees; NULL: not told',
    size_band          LowCardinality(String) COMMENT 'By employees: 1-49, 50-249, 250-999, 1000+; empty: not told',
    domains            String COMMENT 'Internet domains of the company, with spaces between',
    country            LowCardinality(String) COMMENT 'Country in the CRM; empty: not told',
    annual_revenue     Nullable(Decimal(38, 2)) COMMENT 'Annual revenue in the CRM, in its own currency; NULL: not told',
    crm_owner          String COMMENT 'Who owns the account in the CRM, by the id or name it uses; empty: not told',
    parent_account     String COMMENT 'Company it is part of, by the id the CRM uses; empty: not told',
    days_in_phase      Float64 COMMENT 'Days in this phase, since the first touchpoint where has_phase_since is false',
    pain_7d            Float64 COMMENT 'Pain of its touchpoints of the last 7 days, added up',
    pain_30d           Float64 COMMENT 'The same for the last 30 days',
    last_pain_at       Nullable(DateTime64(3, 'UTC')) COMMENT 'When the latest friction signal that stands began; NULL: none',
    open_incidents     Int64 COMMENT 'Incidents that still hurt (see incidents): open, taken or silenced',
    revenue_band       LowCardinality(String) COMMENT 'By annual_revenue, in its own currency: under 1M, 1M-10M, 10M-100M, 100M-1B, 1B+; empty: not told'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    j.account_id AS account_id,
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
    extract(account_id, '^(?:crm|group|org):([a-z][a-z0-9_]*):') AS directory,
    lowerUTF8(arrayFirst(
        word -> word != '',
        arrayMap(word -> JSONExtractString(j.traits, word), ['tier', 'account_tier', 'customer_tier', 'hs_target_account'])
    )) AS tier,
    JSONExtractString(j.traits, 'industry') AS industry,
    toDecimal64OrNull(replaceRegexpAll(JSONExtractString(j.traits, 'employees'), '[ ,.]', ''), 0) AS employees,
    multiIf(
        employees IS NULL, '', employees < 50, '1-49', employees < 250, '50-249', employees < 1000, '250-999', '1000+'
    ) AS size_band,
    JSONExtractString(j.traits, 'domain') AS domains,
    ifNull(r.country, '') AS country,
    toDecimal128OrNull(ifNull(r.revenue, ''), 2) AS annual_revenue,
    ifNull(r.owner, '') AS crm_owner,
    ifNull(r.parent, '') AS parent_account,
    toFloat64(dateDiff(
        'second', if(j.phase_since > toDateTime64(0, 3, 'UTC'), j.phase_since, j.first_seen_at), now64(3, 'UTC')
    )) / 86400 AS days_in_phase,
    ifNull(h.week, 0) AS pain_7d,
    ifNull(h.month, 0) AS pain_30d,
    if(ifNull(s.latest, toDateTime64(0, 3, 'UTC')) > toDateTime64(0, 3, 'UTC'), s.latest, NULL) AS last_pain_at,
    toInt64(ifNull(i.still, 0)) AS open_incidents,
    multiIf(
        annual_revenue IS NULL, '', annual_revenue < 1000000, 'under 1M', annual_revenue < 10000000, '1M-10M',
        annual_revenue < 100000000, '10M-100M', annual_revenue < 1000000000, '100M-1B', '1B+'
    ) AS revenue_band
FROM {database}.account_journeys AS j FINAL
LEFT ANY JOIN
(
    SELECT
        account_id,
        argMaxIf(said.2, moment, said.1 IN ('owner', 'owner_id', 'hubspot_owner_id')) AS owner,
        argMaxIf(said.2, moment, said.1 IN ('annualrevenue', 'annual_revenue', 'AnnualRevenue')) AS revenue,
        argMaxIf(said.2, moment, said.1 IN ('country', 'hs_country_code', 'BillingCountry')) AS country,
        argMaxIf(said.2, moment, said.1 IN ('hs_parent_company_id', 'parent_account', 'ParentId')) AS parent
    FROM
    (
        SELECT
            t.account_id AS account_id, t.moment AS moment,
            arrayJoin(arrayConcat(
                [(JSONExtractString(t.properties, 'property'), JSONExtractString(t.properties, 'value'))],
                arrayMap(
                    field -> (field, if(
                        JSONType(t.properties, field) = 'String', JSONExtractString(t.properties, field), JSONExtractRaw(t.properties, field)
                    )),
                    arrayFilter(field -> JSONHas(t.properties, field), [
                        'owner', 'owner_id', 'annual_revenue', 'AnnualRevenue', 'country', 'BillingCountry', 'parent_account', 'ParentId'
                    ])
                )
            )) AS said
        FROM {database}.touchpoints AS t FINAL
        WHERE t.action IN ('crm_record', 'lifecycle_changed') AND match(t.subject, '^(company|account):')
    )
    GROUP BY account_id
) AS r ON r.account_id = j.account_id
LEFT ANY JOIN
(
    SELECT
        t.account_id AS account_id,
        sumIf(toInt64(round(t.pain * 1e9)), t.occurred_at >= now64(3, 'UTC') - toIntervalDay(7)) / 1e9 AS week,
        sumIf(toInt64(round(t.pain * 1e9)), t.occurred_at >= now64(3, 'UTC') - toIntervalDay(30)) / 1e9 AS month
    FROM {database}.touchpoints AS t FINAL
    WHERE t.minute >= toStartOfMinute(now('UTC')) - toIntervalDay(30) AND t.on_map
    GROUP BY account_id
) AS h ON h.account_id = j.account_id
LEFT ANY JOIN
(
    SELECT
        f.account_id AS account_id,
        maxIf(f.opened_at, empty(f.parts)) AS latest
    FROM {database}.signals AS f FINAL
    WHERE f.polarity = 'friction'
    GROUP BY account_id
) AS s ON s.account_id = j.account_id
LEFT ANY JOIN
(
    SELECT
        n.account_id AS account_id,
        countIf(
            NOT (n.done_at > toDateTime64(0, 3, 'UTC') AND n.pained_at <= n.done_at)
            AND NOT (n.over_at > toDateTime64(0, 3, 'UTC') AND n.over_at <= now64(3, 'UTC'))
        ) AS still
    FROM {database}.incidents AS n FINAL
    GROUP BY account_id
) AS i ON i.account_id = j.account_id
COMMENT 'One row per customer account: where it stands now';
