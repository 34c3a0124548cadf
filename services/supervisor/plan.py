"""Which processes `touchline up` runs, in which order, told what. Pure."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from schemas.config import Config
from schemas.processes import READERS, STAGES
from services.embedded.kafka.settings import BrokerSettings
from services.supervisor.spec import EDGE, STORES, ChildSpec

KAFKA_START_BYTES: int = BrokerSettings.model_fields["min_free_bytes"].default
"""Free space that the broker asks for before it starts; a running one ends when a write fails."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where everything is. `embedded_*`: whether we run that one ourselves."""

    data_dir: Path
    config_path: Path
    status_file: Path
    kafka_port: int
    clickhouse_port: int
    gateway_port: int
    dashboard_port: int
    embedded_kafka: bool
    embedded_clickhouse: bool

    @property
    def token_file(self) -> Path:
        """The internal password of the embedded ClickHouse."""
        return self.data_dir / "secrets" / "clickhouse"

    @property
    def erasure_key_file(self) -> Path:
        """The key of the ledger of erasures, where the configuration names none."""
        return self.data_dir / "secrets" / "erasures"


def memory_env(environ: Mapping[str, str]) -> dict[str, str]:
    """How a service's memory is kept together, unless who starts it says otherwise.

    The C library gives each thread that asks for memory a pool of its own, and what a batch leaves free in one is of
    no use to the thread that takes the next batch. Python runs one thread at a time: one pool does for all.
    """
    return {"MALLOC_ARENA_MAX": environ.get("MALLOC_ARENA_MAX", "1")}


def service_env(site: Site, config: Config) -> dict[str, str]:
    """What every service is told over the configuration file."""
    env = {
        "TOUCHLINE_KAFKA_BOOTSTRAP": ",".join(config.kafka.bootstrap),
        "TOUCHLINE_CLICKHOUSE_URL": config.clickhouse.url,
        "TOUCHLINE_GATEWAY_PORT": str(site.gateway_port),
        "TOUCHLINE_DASHBOARD_PORT": str(site.dashboard_port),
        "TOUCHLINE_STATUS_FILE": str(site.status_file),
        "TOUCHLINE_INSTANCE": instance(site.data_dir),
    }
    if config.privacy.key is None:
        env["TOUCHLINE_PRIVACY_KEY_FILE"] = str(site.erasure_key_file)
    if site.embedded_kafka:
        env["TOUCHLINE_KAFKA_BOOTSTRAP"] = f"127.0.0.1:{site.kafka_port}"
    if site.embedded_clickhouse:
        env["TOUCHLINE_CLICKHOUSE_URL"] = f"http://127.0.0.1:{site.clickhouse_port}"
        env["TOUCHLINE_CLICKHOUSE_USER"] = "internal"
        env["TOUCHLINE_CLICKHOUSE_PASSWORD_FILE"] = str(site.token_file)
    return env


def instance(data_dir: Path) -> str:
    """What tells this folder's processes from those of another one in the same cluster; the same at each start."""
    return hashlib.sha256(f"{platform.node()}\n{data_dir}".encode()).hexdigest()[:8]


def addresses(site: Site, config: Config) -> dict[str, str]:
    """Where people, senders and other commands find what runs."""
    return {
        "gateway_url": f"http://{_reachable(config.gateway.host)}:{site.gateway_port}",
        "dashboard_url": f"http://{_reachable(config.dashboard.host)}:{site.dashboard_port}",
        "sql_url": service_env(site, config)["TOUCHLINE_CLICKHOUSE_URL"],
    }


def plan(site: Site, config: Config) -> list[ChildSpec]:
    """The children, each after those it waits for.

    The page comes first and shows what it waits for; whoever needs tables begins when they are there. What only needs
    Kafka and its topics waits for them itself: Kafka takes longest, and the others have been read and loaded by then.
    """
    stores = _stores(site, config)
    names = [spec.name for spec in stores]
    env = memory_env(os.environ) | service_env(site, config)

    def service(name: str, **options: Any) -> ChildSpec:
        argv = (sys.executable, "-m", "services.cli.service", name, "--config", str(site.config_path))
        options = {"probe_host": _reachable(config.metrics_host)} | options
        return ChildSpec(name, argv, env=env, **options)

    clickhouse = tuple(name for name in names if name == "clickhouse")
    first, ready = ("dashboard",), ("topics", "migrate")
    page, edge = _reachable(config.dashboard.host), _reachable(config.gateway.host)
    return [
        service("dashboard", probe_port=site.dashboard_port, probe_host=page, stop_wave=EDGE),
        *stores,
        service("topics", spawn_after=first, job=True),
        service("migrate", after=clickhouse, spawn_after=first, job=True),
        service("gateway", spawn_after=first, probe_port=site.gateway_port, probe_host=edge, stop_wave=EDGE),
        *(service(stage, after=("migrate",)) for stage in STAGES),
        *(service(reader, after=ready, spawn_after=tuple(STAGES)) for reader in READERS),
    ]


def _stores(site: Site, config: Config) -> list[ChildSpec]:
    def store(name: str, module: str, port: int, *more: str) -> ChildSpec:
        data = str(site.data_dir / name)
        argv = (sys.executable, "-m", module, "--data", data, "--port", str(port), *more)
        return ChildSpec(name, argv, probe_port=0, stop_wave=STORES)

    found = []
    if site.embedded_kafka:
        kafka = store("kafka", "services.embedded.kafka.main", site.kafka_port)
        found.append(replace(kafka, space=(site.data_dir, KAFKA_START_BYTES)))
    if site.embedded_clickhouse:
        access = ("--access-file", config.dashboard.access_file) if config.dashboard.access_file else ()
        told = ("--token-file", str(site.token_file), "--sql", config.sql.model_dump_json(), *access)
        found.append(store("clickhouse", "services.embedded.clickhouse.main", site.clickhouse_port, *told))
    return found


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
