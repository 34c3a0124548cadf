-- Whether a touchpoint was read anew by a newer mapping: what that finds of the past is no news, and nobody is told of it.
-- Rows from before say no; `touchline remap` writes those that it changes.
ALTER TABLE {database}.touchpoints {on_cluster}
    ADD COLUMN IF NOT EXISTS read_anew UInt8 COMMENT '1: a newer mapping read its request again';
