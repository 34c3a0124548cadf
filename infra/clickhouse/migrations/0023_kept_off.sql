-- Minutes and days also hold what is kept off the map because of who sent it, so that pages count it without reading
-- touchpoints. A part of the key: such a cell stands beside the one of customers, and every reader of the map asks for ''.

ALTER TABLE {database}.journey_minutes {on_cluster}
    ADD COLUMN IF NOT EXISTS traffic LowCardinality(String)
        COMMENT 'why it is off the map: bot, internal, test, declined; empty: it is on the map' AFTER channel,
    ADD COLUMN IF NOT EXISTS example String COMMENT 'off the map: host of the latest page, or name of the program' AFTER moment_of_truth,
    MODIFY ORDER BY (minute, phase, touchpoint_type, persona, segment, channel, traffic);

ALTER TABLE {database}.journey_days {on_cluster}
    ADD COLUMN IF NOT EXISTS traffic LowCardinality(String) COMMENT 'as in journey_minutes' AFTER channel,
    ADD COLUMN IF NOT EXISTS example String COMMENT 'as in journey_minutes' AFTER moment_of_truth,
    MODIFY ORDER BY (day, phase, touchpoint_type, persona, segment, channel, traffic);

-- What is kept off already, with a version above every other: its days are rolled up again.
INSERT INTO {database}.journey_minutes (
    minute, phase, touchpoint_type, persona, segment, channel, traffic, version, volume, visitor_volume, friction,
    delight, emotion_sum, emotion_count, pain_sum, account_set, visitor_set, person_set, hurts,
    blueprint_version, importance, moment_of_truth, example
)
SELECT
    minute, phase, touchpoint_type, persona, segment, channel, t.traffic,
    greatest(
        now64(6, 'UTC'),
        (SELECT max(version) + toIntervalMicrosecond(1) FROM {database}.journey_minutes),
        (SELECT max(version) + toIntervalMicrosecond(1) FROM {database}.journey_days)
    ),
    count(), countIf(startsWith(t.account_id, 'anon:')),
    countIf(t.friction > 0), countIf(t.delight > 0),
    sum(toInt64(round(if(t.has_emotion, t.emotion, 0) * 1e6))) / 1e6, countIf(t.has_emotion),
    sum(toInt64(round(t.pain * 1e6))) / 1e6,
    groupUniqArrayIf(sipHash64(t.account_id), NOT startsWith(t.account_id, 'anon:')),
    groupUniqArrayIf(sipHash64(t.account_id), startsWith(t.account_id, 'anon:')),
    groupUniqArrayIf(sipHash64(t.person_id), t.person_id != '' AND t.traffic != 'declined'),
    arraySort(groupArrayIf(
        (sipHash64(t.account_id), t.occurred_at, toUInt32(round(t.pain * 1e6))),
        NOT startsWith(t.account_id, 'anon:')
            AND (t.friction > 0 OR touchpoint_type IN ('cancellation', 'complaint', 'status_page'))
    )),
    max(t.blueprint_version), argMax(t.importance, t.blueprint_version), argMax(t.moment_of_truth, t.blueprint_version),
    argMax(if(t.url_host = '', toString(t.agent), toString(t.url_host)), (t.occurred_at, t.event_id))
FROM {database}.touchpoints AS t FINAL
WHERE NOT t.on_map AND t.traffic != ''
GROUP BY minute, phase, touchpoint_type, persona, segment, channel, t.traffic
SETTINGS max_partitions_per_insert_block = 0, max_bytes_before_external_group_by = 500000000;
