-- Incidents for analysts, as the page shows them. Made from signals, touchpoints, accounts, what people did and what
-- they were told; the alerts service computes them anew, so this table may be emptied at any time.
CREATE TABLE IF NOT EXISTS {database}.incidents {on_cluster}
(
    account_id      String COMMENT 'whom it hurts',
    incident_id     String COMMENT 'the conversation where people were told of it, else by its oldest evidence',
    revision        UInt64 COMMENT 'milliseconds since 1970 at which it was computed; grows with each version',
    is_deleted      UInt8 COMMENT '1: there is no such incident any more',
    digest          UInt64 COMMENT 'of all the other columns: what is equal is not written again',
    event_id        String COMMENT 'its oldest evidence, which names it on the page',
    level           LowCardinality(String) COMMENT 'watch, high or severe',
    severity        Float64 COMMENT '0 to 1: its worst part',
    what            String COMMENT 'what happened, in words',
    touchpoint_type LowCardinality(String) COMMENT 'kind of touchpoint where it hurt worst',
    phase           LowCardinality(String) COMMENT 'phase of the account then',
    tags            Array(String) COMMENT 'rules that made something of several pains',
    people          UInt64 COMMENT 'people it hurt, as far as they are known',
    signs           UInt64 COMMENT 'pains in it; what several rules say of one touchpoint is one',
    evidence        Array(String) COMMENT 'touchpoints that show it, oldest first',
    pain            Float64 COMMENT 'pain of these touchpoints, added up',
    opened_at       DateTime64(3, 'UTC') COMMENT 'since when it hurts',
    pained_at       DateTime64(3, 'UTC') COMMENT 'when it last hurt',
    over_at         DateTime64(3, 'UTC') COMMENT 'when it is over if nothing more comes; 1970: something still waits',
    taken_by        String COMMENT 'who takes care of it; empty: nobody',
    taken_at        DateTime64(3, 'UTC') COMMENT 'since when; 1970: nobody does',
    assigned_by     String COMMENT 'who said so; empty: they themselves',
    silenced_until  DateTime64(3, 'UTC') COMMENT 'until when nobody wants to hear of it; 1970: never silenced',
    silenced_by     String COMMENT 'who silenced it',
    done_by         String COMMENT 'who said that it is done',
    done_at         DateTime64(3, 'UTC') COMMENT 'when; 1970: nobody did',
    told_at         DateTime64(3, 'UTC') COMMENT 'when people were first told; 1970: nobody was',
    channels        Array(String) COMMENT 'where they were told',
    written_at      DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = {replicated}ReplacingMergeTree(revision, is_deleted)
ORDER BY (account_id, incident_id);
