CREATE OR REPLACE VIEW {bi}.traffic {on_cluster}
(
    event_date  Date COMMENT 'Day, UTC',
    source      LowCardinality(String) COMMENT 'Source that sent it',
    traffic     LowCardinality(String) COMMENT 'customer, bot, internal, test or declined',
    url_host    LowCardinality(String) COMMENT 'Host of the page; empty where none was told',
    agent       LowCardinality(String) COMMENT 'Name of the program, where it was no browser',
    touchpoints Int64 COMMENT 'Touchpoints of that kind, records about records among them',
    on_map      Int64 COMMENT 'Those of them that are on the map'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    toDate(minute) AS event_date,
    source,
    if(traffic = '', 'customer', traffic) AS traffic,
    url_host,
    agent,
    toInt64(count()) AS touchpoints,
    toInt64(countIf(t.on_map)) AS on_map
FROM {database}.touchpoints AS t FINAL
GROUP BY event_date, source, traffic, url_host, agent
COMMENT 'What was sent, by the kind of traffic: what is not of customers, and from where';
