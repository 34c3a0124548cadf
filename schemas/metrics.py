"""The metric catalogue: every metric a service may export, with its help text and labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MetricName = Literal[
    "touchline_build_info",
    "touchline_gateway_requests_total",
    "touchline_gateway_refusals_total",
    "touchline_gateway_bytes_total",
    "touchline_gateway_ack_seconds",
    "touchline_gateway_in_flight_bytes",
    "touchline_stage_records_total",
    "touchline_stage_items_total",
    "touchline_stage_batch_seconds",
    "touchline_stage_retries_total",
    "touchline_dead_letters_total",
    "touchline_ignored_total",
    "touchline_traffic_total",
    "touchline_source_requests_total",
    "touchline_source_messages_total",
    "touchline_source_set_aside",
    "touchline_parked_requests",
    "touchline_parked_retention_ratio",
    "touchline_parked_lost_total",
    "touchline_links_known",
    "touchline_links_offset",
    "touchline_identity_tangled_aliases",
    "touchline_identity_limited",
    "touchline_accounts_in_memory",
    "touchline_touchpoints_in_memory",
    "touchline_touchpoints_waiting",
    "touchline_accounts_evicted_total",
    "touchline_amendments_limited_total",
    "touchline_refolds_total",
    "touchline_refold_seconds",
    "touchline_refold_pending",
    "touchline_sink_rows_total",
    "touchline_sink_batch_seconds",
    "touchline_sink_dirty_minutes",
    "touchline_consumer_lag_records",
    "touchline_processing_lag_seconds",
    "touchline_last_event_timestamp_seconds",
    "touchline_dashboard_viewers",
    "touchline_dashboard_frames_total",
    "touchline_watchdog_exits_total",
    "touchline_service_restarts_total",
    "touchline_loop_lag_seconds",
    "touchline_gc_pause_seconds",
    "touchline_disk_free_bytes",
    "touchline_store_parts",
    "touchline_expires_timestamp_seconds",
    "touchline_source_late",
    "touchline_source_late_after_seconds",
    "touchline_alerts_sendings_total",
    "touchline_alerts_open",
    "touchline_alerts_held",
    "touchline_alerts_waiting",
    "touchline_alerts_nobody_told_total",
]


@dataclass(frozen=True, slots=True)
class Metric:
    """`kind` as Prometheus names it; labels are of bounded size only: never an account, a person, an event."""

    name: MetricName
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_LATENCY_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_PAUSE_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5)
_LAG_S = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 3600.0)

METRICS: dict[MetricName, Metric] = {
    m.name: m
    for m in (
        Metric("touchline_build_info", "gauge", "Always 1; the version is a label.", ("version",)),
        Metric("touchline_gateway_requests_total", "counter", "Requests answered.", ("source", "status")),
        Metric(
            "touchline_gateway_refusals_total",
            "counter",
            "Requests not taken, by the answer's code.",
            ("source", "reason"),
        ),
        Metric("touchline_gateway_bytes_total", "counter", "Body bytes accepted.", ("source",)),
        Metric("touchline_gateway_ack_seconds", "histogram", "From body read to Kafka's ack.", (), _LATENCY_S),
        Metric("touchline_gateway_in_flight_bytes", "gauge", "Bodies waiting for Kafka's ack."),
        Metric("touchline_stage_records_total", "counter", "Kafka records processed.", ("stage",)),
        Metric("touchline_stage_items_total", "counter", "Items processed.", ("stage",)),
        Metric("touchline_stage_batch_seconds", "histogram", "Time spent on one record.", ("stage",), _LATENCY_S),
        Metric("touchline_stage_retries_total", "counter", "Waits for a dependency that was away.", ("stage",)),
        Metric("touchline_dead_letters_total", "counter", "Items dead-lettered.", ("stage", "reason")),
        Metric("touchline_ignored_total", "counter", "Messages that concern no customer.", ("source", "reason")),
        Metric(
            "touchline_traffic_total",
            "counter",
            "Touchpoints that were told as another's than a customer's: bot, internal, test or declined.",
            ("source", "traffic"),
        ),
        Metric(
            "touchline_source_requests_total",
            "counter",
            "Requests by what became of them: read, parked, or replayed (read after they were parked).",
            ("source", "fate"),
        ),
        Metric(
            "touchline_source_messages_total",
            "counter",
            "Messages of requests that were read: touchpoint, dead or ignored.",
            ("source", "fate"),
        ),
        Metric("touchline_source_set_aside", "gauge", "1 while a source's requests are kept unread.", ("source",)),
        Metric("touchline_parked_requests", "gauge", "Requests that are kept unread.", ("source",)),
        Metric(
            "touchline_parked_retention_ratio",
            "gauge",
            "Age of the oldest request that is kept unread, as a part of Kafka's retention.",
            ("source",),
        ),
        Metric("touchline_parked_lost_total", "counter", "Parked requests that retention took unread.", ("source",)),
        Metric("touchline_links_known", "gauge", "Identity links in memory."),
        Metric(
            "touchline_identity_tangled_aliases", "gauge", "Aliases in tangles: too many edges hang together there."
        ),
        Metric(
            "touchline_identity_limited", "gauge", "What grew to a limit of identity, and grows no more.", ("limit",)
        ),
        Metric("touchline_links_offset", "gauge", "How far the links topic is known."),
        Metric("touchline_accounts_in_memory", "gauge", "Account states in memory."),
        Metric("touchline_touchpoints_in_memory", "gauge", "What these states count for, in touchpoints."),
        Metric("touchline_touchpoints_waiting", "gauge", "Touchpoints that wait for a refold of their account."),
        Metric("touchline_accounts_evicted_total", "counter", "Account states forgotten to make room."),
        Metric(
            "touchline_amendments_limited_total",
            "counter",
            "Changes of accounts with so many deals and answers of surveys that some corrections are not seen.",
        ),
        Metric("touchline_refolds_total", "counter", "Accounts refolded from their history.", ("cause",)),
        Metric("touchline_refold_seconds", "histogram", "Duration of one refold.", (), _LATENCY_S),
        Metric("touchline_refold_pending", "gauge", "Accounts waiting for a refold."),
        Metric("touchline_sink_rows_total", "counter", "Rows written.", ("table",)),
        Metric("touchline_sink_batch_seconds", "histogram", "Duration of one sink batch.", (), _LATENCY_S),
        Metric("touchline_sink_dirty_minutes", "gauge", "Minutes that await recomputation."),
        Metric("touchline_consumer_lag_records", "gauge", "Records not yet committed.", ("stage", "partition")),
        Metric("touchline_processing_lag_seconds", "histogram", "Received to stored.", (), _LAG_S),
        Metric("touchline_last_event_timestamp_seconds", "gauge", "Newest occurred_at stored.", ("source",)),
        Metric("touchline_dashboard_viewers", "gauge", "Open live streams."),
        Metric("touchline_dashboard_frames_total", "counter", "Frames encoded for viewers."),
        Metric("touchline_watchdog_exits_total", "counter", "Exits because nothing moved.", ("stage",)),
        Metric("touchline_service_restarts_total", "counter", "Restarts by the supervisor.", ("service",)),
        Metric("touchline_loop_lag_seconds", "histogram", "How late a process came to what was due.", (), _PAUSE_S),
        Metric(
            "touchline_gc_pause_seconds",
            "histogram",
            "Time in which Python looked for garbage, and did nothing else.",
            ("generation",),
            _PAUSE_S,
        ),
        Metric("touchline_disk_free_bytes", "gauge", "Free space where the holder's data lies.", ("holder",)),
        Metric("touchline_store_parts", "gauge", "Parts of the partition of a table that has most, in ClickHouse."),
        Metric("touchline_expires_timestamp_seconds", "gauge", "When it ends; +Inf: never.", ("what",)),
        Metric("touchline_source_late", "gauge", "1 while a source is silent for longer than is usual.", ("source",)),
        Metric("touchline_source_late_after_seconds", "gauge", "So long a silence is usual at most.", ("source",)),
        Metric(
            "touchline_alerts_sendings_total",
            "counter",
            "Messages by channel and outcome: sent, retry, or gave_up.",
            ("channel", "outcome"),
        ),
        Metric("touchline_alerts_open", "gauge", "Incidents people were told of that are not over.", ("level",)),
        Metric("touchline_alerts_held", "gauge", "Incidents held back because their source is silent."),
        Metric("touchline_alerts_waiting", "gauge", "Messages that a channel has not taken yet.", ("channel",)),
        Metric(
            "touchline_alerts_nobody_told_total",
            "counter",
            "Messages that a channel never took; `none`: that no channel was to take.",
            ("channel",),
        ),
    )
}
