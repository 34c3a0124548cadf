-- How and with what a page's visitor came, as far as the sender tells. Rows from before are empty.

ALTER TABLE {database}.touchpoints {on_cluster}
    ADD COLUMN IF NOT EXISTS utm_source LowCardinality(String) COMMENT 'campaign: where the link stood',
    ADD COLUMN IF NOT EXISTS utm_medium LowCardinality(String) COMMENT 'campaign: kind of advertising or message',
    ADD COLUMN IF NOT EXISTS utm_campaign LowCardinality(String) COMMENT 'campaign: its name',
    ADD COLUMN IF NOT EXISTS utm_term String COMMENT 'campaign: words searched for',
    ADD COLUMN IF NOT EXISTS utm_content String COMMENT 'campaign: which of several links',
    ADD COLUMN IF NOT EXISTS referrer_host LowCardinality(String) COMMENT 'host of the page before, of another site',
    ADD COLUMN IF NOT EXISTS browser LowCardinality(String) COMMENT 'family of the browser',
    ADD COLUMN IF NOT EXISTS country LowCardinality(String) COMMENT 'country, where the sender tells it';
