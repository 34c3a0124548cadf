CREATE OR REPLACE VIEW {bi}.touchpoint_types {on_cluster}
(
    touchpoint_type         String COMMENT 'Id, as in the other views',
    touchpoint_name         String COMMENT 'Shown name',
    home_phase              LowCardinality(String) COMMENT 'Phase it belongs to',
    position                Int64 COMMENT 'Place in the catalogue',
    is_on_map               Bool COMMENT 'False for records about records, which are no contact moments',
    typical_channel         String COMMENT 'Channel it usually comes by',
    is_direct               Bool COMMENT 'With us; false: through a third party or medium',
    is_online               Bool COMMENT 'On a screen; false: in person or on paper',
    started_by              LowCardinality(String) COMMENT 'Who starts it: customer or company',
    is_moment_of_truth      Bool COMMENT 'Makes or breaks the relationship',
    importance              Int64 COMMENT '1 minor to 5 decisive',
    risk                    Int64 COMMENT 'Damage if it fails: 1 hardly noticed to 5 the customer is lost',
    if_it_fails             String COMMENT 'That damage in words',
    owner_department        String COMMENT 'Department that answers for it',
    owner_people            String COMMENT 'Roles that work on it, joined with commas',
    owner_technology        String COMMENT 'Systems it runs on, joined with commas',
    customer_goal           String COMMENT 'What the customer wants of it',
    excellent               String COMMENT 'What it looks like at its best',
    terrible                String COMMENT 'What it looks like at its worst',
    has_desired_emotion     Bool COMMENT 'False: nobody has said what it should feel like',
    desired_emotion         Nullable(Decimal(18, 6)) COMMENT '-1 painful to 1 delightful; NULL where has_desired_emotion is false',
    effort                  LowCardinality(String) COMMENT 'To improve it: quick, medium or long; empty: not estimated',
    target_first_response_s Nullable(Decimal(18, 6)) COMMENT 'Seconds to the first human answer at most; NULL: no target',
    target_resolution_s     Nullable(Decimal(18, 6)) COMMENT 'Seconds until it is solved at most; NULL: no target',
    target_answer_s         Nullable(Decimal(18, 6)) COMMENT 'Seconds until we have answered at most; NULL: no target',
    target_duration_ms      Nullable(Decimal(18, 6)) COMMENT 'Milliseconds it may take to load; NULL: no target',
    target_emotion          Nullable(Decimal(18, 6)) COMMENT 'Mean emotion at least; NULL: no target',
    target_friction_rate    Nullable(Decimal(18, 6)) COMMENT 'Part of the touchpoints with friction at most; NULL: no target',
    blueprint_version       Int64 COMMENT 'Version of the blueprint this is from'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    JSONExtractString(kind, 'id') AS touchpoint_type,
    JSONExtractString(kind, 'name') AS touchpoint_name,
    JSONExtractString(kind, 'phase') AS home_phase,
    toInt64(place) AS position,
    toBool(JSONExtractBool(kind, 'on_map')) AS is_on_map,
    JSONExtractString(kind, 'channel') AS typical_channel,
    toBool(JSONExtractString(kind, 'contact') = 'direct') AS is_direct,
    toBool(JSONExtractString(kind, 'setting') = 'online') AS is_online,
    JSONExtractString(kind, 'started_by') AS started_by,
    toBool(JSONExtractBool(kind, 'moment_of_truth')) AS is_moment_of_truth,
    JSONExtractInt(kind, 'importance') AS importance,
    JSONExtractInt(kind, 'risk') AS risk,
    JSONExtractString(kind, 'if_it_fails') AS if_it_fails,
    JSONExtractString(kind, 'owner', 'department') AS owner_department,
    arrayStringConcat(JSONExtract(kind, 'owner', 'people', 'Array(String)'), ', ') AS owner_people,
    arrayStringConcat(JSONExtract(kind, 'owner', 'technology', 'Array(String)'), ', ') AS owner_technology,
    JSONExtractString(kind, 'goal') AS customer_goal,
    JSONExtractString(kind, 'excellent') AS excellent,
    JSONExtractString(kind, 'terrible') AS terrible,
    toBool(JSONType(kind, 'desired_emotion') != 'Null') AS has_desired_emotion,
    if(JSONType(kind, 'desired_emotion') != 'Null', toDecimal64OrNull(toString(JSONExtractFloat(kind, 'desired_emotion')), 6), NULL) AS desired_emotion,
    JSONExtractString(kind, 'effort') AS effort,
    if(JSONHas(kind, 'targets', 'first_response_s'), toDecimal64OrNull(toString(JSONExtractFloat(kind, 'targets', 'first_response_s')), 6), NULL) AS target_first_response_s,
    if(JSONHas(kind, 'targets', 'resolution_s'), toDecimal64OrNull(toString(JSONExtractFloat(kind, 'targets', 'resolution_s')), 6), NULL) AS target_resolution_s,
    if(JSONHas(kind, 'targets', 'answer_s'), toDecimal64OrNull(toString(JSONExtractFloat(kind, 'targets', 'answer_s')), 6), NULL) AS target_answer_s,
    if(JSONHas(kind, 'targets', 'duration_ms'), toDecimal64OrNull(toString(JSONExtractFloat(kind, 'targets', 'duration_ms')), 6), NULL) AS target_duration_ms,
    if(JSONHas(kind, 'targets', 'emotion'), toDecimal64OrNull(toString(JSONExtractFloat(kind, 'targets', 'emotion')), 6), NULL) AS target_emotion,
    if(JSONHas(kind, 'targets', 'friction_rate'), toDecimal64OrNull(toString(JSONExtractFloat(kind, 'targets', 'friction_rate')), 6), NULL) AS target_friction_rate,
    toInt64(in_force) AS blueprint_version
FROM
(
    SELECT in_force, entry.1 AS place, entry.2 AS kind
    FROM
    (
        SELECT argMax(b.blueprint_version, b.written_at) AS in_force, argMax(b.payload, b.written_at) AS whole
        FROM {database}.blueprints AS b
    )
    ARRAY JOIN arrayZip(
        arrayEnumerate(JSONExtractArrayRaw(whole, 'types')), JSONExtractArrayRaw(whole, 'types')
    ) AS entry
)
COMMENT 'One row per kind of touchpoint of the blueprint in force: what it is and what it should be';
