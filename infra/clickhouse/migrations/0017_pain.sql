-- Which friction signals a touchpoint's pain is made of. Empty in rows from before, until they are written anew.

ALTER TABLE {database}.touchpoints {on_cluster}
    ADD COLUMN IF NOT EXISTS friction_signals Array(String) COMMENT 'ids of the friction signals it carries or belongs to';
