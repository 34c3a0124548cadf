-- Who is who: questions that evidence leaves to a person, and their answers.

CREATE TABLE IF NOT EXISTS {database}.proposals {on_cluster}
(
    proposal_id String,
    revision    UInt64 COMMENT 'how far the links were known: offset + 1 in the links topic',
    kind        LowCardinality(String) COMMENT 'same_person: are a and b one; belongs: does a belong to the account b',
    a           String COMMENT 'alias',
    b           String COMMENT 'alias, or account for belongs',
    reason      String COMMENT 'why it is asked, in words',
    evidence    String COMMENT 'event that gave rise to it',
    confidence  Float64 COMMENT '0..1',
    since       DateTime64(3, 'UTC') COMMENT 'time of the evidence',
    status      LowCardinality(String) COMMENT 'open, accepted, rejected, or settled by later evidence',
    by          String COMMENT 'who decided; empty while open or settled',
    decided_at  DateTime64(3, 'UTC') COMMENT 'epoch while open or settled',
    written_at  DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = {replicated}ReplacingMergeTree(revision)
ORDER BY proposal_id;

CREATE OR REPLACE VIEW {bi}.proposals {on_cluster}
(
    proposal_id String COMMENT 'Id of the question; the same question keeps its id',
    kind        LowCardinality(String) COMMENT 'same_person: are a and b one person; belongs: does a belong to account b',
    a           String COMMENT 'An id a person is known by, as kind:value',
    b           String COMMENT 'Another such id, or the account for belongs',
    reason      String COMMENT 'Why it is asked, in words',
    evidence    String COMMENT 'Touchpoint that gave rise to it',
    confidence  Float64 COMMENT 'How likely a yes is by the evidence alone, 0 to 1',
    event_date  Date COMMENT 'Day of since, UTC',
    since       DateTime64(3, 'UTC') COMMENT 'Time of the evidence',
    status      LowCardinality(String) COMMENT 'open, accepted, rejected, or settled by later evidence',
    is_decided  Bool COMMENT 'True where a person has answered',
    decided_by  String COMMENT 'Who answered; empty where is_decided is false',
    decided_at  DateTime64(3, 'UTC') COMMENT 'When; 1970 where is_decided is false'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    p.proposal_id AS proposal_id,
    p.kind AS kind,
    p.a AS a,
    p.b AS b,
    p.reason AS reason,
    p.evidence AS evidence,
    p.confidence AS confidence,
    toDate(p.since) AS event_date,
    p.since AS since,
    p.status AS status,
    toBool(p.status IN ('accepted', 'rejected')) AS is_decided,
    p.by AS decided_by,
    p.decided_at AS decided_at
FROM {database}.proposals AS p FINAL
COMMENT 'One row per question about who is who: what evidence left open, and what people answered';
