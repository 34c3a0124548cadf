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
