-- Explanations and corrections also as keys with parameters, for pages in other languages. Rows of before have none:
-- they are shown in English, which stays beside the key.

ALTER TABLE {database}.signals {on_cluster}
    ADD COLUMN IF NOT EXISTS explanation_coded String
        COMMENT 'what explanation is made from, JSON: a key and its parameters; empty: stored before';

ALTER TABLE {database}.corrections {on_cluster}
    ADD COLUMN IF NOT EXISTS cause_coded String
        COMMENT 'what cause is made from, JSON: a list of keys, each with its parameters; empty: stored before',
    ADD COLUMN IF NOT EXISTS what_coded String COMMENT 'the same of what';
