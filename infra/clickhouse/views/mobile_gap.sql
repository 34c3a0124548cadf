CREATE OR REPLACE VIEW {bi}.mobile_gap {on_cluster}
(
    touchpoint_type      LowCardinality(String) COMMENT 'Kind of touchpoint, from the blueprint',
    mobile_touchpoints   Int64 COMMENT 'On a phone, in the last 24 hours',
    desktop_touchpoints  Int64 COMMENT 'On the web elsewhere, in the last 24 hours',
    mobile_friction_rate Float64 COMMENT 'Share of the mobile ones with at least one friction signal',
    desktop_friction_rate Float64 COMMENT 'Share of the others',
    has_enough           Bool COMMENT 'False: fewer than 50 of either, so is_gap says nothing',
    is_gap               Bool COMMENT 'True where the mobile rate is at least twice the other and not zero',
    mobile_friction_touchpoints Int64 COMMENT 'Of mobile_touchpoints, those with at least one friction signal',
    desktop_friction_touchpoints Int64 COMMENT 'Of desktop_touchpoints, the same'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    kind AS touchpoint_type,
    toInt64(mobile) AS mobile_touchpoints,
    toInt64(desktop) AS desktop_touchpoints,
    if(mobile > 0, mobile_painful / mobile, 0) AS mobile_friction_rate,
    if(desktop > 0, desktop_painful / desktop, 0) AS desktop_friction_rate,
    toBool(mobile >= 50 AND desktop >= 50) AS has_enough,
    toBool(mobile >= 50 AND desktop >= 50 AND mobile_painful > 0
        AND mobile_painful * desktop >= 2 * desktop_painful * mobile) AS is_gap,
    toInt64(mobile_painful) AS mobile_friction_touchpoints,
    toInt64(desktop_painful) AS desktop_friction_touchpoints
FROM
(
    SELECT
        t.touchpoint_type AS kind,
        countIf('mobile' IN (t.channel, t.device, JSONExtractString(t.properties, 'device'))) AS mobile,
        count() - mobile AS desktop,
        countIf('mobile' IN (t.channel, t.device, JSONExtractString(t.properties, 'device')) AND t.friction > 0)
            AS mobile_painful,
        countIf(t.friction > 0) - mobile_painful AS desktop_painful
    FROM {database}.touchpoints AS t FINAL
    WHERE t.minute >= toStartOfMinute(now('UTC')) - toIntervalDay(1) AND t.minute <= now('UTC')
        AND t.on_map AND (t.channel IN ('mobile', 'web') OR t.action = 'page_view') -- a view may have the channel it came by
    GROUP BY t.touchpoint_type
)
COMMENT 'Where phones hurt more: friction of the last 24 hours per kind of touchpoint, mobile against the rest of the web';
