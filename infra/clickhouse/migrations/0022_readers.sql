-- What the views of analysts need beside: an order of touchpoints in time as one number, which is found several times
-- faster than a time with an id (of one millisecond the greater id comes later), and the key of people's pseudonyms.

ALTER TABLE {database}.touchpoints {on_cluster}
    ADD COLUMN IF NOT EXISTS moment UInt256 ALIAS reinterpretAsUInt256(reverse(
        concat(unhex('0000'), reverse(reinterpretAsString(toUnixTimestamp64Milli(occurred_at))), rightPad(substring(event_id, 1, 22), 22, unhex('00')))
    )) COMMENT 'orders by occurred_at, then event_id';

-- One row, made by `touchline migrate`. Nobody but services may read it.
CREATE TABLE IF NOT EXISTS {database}.pseudonyms {on_cluster}
(
    made_at DateTime64(3, 'UTC') COMMENT 'the oldest row counts',
    k0      UInt64 COMMENT 'random',
    k1      UInt64 COMMENT 'random'
)
ENGINE = {replicated}MergeTree
ORDER BY made_at;
