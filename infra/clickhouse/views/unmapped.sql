CREATE OR REPLACE VIEW {bi}.unmapped {on_cluster}
(
    source        LowCardinality(String) COMMENT 'Configured source',
    vendor        LowCardinality(String) COMMENT 'Connector',
    vendor_type   String COMMENT 'What the vendor calls it: write a match for it into the blueprint',
    action        LowCardinality(String) COMMENT 'What happened in our words',
    touchpoints   Int64 COMMENT 'How many there are',
    accounts      Int64 COMMENT 'Accounts they are of',
    position      Int64 COMMENT 'Place by number: 1 is the commonest; the map shows the first three',
    first_seen_at DateTime64(3, 'UTC') COMMENT 'First of them',
    last_seen_at  DateTime64(3, 'UTC') COMMENT 'Latest of them',
    example_page  String COMMENT 'Page of the latest of them, where it has one'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    t.source AS source,
    t.vendor AS vendor,
    t.vendor_type AS vendor_type,
    t.action AS action,
    toInt64(count()) AS touchpoints,
    toInt64(uniqExact(t.account_id)) AS accounts,
    toInt64(row_number() OVER (ORDER BY count() DESC, t.source, t.vendor, t.vendor_type, t.action)) AS position,
    min(t.occurred_at) AS first_seen_at,
    max(t.occurred_at) AS last_seen_at,
    argMax(t.page, t.occurred_at) AS example_page
FROM {database}.touchpoints AS t FINAL
WHERE t.touchpoint_type = 'unmapped'
GROUP BY t.source, t.vendor, t.vendor_type, t.action
COMMENT 'What comes in and has no place in the blueprint: its gaps, commonest first';
