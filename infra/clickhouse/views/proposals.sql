CREATE OR REPLACE VIEW {bi}.proposals {on_cluster}
(
    proposal_id String COMMENT 'Id of the question; the same question keeps its id',
    kind        LowCardinality(String) COMMENT 'same_person: are a and b one person; belongs: does a belong to account b',
    a           String COMMENT 'An id a person is known by, as kind:value',
    b           String COMMENT 'Another such id, or the account for belongs',
    reason      String COMMENT 'Why it is asked, in words',
    evidence    String COMMENT 'Touchpoint that gave rise to it',
    confidence  Float64 COMMENT 'How likely a yes is by the evidence alone, 0 to 1',
    since       DateTime64(3, 'UTC') COMMENT 'Time of the evidence',
    event_date  Date COMMENT 'Day of since, UTC',
    status      LowCardinality(String) COMMENT 'open, accepted, rejected, or settled by later evidence',
    is_decided  Bool COMMENT 'True where a person has answered',
    decided_by  String COMMENT 'Who answered; empty where is_decided is false',
    decided_at  Nullable(DateTime64(3, 'UTC')) COMMENT 'When; NULL where is_decided is false'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS WITH
    {asker}
SELECT
    p.proposal_id AS proposal_id,
    p.kind AS kind,
    {id:p.a} AS a,
    if(p.kind IN ('belongs', 'same_account'), p.b, {id:p.b}) AS b,
    {words:p.reason} AS reason,
    p.evidence AS evidence,
    p.confidence AS confidence,
    toDate(p.since) AS event_date,
    p.since AS since,
    p.status AS status,
    toBool(p.status IN ('accepted', 'rejected')) AS is_decided,
    p.by AS decided_by,
    if(p.status IN ('accepted', 'rejected'), p.decided_at, NULL) AS decided_at
FROM {database}.proposals AS p FINAL
COMMENT 'One row per question about who is who: what evidence left open, and what people answered';
