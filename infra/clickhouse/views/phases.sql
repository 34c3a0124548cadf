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
