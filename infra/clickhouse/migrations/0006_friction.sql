-- Compound cases and what they are made of; what only the whole map can show; and how long phases really take.

ALTER TABLE {database}.signals {on_cluster}
    ADD COLUMN IF NOT EXISTS case_id String COMMENT 'compound signal that adopted it; empty: none' AFTER explanation,
    ADD COLUMN IF NOT EXISTS parts Array(String) COMMENT 'signals a compound one is made of, oldest first, at most 50' AFTER case_id;

CREATE OR REPLACE VIEW {bi}.signals {on_cluster}
(
    signal_id       String COMMENT 'Id of the episode; the same whatever the order of arrival',
    event_date      Date COMMENT 'Day of opened_at, UTC',
    opened_at       DateTime64(3, 'UTC') COMMENT 'When the episode began',
    is_closed       Bool COMMENT 'True where the episode has ended',
    closed_at       DateTime64(3, 'UTC') COMMENT 'When it ended, for episodes of events: at their latest; 1970 where is_closed is false',
    polarity        LowCardinality(String) COMMENT 'friction or delight',
    rule            LowCardinality(String) COMMENT 'Rule that found it',
    rule_version    Int64 COMMENT 'Version of the rule',
    severity        Float64 COMMENT '0 to 1',
    account_id      String COMMENT 'Customer account',
    account_name    String COMMENT 'Name of the account',
    person_id       String COMMENT 'Person; empty where none is known',
    event_id        String COMMENT 'Touchpoint that carries the signal',
    touchpoint_type LowCardinality(String) COMMENT 'Kind of that touchpoint',
    phase           LowCardinality(String) COMMENT 'Phase of the account at that time',
    explanation     String COMMENT 'Why, in words',
    evidence        String COMMENT 'Ids of the touchpoints that prove it, joined with commas, at most 20',
    evidence_count  Int64 COMMENT 'How many touchpoints prove it; of a compound signal: its parts',
    written_at      DateTime64(3, 'UTC') COMMENT 'When this version of the row was stored',
    case_id         String COMMENT 'Compound signal that adopted it; empty where none did',
    is_compound     Bool COMMENT 'True where it is made of other signals; it adds no pain to the map, its parts did',
    parts           String COMMENT 'Ids of the signals it is made of, joined with commas, at most 50'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    s.signal_id AS signal_id,
    toDate(s.opened_at) AS event_date,
    s.opened_at AS opened_at,
    toBool(s.is_closed != 0) AS is_closed,
    s.closed_at AS closed_at,
    s.polarity AS polarity,
    s.rule AS rule,
    toInt64(s.rule_version) AS rule_version,
    s.severity AS severity,
    s.account_id AS account_id,
    multiIf(
        ifNull(a.name, '') != '', ifNull(a.name, ''), startsWith(s.account_id, 'anon:'), 'not yet identified',
        substring(s.account_id, position(s.account_id, ':') + 1)
    ) AS account_name,
    s.person_id AS person_id,
    s.event_id AS event_id,
    s.touchpoint_type AS touchpoint_type,
    s.phase AS phase,
    s.explanation AS explanation,
    arrayStringConcat(s.evidence, ',') AS evidence,
    toInt64(s.evidence_count) AS evidence_count,
    s.written_at AS written_at,
    s.case_id AS case_id,
    toBool(notEmpty(s.parts)) AS is_compound,
    arrayStringConcat(s.parts, ',') AS parts
FROM {database}.signals AS s FINAL
LEFT ANY JOIN (SELECT account_id, name FROM {database}.account_journeys FINAL) AS a ON a.account_id = s.account_id
COMMENT 'One row per friction or delight signal that stands; withdrawn ones are gone';

CREATE OR REPLACE VIEW {bi}.cases {on_cluster}
(
    case_id         String COMMENT 'Id of the incident; signals name it in case_id',
    event_date      Date COMMENT 'Day of opened_at, UTC',
    rule            LowCardinality(String) COMMENT 'Compound rule that found it',
    status          LowCardinality(String) COMMENT 'opened, grown (more than two signals so far) or closed (it stayed calm)',
    opened_at       DateTime64(3, 'UTC') COMMENT 'When its first signal began',
    last_part_at    DateTime64(3, 'UTC') COMMENT 'When its latest signal began',
    is_closed       Bool COMMENT 'True where nothing came for as long as the rule says',
    closed_at       DateTime64(3, 'UTC') COMMENT 'When the last thing happened in it; 1970 where is_closed is false',
    account_id      String COMMENT 'Customer account',
    account_name    String COMMENT 'Name of the account',
    touchpoint_type LowCardinality(String) COMMENT 'Kind of touchpoint that carried its first signal',
    phase           LowCardinality(String) COMMENT 'Phase of the account when it began',
    person_id       String COMMENT 'Person of its first signal; empty where none is known',
    people          Int64 COMMENT 'People its signals are of',
    parts           Int64 COMMENT 'Signals in it',
    rules           String COMMENT 'Rules that found them, joined with commas',
    severity        Float64 COMMENT '0 to 1: the worst signal, and a tenth more for each further rule',
    worst_severity  Float64 COMMENT '0 to 1: of its worst signal',
    explanation     String COMMENT 'Why, in words'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    c.signal_id AS case_id,
    toDate(c.opened_at) AS event_date,
    c.rule AS rule,
    multiIf(c.is_closed != 0, 'closed', p.n > 2, 'grown', 'opened') AS status,
    c.opened_at AS opened_at,
    p.latest AS last_part_at,
    toBool(c.is_closed != 0) AS is_closed,
    c.closed_at AS closed_at,
    c.account_id AS account_id,
    multiIf(
        ifNull(a.name, '') != '', ifNull(a.name, ''), startsWith(c.account_id, 'anon:'), 'not yet identified',
        substring(c.account_id, position(c.account_id, ':') + 1)
    ) AS account_name,
    c.touchpoint_type AS touchpoint_type,
    c.phase AS phase,
    c.person_id AS person_id,
    toInt64(p.persons) AS people,
    toInt64(p.n) AS parts,
    arrayStringConcat(p.found_by, ',') AS rules,
    c.severity AS severity,
    p.worst AS worst_severity,
    c.explanation AS explanation
FROM {database}.signals AS c FINAL
INNER JOIN
(
    SELECT
        account_id,
        case_id,
        count() AS n,
        uniqExactIf(person_id, person_id != '') AS persons,
        max(severity) AS worst,
        max(opened_at) AS latest,
        arraySort(groupUniqArray(toString(rule))) AS found_by
    FROM {database}.signals FINAL
    WHERE case_id != ''
    GROUP BY account_id, case_id
) AS p ON p.account_id = c.account_id AND p.case_id = c.signal_id
LEFT ANY JOIN (SELECT account_id, name FROM {database}.account_journeys FINAL) AS a ON a.account_id = c.account_id
COMMENT 'One row per incident: signals of one account on one thing, joined';

CREATE OR REPLACE VIEW {bi}.mobile_gap {on_cluster}
(
    touchpoint_type      LowCardinality(String) COMMENT 'Kind of touchpoint, from the blueprint',
    mobile_touchpoints   Int64 COMMENT 'On a phone, in the last 24 hours',
    desktop_touchpoints  Int64 COMMENT 'On the web elsewhere, in the last 24 hours',
    mobile_friction_rate Float64 COMMENT 'Share of the mobile ones with at least one friction signal',
    desktop_friction_rate Float64 COMMENT 'Share of the others',
    has_enough           Bool COMMENT 'False: fewer than 50 of either, so is_gap says nothing',
    is_gap               Bool COMMENT 'True where the mobile rate is at least twice the other and not zero'
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
        AND mobile_painful * desktop >= 2 * desktop_painful * mobile) AS is_gap
FROM
(
    SELECT
        t.touchpoint_type AS kind,
        countIf(t.channel = 'mobile' OR JSONExtractString(t.properties, 'device') = 'mobile') AS mobile,
        count() - mobile AS desktop,
        countIf((t.channel = 'mobile' OR JSONExtractString(t.properties, 'device') = 'mobile') AND t.friction > 0)
            AS mobile_painful,
        countIf(t.friction > 0) - mobile_painful AS desktop_painful
    FROM {database}.touchpoints AS t FINAL
    WHERE t.minute >= toStartOfMinute(now('UTC')) - toIntervalDay(1) AND t.minute <= now('UTC')
        AND t.on_map AND t.channel IN ('mobile', 'web')
    GROUP BY t.touchpoint_type
)
COMMENT 'Where phones hurt more: friction of the last 24 hours per kind of touchpoint, mobile against the rest of the web';

CREATE OR REPLACE VIEW {bi}.phase_dwell {on_cluster}
(
    phase      LowCardinality(String) COMMENT 'Phase that was left',
    samples    Int64 COMMENT 'Accounts that left it, each time counted',
    has_enough Bool COMMENT 'False: fewer than 30 samples, so targets are better than these figures',
    median_s   Float64 COMMENT 'Half of them were in it for less: what the rule fast_lane should know',
    p90_s      Float64 COMMENT 'Nine of ten were in it for less: what the rule stalled should know'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    was AS phase,
    toInt64(count()) AS samples,
    toBool(count() >= 30) AS has_enough,
    quantileExactInclusive(0.5)(dwell) AS median_s,
    quantileExactInclusive(0.9)(dwell) AS p90_s
FROM
(
    SELECT
        JSONExtractString(change, 'from_phase') AS was,
        JSONExtractFloat(change, 'dwell_s') AS dwell
    FROM (SELECT arrayJoin(JSONExtractArrayRaw(transitions)) AS change FROM {database}.account_journeys FINAL)
    WHERE JSONExtractBool(change, 'accepted') AND JSONExtractFloat(change, 'dwell_s') > 0
)
GROUP BY was
COMMENT 'How long accounts really are in a phase before they leave it';
