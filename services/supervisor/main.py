"""`touchline up`: prepare the data folder, run all services, say where they are."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import Field

from schemas.base import Strict
from schemas.complaints import Refused
from schemas.config import Config
from schemas.errors import ConfigurationError
from schemas.processes import SERVICES
from services.common.config import ConfigReading, read_config
from services.common.first_config import write_fresh
from services.common.secrets import ensure_secret_file
from services.common.secrets_check import secret_complaints
from services.embedded.kafka.ports import pick_free
from services.supervisor.folder import DataFolder, Run
from services.supervisor.hold import hold_when_asked
from services.supervisor.plan import Site, addresses, plan
from services.supervisor.private import keep_private
from services.supervisor.space import watch_space
from services.supervisor.supervisor import Say, Supervisor
from streams.runtime.metrics import Metrics
from streams.runtime.metrics_server import OpsServer

EXIT_OK, EXIT_INTERRUPTED = 0, 130
OnReady = Callable[[dict[str, object]], None]
"""Takes gateway_url, dashboard_url, sql_url, data_dir and pids."""


class UpOptions(Strict):
    """The flags of `touchline up`. A port of None is the configuration's, 0 picks a free one and keeps it."""

    data_dir: Path = Field(description="data folder; made when missing")
    config_path: Path | None = Field(
        None, description="configuration, written when missing; None: touchline.yaml in the data folder"
    )
    gateway_port: int | None = Field(None, description="port of the gateway")
    dashboard_port: int | None = Field(None, description="port of the page")
    sql_port: int = Field(0, description="port of the embedded ClickHouse")
    kafka: str | None = Field(None, description="HOST:PORT,… of an existing cluster instead of the embedded broker")
    clickhouse: str | None = Field(None, description="URL of an existing server instead of the embedded one")
    start_timeout_s: float = Field(120.0, gt=0, description="give up when not everything is ready by then")


def run_up(options: UpOptions, say: Say, on_ready: OnReady) -> int:
    """Run until SIGTERM (exit code 0) or Ctrl-C (130). `on_ready` is called once.

    Raises ConfigurationError or StartFailed; nothing is left running.
    """
    folder = DataFolder(options.data_dir.resolve())
    last = folder.take()
    try:
        keep_private(folder.path, say)
        if last.pid and not last.stopped:
            say(_recovered(last))
        config, site = prepare(options, folder, say)
        return asyncio.run(_up(config, site, folder, say, on_ready, options.start_timeout_s))
    finally:
        folder.release()


def prepare(options: UpOptions, folder: DataFolder, say: Say) -> tuple[Config, Site]:
    """The configuration in force and where everything will be; writes the first configuration and its secrets."""
    config_path = (options.config_path or folder.path / "touchline.yaml").resolve()
    if write_fresh(config_path, folder.path):
        say(f"new configuration with fresh secrets: {config_path}")
    config = _checked(read_config(config_path, flags=_flags(options)))
    site = Site(
        data_dir=folder.path,
        config_path=config_path,
        status_file=folder.status_file,
        kafka_port=folder.port("kafka", 0, ""),
        clickhouse_port=folder.port("sql", options.sql_port, "--sql-port"),
        gateway_port=folder.port("gateway", config.gateway.port, "--gateway-port"),
        dashboard_port=folder.port("dashboard", config.dashboard.port, "--dashboard-port"),
        embedded_kafka="bootstrap" not in config.kafka.model_fields_set,
        embedded_clickhouse="url" not in config.clickhouse.model_fields_set,
    )
    _check_ports(site)
    if site.embedded_clickhouse:
        ensure_secret_file(site.token_file)
    if config.privacy.key is None:
        ensure_secret_file(site.erasure_key_file)
    return config, site


def _checked(reading: ConfigReading) -> Config:
    """The configuration, unless something in it or its secrets would stop a service: better now than half started."""
    complaints = [*reading.complaints, *secret_complaints(reading)]
    if reading.config is None or complaints:
        raise Refused(complaints)
    return reading.config


def _check_ports(site: Site) -> None:
    """Each has its own: of two on one port the second would never start, and be taken for the first."""
    owners: dict[int, str] = {}
    ports = {"sql": site.clickhouse_port, "gateway": site.gateway_port, "dashboard": site.dashboard_port}
    for name, port in ports.items():
        if (other := owners.setdefault(port, name)) != name:
            raise ConfigurationError(f"{other} and {name} cannot both have port {port}; give --{name}-port another one")


def _flags(options: UpOptions) -> dict[tuple[str, ...], object]:
    return {
        ("kafka", "bootstrap"): options.kafka.split(",") if options.kafka else None,
        ("clickhouse", "url"): options.clickhouse,
        ("gateway", "port"): options.gateway_port,
        ("dashboard", "port"): options.dashboard_port,
    }


async def _up(config: Config, site: Site, folder: DataFolder, say: Say, on_ready: OnReady, timeout_s: float) -> int:
    began_s = time.monotonic()
    metrics = Metrics()
    supervisor = Supervisor(plan(site, config), folder, say, metrics)
    places = addresses(site, config)
    supervisor.record.addresses = places | _internal(site, config)

    def ready() -> None:
        say(f"everything  ready {time.monotonic() - began_s:.1f} s")
        pids = {name: supervisor.record.pids[name] for name in SERVICES if name in supervisor.record.pids}
        beside.append(asyncio.create_task(hold_when_asked(supervisor, folder.path, say)))
        on_ready({**places, "data_dir": str(site.data_dir), "pids": pids})

    port = supervisor.record.ops_ports["supervisor"] = pick_free()
    beside = [
        asyncio.create_task(_tell_page(supervisor, places["dashboard_url"], say, began_s)),
        asyncio.create_task(watch_space(site.data_dir, metrics, say)),
    ]
    async with OpsServer(metrics, supervisor.health, host=config.metrics_host, port=port):
        try:
            await supervisor.run(ready, start_timeout_s=timeout_s)
        finally:
            for task in beside:
                task.cancel()
    return EXIT_INTERRUPTED if supervisor.signal == signal.SIGINT else EXIT_OK


def _internal(site: Site, config: Config) -> dict[str, str]:
    """What other commands on this data folder need to reach the same stores."""
    kafka = f"127.0.0.1:{site.kafka_port}" if site.embedded_kafka else ",".join(config.kafka.bootstrap)
    token = {"token_file": str(site.token_file)} if site.embedded_clickhouse else {}
    if config.privacy.key is None:
        token["erasure_key_file"] = str(site.erasure_key_file)
    return {"kafka": kafka, "config": str(site.config_path), **token}


async def _tell_page(supervisor: Supervisor, url: str, say: Say, began_s: float) -> None:
    await supervisor.children["dashboard"].up.wait()
    say(f"page        up {time.monotonic() - began_s:.1f} s  {url}")


def _recovered(last: Run) -> str:
    was = ", ".join(name for name in SERVICES if name in last.states) or "nothing"
    return (
        f"recovery    the run of {last.started_at} ended without a stop; Kafka's log and ClickHouse's files are taken "
        f"up where they stood, the services continue from their committed offsets (had been running: {was})"
    )
