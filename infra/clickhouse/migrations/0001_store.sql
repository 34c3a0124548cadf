-- The store. Placeholders: {database}, {bi}, {on_cluster}, {replicated} ('' or 'Replicated').
-- Every statement can be run again. Statements end with a semicolon at the end of a line.

CREATE DATABASE IF NOT EXISTS {database} {on_cluster};

CREATE DATABASE IF NOT EXISTS {bi} {on_cluster};

-- One row per touchpoint and account it belongs to; a move is a tombstone here and a row there.
CREATE TABLE IF NOT EXISTS {database}.touchpoints {on_cluster}
(
    minute            DateTime('UTC') COMMENT 'occurred_at, cut to the minute',
    account_id        String,
    event_id          String,
    revision          UInt64 COMMENT 'orders by knowledge: (inputs known << 32) | as_of seconds',
    is_deleted        UInt8,
    occurred_at       DateTime64(3, 'UTC'),
    received_at       DateTime64(3, 'UTC'),
    written_at        DateTime64(3, 'UTC') DEFAULT now64(3),
    source            LowCardinality(String),
    vendor            LowCardinality(String),
    vendor_type       LowCardinality(String),
    vendor_event_id   String,
    action            LowCardinality(String),
    touchpoint_type   LowCardinality(String),
    phase             LowCardinality(String),
    home_phase        LowCardinality(String),
    persona           LowCardinality(String),
    segment           LowCardinality(String),
    channel           LowCardinality(String),
    on_map            UInt8,
    moment_of_truth   UInt8,
    importance        UInt8,
    person_id         String,
    account_method    LowCardinality(String),
    account_confidence Float64,
    has_emotion       UInt8,
    emotion           Float64 COMMENT '-1..1; nan where has_emotion = 0',
    friction          UInt16 COMMENT 'friction signals it carries',
    friction_rules    Array(LowCardinality(String)),
    delight           UInt16 COMMENT 'delight signals it carries',
    pain              Float64 COMMENT '1 - prod(1 - severity) of its friction signals',
    session_id        String,
    page              String,
    element           String,
    subject           String,
    title             String,
    text              String,
    score             Float64 COMMENT 'nan where score_kind is empty',
    score_kind        LowCardinality(String),
    clock_suspect     UInt8,
    backfill          UInt8,
    blueprint_version UInt32,
    properties        String COMMENT 'JSON object',
    INDEX by_account account_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {replicated}ReplacingMergeTree(revision, is_deleted)
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, account_id, event_id);

-- The same touchpoints by account, with what the fold takes in: a refold reads only this.
CREATE TABLE IF NOT EXISTS {database}.histories {on_cluster}
(
    account_id  String,
    event_id    String,
    revision    UInt64,
    is_deleted  UInt8,
    occurred_at DateTime64(3, 'UTC'),
    received_at DateTime64(3, 'UTC'),
    written_at  DateTime64(3, 'UTC') DEFAULT now64(3),
    knowledge   UInt64 COMMENT 'how far the links were known when it was attributed',
    digest      UInt64 COMMENT 'of the visible fact; equal digests, equal facts',
    payload     String CODEC(ZSTD(3)) COMMENT 'AttributedTouchpoint as JSON; empty for a tombstone',
    INDEX by_event event_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {replicated}ReplacingMergeTree(revision, is_deleted)
ORDER BY (account_id, event_id);

CREATE TABLE IF NOT EXISTS {database}.signals {on_cluster}
(
    account_id      String,
    signal_id       String,
    revision        UInt64,
    is_deleted      UInt8 COMMENT '1: withdrawn, a later event disproved it',
    digest          UInt64,
    written_at      DateTime64(3, 'UTC') DEFAULT now64(3),
    rule            LowCardinality(String),
    rule_version    UInt32,
    polarity        LowCardinality(String),
    severity        Float64,
    event_id        String,
    person_id       String,
    touchpoint_type LowCardinality(String),
    phase           LowCardinality(String),
    opened_at       DateTime64(3, 'UTC'),
    is_closed       UInt8,
    closed_at       DateTime64(3, 'UTC') COMMENT 'epoch while open',
    evidence        Array(String),
    evidence_count  UInt32,
    explanation     String
)
ENGINE = {replicated}ReplacingMergeTree(revision, is_deleted)
ORDER BY (account_id, signal_id);

CREATE TABLE IF NOT EXISTS {database}.account_journeys {on_cluster}
(
    account_id         String,
    revision           UInt64,
    is_deleted         UInt8 COMMENT '1: every touchpoint moved away',
    digest             UInt64,
    written_at         DateTime64(3, 'UTC') DEFAULT now64(3),
    name               String,
    phase              LowCardinality(String),
    phase_since        DateTime64(3, 'UTC') COMMENT 'epoch: since the beginning',
    high_water_phase   LowCardinality(String),
    segment            LowCardinality(String),
    traits             String COMMENT 'JSON object',
    touchpoints        UInt64,
    on_map_touchpoints UInt64,
    people             UInt64,
    friction_signals   UInt64,
    first_seen_at      DateTime64(3, 'UTC'),
    last_seen_at       DateTime64(3, 'UTC'),
    transitions        String COMMENT 'JSON array of accepted and refused phase changes',
    next_deadline_at   DateTime64(3, 'UTC') COMMENT 'when silence becomes a signal; epoch: nothing is awaited',
    as_of              DateTime64(3, 'UTC')
)
ENGINE = {replicated}ReplacingMergeTree(revision, is_deleted)
ORDER BY account_id;

CREATE TABLE IF NOT EXISTS {database}.corrections {on_cluster}
(
    account_id          String,
    correction_id       String,
    corrected_at        DateTime64(3, 'UTC'),
    cause               String,
    touchpoints_changed UInt64,
    touchpoints_removed UInt64,
    signals_changed     UInt64,
    signals_withdrawn   UInt64
)
ENGINE = {replicated}ReplacingMergeTree(corrected_at)
ORDER BY (account_id, correction_id);

CREATE TABLE IF NOT EXISTS {database}.links {on_cluster}
(
    link_id  String,
    position UInt64 COMMENT 'offset + 1 in the links topic',
    kind     LowCardinality(String),
    payload  String
)
ENGINE = {replicated}ReplacingMergeTree(position)
ORDER BY link_id;

-- max() is idempotent: a replay changes nothing.
CREATE TABLE IF NOT EXISTS {database}.source_freshness {on_cluster}
(
    source           LowCardinality(String),
    last_occurred_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    last_received_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    last_written_at  SimpleAggregateFunction(max, DateTime64(3, 'UTC'))
)
ENGINE = {replicated}AggregatingMergeTree
ORDER BY source;

-- The map's cells, recomputed (never counted up) from touchpoints FINAL for the minutes a batch touched.
-- `version` is the server's clock at the start of the recomputation: a later read knows at least as much.
CREATE TABLE IF NOT EXISTS {database}.journey_minutes {on_cluster}
(
    minute          DateTime('UTC'),
    phase           LowCardinality(String),
    touchpoint_type LowCardinality(String),
    persona         LowCardinality(String),
    segment         LowCardinality(String),
    channel         LowCardinality(String),
    version         DateTime64(6, 'UTC'),
    volume          UInt64,
    friction        UInt64 COMMENT 'touchpoints with at least one friction signal',
    delight         UInt64,
    emotion_sum     Float64,
    emotion_count   UInt64,
    pain_sum        Float64,
    accounts        AggregateFunction(uniqExact, String),
    people          AggregateFunction(uniqExact, String)
)
ENGINE = {replicated}ReplacingMergeTree(version)
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, phase, touchpoint_type, persona, segment, channel);
