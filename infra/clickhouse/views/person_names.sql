CREATE OR REPLACE VIEW {bi}.person_names {on_cluster}
(
    person_id   String COMMENT 'Person, as in people',
    person_name String COMMENT 'Name last told; empty: none was',
    job_title   String COMMENT 'Job title last told; empty: none was',
    department  String COMMENT 'Department last told; empty: none was'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS WITH
    {asker}
SELECT
    {person:person} AS person_id,
    {words:argMaxIf(JSONExtractString(traits, 'name'), (at, event), JSONExtractString(traits, 'name') != '')} AS person_name,
    {words:argMaxIf(JSONExtractString(traits, 'title'), (at, event), JSONExtractString(traits, 'title') != '')} AS job_title,
    {words:argMaxIf(JSONExtractString(traits, 'department'), (at, event), JSONExtractString(traits, 'department') != '')} AS department
FROM
(
    SELECT
        JSONExtractString(h.payload, 'attribution', 'person_id') AS person,
        JSONExtractRaw(h.payload, 'touchpoint', 'person_traits') AS traits,
        h.occurred_at AS at,
        h.event_id AS event
    FROM {database}.histories AS h FINAL
    WHERE position(h.payload, '"person_traits":{"') > 0
)
WHERE person != ''
GROUP BY person
COMMENT 'One row per person of whom a name, title or department was told. Personal data: withhold this view from whoever should not read it';
