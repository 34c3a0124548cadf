"""The processes of Touchline: one table for the supervisor, the commands, the page, Compose and Prometheus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from schemas.topics import TopicName

Role = Literal["store", "job", "edge", "stage", "reader"]
METRICS_PORT: Final = 9100
"""Where a service answers /healthz and /metrics in a cluster; on one machine each gets a free port."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process, started by `touchline run NAME`.

    role: `store`, embedded only; `job`, which ends when its work is done; `edge`, which people and senders reach, and
    which stops first; `stage`, a step of an event's way through Kafka; `reader`, who reads what a stage concluded.
    reads: what its consumer group `touchline-NAME` commits, its input first.
    asks_clickhouse: whether it has the password of ClickHouse's internal user.
    port: of an edge, in a fresh configuration. has_own_metrics: on METRICS_PORT, beside `port`.

    On one machine the supervisor restarts all but finished jobs; in Compose, Docker (see `restart`).
    """

    name: str
    role: Role
    reads: tuple[TopicName, ...] = ()
    asks_clickhouse: bool = False
    port: int | None = None
    has_own_metrics: bool = True

    @property
    def restart(self) -> str:
        """Compose's restart policy."""
        return "on-failure:3" if self.role == "job" else "unless-stopped"

    @property
    def health_port(self) -> int:
        """Where /healthz is, in a cluster."""
        return METRICS_PORT if self.has_own_metrics or self.port is None else self.port


PROCESSES: Final[tuple[Process, ...]] = (
    Process("kafka", "store"),
    Process("clickhouse", "store"),
    Process("topics", "job"),
    Process("migrate", "job", asks_clickhouse=True),
    Process("gateway", "edge", port=8080),
    Process("attribute", "stage", ("touchpoints.raw.v1", "touchpoints.recalled.v1"), asks_clickhouse=True),
    Process("journey", "stage", ("touchpoints.attributed.v1",), asks_clickhouse=True),
    Process("sink", "stage", ("journey.facts.v1", "identity.links.v1", "alerts.deliveries.v1"), asks_clickhouse=True),
    Process("alerts", "reader", ("journey.facts.v1",), asks_clickhouse=True),
    Process("dashboard", "edge", asks_clickhouse=True, port=8090, has_own_metrics=False),
)
SERVICES: Final = tuple(process.name for process in PROCESSES if process.role != "job")
"""What runs for as long as Touchline does."""
STAGES: Final[dict[str, Process]] = {process.name: process for process in PROCESSES if process.role == "stage"}
"""In the order in which an event passes them."""
READERS: Final[dict[str, Process]] = {process.name: process for process in PROCESSES if process.role == "reader"}
GROUPS: Final = STAGES | READERS
"""All that commit how far they have read."""
INPUTS: Final[dict[str, TopicName]] = {name: stage.reads[0] for name, stage in STAGES.items()}
"""Stage → the topic that an event comes to it by."""
FORMER_STAGES: Final[dict[str, str]] = {"normalise": "attribute", "resolve": "attribute"}
"""Stage of an earlier version → the one that does its work now. Letters keep the name of the one that wrote them."""
FORMER_GROUPS: Final[dict[TopicName, str]] = {
    "touchpoints.raw.v1": "touchline-normalise",
    "touchpoints.recalled.v1": "touchline-resolve",
    "touchpoints.clean.v1": "touchline-resolve",
}
"""Topic → the group that read it in an earlier version."""
