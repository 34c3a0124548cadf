-- Messages that concern no customer (pings, topics nobody asked for), a row for each request and reason: reading a request
-- again overwrites its rows, so a replay counts nothing twice. A month is kept; they are shown beside their source.
CREATE TABLE IF NOT EXISTS {database}.ignored {on_cluster}
(
    received_at DateTime64(3, 'UTC') COMMENT 'when the gateway took the request',
    source      LowCardinality(String) COMMENT 'name of the source',
    reason      LowCardinality(String) COMMENT 'why, as a word of the connector',
    request_id  String COMMENT 'id of the request, also in touchpoints.raw.v1',
    messages    UInt32 COMMENT 'how many of its messages',
    written_at  DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = {replicated}ReplacingMergeTree(written_at)
PARTITION BY toYYYYMM(received_at)
ORDER BY (received_at, source, reason, request_id)
TTL toDateTime(received_at) + INTERVAL 31 DAY;
