-- The delivery log of the alerts: what was sent, to which channel, what was answered, and what nobody was told.
-- A line that comes twice from Kafka is stored over itself.
CREATE TABLE IF NOT EXISTS {database}.deliveries {on_cluster}
(
    at          DateTime64(3, 'UTC') COMMENT 'when it was tried, or made where no channel wanted it',
    notice_id   String COMMENT 'the message: the same each time it is sent',
    incident_id String COMMENT 'the conversation it belongs to',
    account_id  String COMMENT 'whom it is about',
    policy      LowCardinality(String) COMMENT 'why it was told',
    kind        LowCardinality(String) COMMENT 'opened, grown, returned, reminder, closed, withdrawn, test',
    level       LowCardinality(String) COMMENT 'watch, high or severe',
    channel     LowCardinality(String) COMMENT 'where it went; empty: no channel wanted it',
    outcome     LowCardinality(String) COMMENT 'sent, retry, gave_up or nobody',
    attempt     UInt32 COMMENT 'which attempt it was',
    answer      String COMMENT 'what the receiver said, cut; secrets masked',
    position    UInt64 COMMENT 'offset in Kafka + 1'
)
ENGINE = {replicated}ReplacingMergeTree(position)
PARTITION BY toYYYYMM(at)
ORDER BY (at, notice_id, channel, outcome, attempt);
