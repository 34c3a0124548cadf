-- The blueprint beside what really happened: every version that was ever in force, and the current one for analysts.

CREATE TABLE IF NOT EXISTS {database}.blueprints {on_cluster}
(
    blueprint_version UInt32,
    blueprint_digest  UInt64 COMMENT 'of what it means, as account_journeys has it',
    payload           String COMMENT 'the whole blueprint as JSON, includes taken in',
    written_at        DateTime64(3, 'UTC') COMMENT 'when a sink last started with it'
)
ENGINE = {replicated}ReplacingMergeTree(written_at)
ORDER BY (blueprint_version, blueprint_digest);

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
    desired_emotion         Float64 COMMENT '-1 painful to 1 delightful; nan where has_desired_emotion is false',
    effort                  LowCardinality(String) COMMENT 'To improve it: quick, medium or long; empty: not estimated',
    target_first_response_s Float64 COMMENT 'Seconds to the first human answer at most; nan: no target',
    target_resolution_s     Float64 COMMENT 'Seconds until it is solved at most; nan: no target',
    target_answer_s         Float64 COMMENT 'Seconds until we have answered at most; nan: no target',
    target_duration_ms      Float64 COMMENT 'Milliseconds it may take to load; nan: no target',
    target_emotion          Float64 COMMENT 'Mean emotion at least; nan: no target',
    target_friction_rate    Float64 COMMENT 'Part of the touchpoints with friction at most; nan: no target',
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
    if(JSONType(kind, 'desired_emotion') != 'Null', JSONExtractFloat(kind, 'desired_emotion'), nan) AS desired_emotion,
    JSONExtractString(kind, 'effort') AS effort,
    if(JSONHas(kind, 'targets', 'first_response_s'), JSONExtractFloat(kind, 'targets', 'first_response_s'), nan) AS target_first_response_s,
    if(JSONHas(kind, 'targets', 'resolution_s'), JSONExtractFloat(kind, 'targets', 'resolution_s'), nan) AS target_resolution_s,
    if(JSONHas(kind, 'targets', 'answer_s'), JSONExtractFloat(kind, 'targets', 'answer_s'), nan) AS target_answer_s,
    if(JSONHas(kind, 'targets', 'duration_ms'), JSONExtractFloat(kind, 'targets', 'duration_ms'), nan) AS target_duration_ms,
    if(JSONHas(kind, 'targets', 'emotion'), JSONExtractFloat(kind, 'targets', 'emotion'), nan) AS target_emotion,
    if(JSONHas(kind, 'targets', 'friction_rate'), JSONExtractFloat(kind, 'targets', 'friction_rate'), nan) AS target_friction_rate,
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

CREATE OR REPLACE VIEW {bi}.phases {on_cluster}
(
    phase             String COMMENT 'Id, as in the other views',
    phase_name        String COMMENT 'Shown name',
    position          Int64 COMMENT 'Place in the journey',
    kind              LowCardinality(String) COMMENT 'buyer, customer or exit',
    customer_goal     String COMMENT 'What the customer wants here',
    questions         String COMMENT 'What the customer asks here, one a line',
    blueprint_version Int64 COMMENT 'Version of the blueprint this is from'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    JSONExtractString(stage, 'id') AS phase,
    JSONExtractString(stage, 'name') AS phase_name,
    toInt64(place) AS position,
    JSONExtractString(stage, 'kind') AS kind,
    JSONExtractString(stage, 'goal') AS customer_goal,
    arrayStringConcat(JSONExtract(stage, 'questions', 'Array(String)'), '\n') AS questions,
    toInt64(in_force) AS blueprint_version
FROM
(
    SELECT in_force, entry.1 AS place, entry.2 AS stage
    FROM
    (
        SELECT argMax(b.blueprint_version, b.written_at) AS in_force, argMax(b.payload, b.written_at) AS whole
        FROM {database}.blueprints AS b
    )
    ARRAY JOIN arrayZip(
        arrayEnumerate(JSONExtractArrayRaw(whole, 'phases')), JSONExtractArrayRaw(whole, 'phases')
    ) AS entry
)
COMMENT 'One row per phase of the blueprint in force, in order';

CREATE OR REPLACE VIEW {bi}.personas {on_cluster}
(
    persona           String COMMENT 'Id, as in the other views',
    persona_name      String COMMENT 'Shown name',
    buying_role       LowCardinality(String) COMMENT 'Part in the decision',
    typical_title     String COMMENT 'Typical job title',
    department        String COMMENT 'Typical department',
    motivation        String COMMENT 'What drives them',
    frustration       String COMMENT 'What wears them down',
    goal              String COMMENT 'What they want to have achieved',
    blueprint_version Int64 COMMENT 'Version of the blueprint this is from'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    JSONExtractString(kind, 'id') AS persona,
    JSONExtractString(kind, 'name') AS persona_name,
    JSONExtractString(kind, 'buying_role') AS buying_role,
    JSONExtractString(kind, 'title') AS typical_title,
    JSONExtractString(kind, 'department') AS department,
    JSONExtractString(kind, 'motivation') AS motivation,
    JSONExtractString(kind, 'frustration') AS frustration,
    JSONExtractString(kind, 'goal') AS goal,
    toInt64(in_force) AS blueprint_version
FROM
(
    SELECT in_force, arrayJoin(JSONExtractArrayRaw(whole, 'personas')) AS kind
    FROM
    (
        SELECT argMax(b.blueprint_version, b.written_at) AS in_force, argMax(b.payload, b.written_at) AS whole
        FROM {database}.blueprints AS b
    )
)
COMMENT 'One row per persona of the blueprint in force';

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
