"""The metric catalogue (schemas/metrics.py) as live Prometheus collectors.

A name, label or kind which the catalogue does not have is refused where it is used, so that
dashboards and alert rules generated from the catalogue can never name something else.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from schemas.metrics import METRICS, Metric, MetricName

Collector = Counter | Gauge | Histogram


class Meter(Protocol):
    """What a component asks for. `Metrics` and `NoMetrics` both are one."""

    def inc(self, name: MetricName, value: float = 1.0, **labels: str) -> None:
        """Add `value` to a counter or gauge."""

    def observe(self, name: MetricName, value: float, **labels: str) -> None:
        """Add one observation (seconds) to a histogram."""

    def set(self, name: MetricName, value: float, **labels: str) -> None:
        """Set a gauge."""


class NoMetrics:
    """Forgets everything; for tools and tests which show nothing."""

    def inc(self, name: MetricName, value: float = 1.0, **labels: str) -> None: ...

    def observe(self, name: MetricName, value: float, **labels: str) -> None: ...

    def set(self, name: MetricName, value: float, **labels: str) -> None: ...


class Metrics:
    """One process's metrics, in a registry of their own. A metric is exported from its first use on."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._collectors: dict[str, Collector] = {}
        self.set("touchline_build_info", 1, version=installed_version())

    def inc(self, name: MetricName, value: float = 1.0, **labels: str) -> None:
        """Add `value` to a counter or gauge. Raises ValueError for what is not in the catalogue."""
        collector = self._labelled(name, labels)
        if isinstance(collector, Histogram):
            raise ValueError(f"{name} is a histogram: use observe()")
        collector.inc(value)

    def observe(self, name: MetricName, value: float, **labels: str) -> None:
        """Add one observation to a histogram. Raises ValueError for what is not in the catalogue."""
        collector = self._labelled(name, labels)
        if not isinstance(collector, Histogram):
            raise ValueError(f"{name} is no histogram: observe() does not apply")
        collector.observe(value)

    def set(self, name: MetricName, value: float, **labels: str) -> None:
        """Set a gauge. Raises ValueError for what is not in the catalogue."""
        collector = self._labelled(name, labels)
        if not isinstance(collector, Gauge):
            raise ValueError(f"{name} is no gauge: set() does not apply")
        collector.set(value)

    def render(self) -> bytes:
        """The Prometheus text exposition."""
        return generate_latest(self.registry)

    def _labelled(self, name: MetricName, labels: dict[str, str]) -> Collector:
        collector = self._collectors.get(name) or self._create(name)
        expected = METRICS[name].labels
        if labels.keys() != set(expected):
            raise ValueError(f"{name} has the labels {sorted(expected)}, not {sorted(labels)}")
        return collector.labels(**labels) if labels else collector

    def _create(self, name: MetricName) -> Collector:
        metric = METRICS.get(name)
        if metric is None:
            raise ValueError(f"{name!r} is not in the metric catalogue (schemas/metrics.py)")
        collector = _collector(metric, self.registry)
        self._collectors[name] = collector
        return collector


def _collector(metric: Metric, registry: CollectorRegistry) -> Collector:
    if metric.kind == "histogram":
        return Histogram(metric.name, metric.help, metric.labels, registry=registry, buckets=metric.buckets)
    kind = Counter if metric.kind == "counter" else Gauge
    return kind(metric.name, metric.help, metric.labels, registry=registry)


def installed_version() -> str:
    """Touchline's version, or `unknown` when it runs from a bare checkout."""
    try:
        return version("touchline")
    except PackageNotFoundError:
        return "unknown"
