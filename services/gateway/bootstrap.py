"""Builds the gateway from its configuration; everything that touches the world comes as an argument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from schemas.config import Config
from services.gateway.access import Sources
from services.gateway.acting import Acting
from services.gateway.app import Gateway, Health
from services.gateway.intake import Clock, Intake, Writer
from services.gateway.routes import Routes
from services.gateway.sdk import Files
from streams.connectors.registry import connectors_of
from streams.connectors.spec import Connector
from streams.runtime.metrics import Meter, NoMetrics


def now_utc() -> datetime:
    """The real clock."""
    return datetime.now(UTC)


def build(  # noqa: PLR0913 - one for each thing that it touches
    config: Config,
    *,
    secrets: Mapping[str, tuple[bytes, ...]],
    writer: Writer,
    clock: Clock = now_utc,
    metrics: Meter | None = None,
    health: Health | None = None,
    connectors: Mapping[str, Connector] | None = None,
    sdk_files: Mapping[str, Files] | None = None,
    act_keys: Sequence[bytes] = (),
) -> Gateway:
    """The ASGI app. `secrets` holds every source's keys by its name; `health` adds what only the caller knows.
    `sdk_files`: by source, what its pages load from the gateway. `act_keys`: of links in messages, if they lead here.

    Raises ConfigurationError when two sources share a write key, or one has no connector.
    """
    meter = metrics or NoMetrics()
    intake = Intake(config.gateway, writer, clock, meter)
    connectors = connectors_of(config.sources) if connectors is None else connectors
    sources = Sources(config.sources, secrets, connectors, sdk_files)

    def probe() -> tuple[bool, dict[str, object]]:
        ok, checks = health() if health is not None else (True, {})
        confirming = intake.is_confirming()
        own = {"confirming": confirming, "oldest_wait_s": round(intake.oldest_wait_s(), 3)}
        return ok and confirming, {**checks, **own, "in_flight_bytes": intake.in_flight_bytes}

    acting = Acting(act_keys, config.alerts.public_url, clock) if act_keys else None
    routes = Routes(connectors.values(), acts=acting is not None)
    return Gateway(config.gateway, routes, sources, intake, health=probe, metrics=meter, acting=acting)
