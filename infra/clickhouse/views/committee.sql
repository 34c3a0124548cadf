CREATE OR REPLACE VIEW {bi}.committee {on_cluster}
(
    account_id   String COMMENT 'Customer account',
    account_name String COMMENT 'Name of the account',
    role         LowCardinality(String) COMMENT 'Role in buying, from the personas of the blueprint',
    known        Int64 COMMENT 'People of that role known at the account',
    required     Int64 COMMENT 'How many a complete committee has',
    completeness Float64 COMMENT 'known / required, at most 1'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    account_id,
    account_name,
    JSONExtractString(seat, 'role') AS role,
    JSONExtractInt(seat, 'known') AS known,
    JSONExtractInt(seat, 'required') AS required,
    least(known / required, 1.) AS completeness
FROM
(
    SELECT
        account_id,
        multiIf(
            name != '', name, startsWith(account_id, 'anon:'), 'not yet identified',
            substring(account_id, position(account_id, ':') + 1)
        ) AS account_name,
        arrayJoin(JSONExtractArrayRaw(committee)) AS seat
    FROM {database}.account_journeys FINAL
)
COMMENT 'One row per account and buying role: who is known of the buying committee, and who is missing';
