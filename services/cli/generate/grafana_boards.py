"""Grafana's dashboards of the journey. They ask the `bi` views alone, as the user `reader`."""

from __future__ import annotations

from typing import Final, Literal

from services.alerting.prometheus.board import Board, Panel

Kind = Literal["timeseries", "stat", "table", "barchart"]


def _panel(title: str, kind: Kind, query: str, help: str, *, unit: str = "short", width: int = 12) -> Panel:
    return Panel(title, kind, "clickhouse", query, help, unit=unit, width=width)


_MAP: Final = (
    _panel(
        "What hurts most, 30 days",
        "table",
        "SELECT p.phase_name, t.touchpoint_name, m.moment_of_truth, m.volume, m.accounts, m.reach_percent,"
        " m.friction_rate, m.emotion, m.pain_index FROM bi.journey_map AS m"
        " LEFT JOIN bi.phases AS p ON p.phase = m.phase"
        " LEFT JOIN bi.touchpoint_types AS t ON t.touchpoint_type = m.touchpoint_type"
        " ORDER BY m.pain_index DESC LIMIT 25",
        "A row per phase and kind of touchpoint. Pain 0 to 100: mean pain, by importance, less for small volumes.",
        width=24,
    ),
    _panel(
        "Friction by phase, 30 days",
        "barchart",
        "SELECT p.phase_name, sum(m.friction_touchpoints) / sum(m.volume) AS friction_share FROM bi.journey_map AS m"
        " INNER JOIN bi.phases AS p ON p.phase = m.phase GROUP BY p.phase_name, p.position ORDER BY p.position",
        "Part of the contact moments with at least one friction signal.",
        unit="percentunit",
    ),
    _panel(
        "How far accounts have come",
        "table",
        "SELECT phase_name, accounts_reached, share_of_previous, accounts_now FROM bi.funnel ORDER BY position",
        "Identified accounts that ever reached a phase, and those that are in it now.",
    ),
    _panel(
        "Contact moments",
        "timeseries",
        "SELECT $__timeInterval(occurred_at) AS time, phase_name, count() AS touchpoints FROM bi.touchpoints"
        " WHERE on_map AND $__timeFilter(occurred_at) GROUP BY time, phase_name ORDER BY time",
        "By the time they happened.",
    ),
    _panel(
        "Friction signals",
        "timeseries",
        "SELECT $__timeInterval(opened_at) AS time, rule, count() AS signals FROM bi.signals"
        " WHERE polarity = 'friction' AND $__timeFilter(opened_at) GROUP BY time, rule ORDER BY time",
        "Painful moments by the rule that found them.",
    ),
)
_PAIN: Final = (
    _panel(
        "Pain by department",
        "timeseries",
        "SELECT $__timeInterval(event_date) AS time, owner_department, sum(pain_sum) AS pain FROM bi.pain_daily"
        " WHERE $__timeFilter(event_date) GROUP BY time, owner_department ORDER BY time",
        "Pain of the contact moments, added up, by who answers for them. Choose a range of days.",
        width=24,
    ),
    _panel(
        "By department",
        "table",
        "SELECT owner_department, sum(touchpoints) AS touchpoints, sum(pain_sum) AS pain,"
        " sum(friction_touchpoints) / sum(touchpoints) AS friction_share,"
        " sum(emotion_sum) / nullIf(sum(emotion_count), 0) AS mean_emotion"
        " FROM bi.pain_daily WHERE $__timeFilter(event_date) GROUP BY owner_department ORDER BY pain DESC",
        "In the chosen range.",
    ),
    _panel(
        "By kind of touchpoint",
        "table",
        "SELECT touchpoint_name, owner_department, owner_people, sum(pain_sum) AS pain,"
        " sum(friction_touchpoints) / sum(touchpoints) AS friction_share"
        " FROM bi.pain_daily WHERE $__timeFilter(event_date)"
        " GROUP BY touchpoint_name, owner_department, owner_people ORDER BY pain DESC LIMIT 25",
        "In the chosen range, the worst first.",
    ),
    _panel(
        "Tickets: hours to the first reply",
        "timeseries",
        "SELECT $__timeInterval(created_at) AS time, medianExact(toFloat64(first_reply_s)) / 3600 AS median_h"
        " FROM bi.tickets WHERE first_reply_s IS NOT NULL AND $__timeFilter(created_at) GROUP BY time ORDER BY time",
        "Median, of the tickets that were answered.",
        unit="h",
    ),
    _panel(
        "People told",
        "timeseries",
        "SELECT $__timeInterval(sent_at) AS time, outcome, count() AS attempts FROM bi.alerts_sent"
        " WHERE $__timeFilter(sent_at) GROUP BY time, outcome ORDER BY time",
        "Attempts to tell owners of incidents, by what became of them.",
    ),
)
_ACCOUNTS: Final = (
    _panel(
        "Revenue at risk",
        "stat",
        "SELECT sum(annual_revenue) AS revenue FROM bi.accounts"
        " WHERE is_identified AND (pain_30d > 0 OR open_incidents > 0)",
        "Annual revenue in the CRM of identified accounts with pain in the last 30 days or an open incident.",
    ),
    _panel(
        "Open incidents",
        "stat",
        "SELECT count() AS incidents FROM bi.incidents WHERE is_open",
        "Those that still hurt: open, taken or silenced.",
    ),
    _panel(
        "Accounts at risk",
        "table",
        "SELECT account_name, phase, crm_owner, tier, annual_revenue, pain_7d, pain_30d, open_incidents, last_pain_at"
        " FROM bi.accounts WHERE is_identified AND (pain_30d > 0 OR open_incidents > 0)"
        " ORDER BY pain_30d DESC, account_name LIMIT 50",
        "Identified accounts with pain in the last 30 days or an open incident.",
        width=24,
    ),
    _panel(
        "Incidents",
        "table",
        "SELECT opened_at, account_name, phase_name, touchpoint_name, state, taken_by, severity, what FROM bi.incidents"
        " WHERE $__timeFilter(opened_at) ORDER BY opened_at DESC LIMIT 50",
        "Opened in the chosen range, the latest first.",
        width=24,
    ),
)
_SOURCES: Final = (
    _panel(
        "Sources",
        "table",
        "SELECT source, last_received_at, silent_for_s, touchpoints_24h, unmapped_24h, unidentified_24h,"
        " clock_suspect_24h, ignored_24h FROM bi.source_health ORDER BY source",
        "Is it alive, and how much of what it sends can be used. Look here before trusting a quiet number.",
        width=24,
    ),
    _panel(
        "Touchpoints received",
        "timeseries",
        "SELECT $__timeInterval(received_at) AS time, source, count() AS touchpoints FROM bi.touchpoints"
        " WHERE $__timeFilter(received_at) GROUP BY time, source ORDER BY time",
        "By the time of receipt; each event once, however often it was sent.",
    ),
    _panel(
        "What has no place in the blueprint",
        "table",
        "SELECT * FROM bi.unmapped LIMIT 50",
        "Kinds of messages that no matcher takes: write one, or leave them out.",
    ),
)
BOARDS: Final = {
    "journey_map": Board("touchline-journey-map", "Journey map", _MAP, "now-30d", "5m"),
    "pain_by_owner": Board("touchline-pain-by-owner", "Pain by owner", _PAIN, "now-30d", "5m"),
    "accounts_at_risk": Board("touchline-accounts-at-risk", "Accounts at risk", _ACCOUNTS, "now-30d", "5m"),
    "source_health": Board("touchline-source-health", "Source health", _SOURCES, "now-24h", "1m"),
}
"""File → dashboard."""
