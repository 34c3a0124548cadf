-- Whom each cell hurt, so that no page reads touchpoints to tell it; and when each day was last computed, so that no
-- reader looks through all minutes to tell which days have come to rest.

ALTER TABLE {database}.journey_minutes {on_cluster}
    ADD COLUMN IF NOT EXISTS hurts Array(Tuple(account UInt64, at DateTime64(3, 'UTC'), pain UInt32))
        COMMENT 'touchpoints of identified accounts that hurt: sipHash64 of the account, when, millionths of pain' AFTER person_set;

ALTER TABLE {database}.journey_days {on_cluster}
    ADD COLUMN IF NOT EXISTS hurts Array(Tuple(account UInt64, at DateTime64(3, 'UTC'), pain UInt32))
        COMMENT 'as in journey_minutes' AFTER person_set;

-- A projection is part of each part, so it can never be behind the rows; a merge that drops rows makes it anew.
ALTER TABLE {database}.journey_minutes {on_cluster} MODIFY SETTING deduplicate_merge_projection_mode = 'rebuild';

ALTER TABLE {database}.journey_days {on_cluster} MODIFY SETTING deduplicate_merge_projection_mode = 'rebuild';

ALTER TABLE {database}.journey_minutes {on_cluster}
    ADD PROJECTION IF NOT EXISTS newest (SELECT toDate(minute) AS day, max(version) GROUP BY day);

ALTER TABLE {database}.journey_days {on_cluster}
    ADD PROJECTION IF NOT EXISTS newest (SELECT day, max(version) GROUP BY day);

-- As before, but asked of the projections.
CREATE OR REPLACE VIEW {database}.journey_day_states {on_cluster} AS
SELECT
    day,
    max(recomputed) AS recomputed_at,
    max(rolled) AS rolled_at,
    max(rolled) > max(recomputed) + toIntervalMinute(10) AS is_settled
FROM
(
    SELECT toDate(minute) AS day, max(version) AS recomputed, toDateTime64(0, 6, 'UTC') AS rolled
    FROM {database}.journey_minutes
    GROUP BY day
    UNION ALL
    SELECT day, toDateTime64(0, 6, 'UTC'), max(version) FROM {database}.journey_days GROUP BY day
)
GROUP BY day;

-- Cells of before: recomputed as the sink does, with a version above every other. Their days are rolled up again, from
-- nothing: two versions of a whole table would have to be merged at every read.
INSERT INTO {database}.journey_minutes (
    minute, phase, touchpoint_type, persona, segment, channel, version, volume, visitor_volume, friction,
    delight, emotion_sum, emotion_count, pain_sum, account_set, visitor_set, person_set, hurts,
    blueprint_version, importance, moment_of_truth
)
SELECT
    minute, phase, touchpoint_type, persona, segment, channel,
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
    groupUniqArrayIf(sipHash64(t.person_id), t.person_id != ''),
    arraySort(groupArrayIf(
        (sipHash64(t.account_id), t.occurred_at, toUInt32(round(t.pain * 1e6))),
        NOT startsWith(t.account_id, 'anon:')
            AND (t.friction > 0 OR touchpoint_type IN ('cancellation', 'complaint', 'status_page'))
    )),
    max(t.blueprint_version), argMax(t.importance, t.blueprint_version), argMax(t.moment_of_truth, t.blueprint_version)
FROM {database}.touchpoints AS t FINAL
WHERE t.on_map
GROUP BY minute, phase, touchpoint_type, persona, segment, channel
SETTINGS max_partitions_per_insert_block = 0, max_bytes_before_external_group_by = 500000000;

TRUNCATE TABLE {database}.journey_days {on_cluster};

OPTIMIZE TABLE {database}.journey_minutes {on_cluster} FINAL;
