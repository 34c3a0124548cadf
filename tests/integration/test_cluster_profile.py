"""The cluster profile: every service a process of its own that knows only addresses and a password."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.cli.service import SERVICES
from services.embedded.kafka.ports import pick_free
from streams.runtime.kafka import INSTANCE_ENV
from streams.runtime.metrics_server import OPS_PORT_ENV
from tests.clickhouse_fixture import ClickHouse
from tests.promtool import complaints

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse, pytest.mark.fault]
JOBS = ("topics", "migrate")
LONG_RUNNING = tuple(name for name in SERVICES if name not in JOBS)
EVENTS = 5
READY_WITHIN_S, VISIBLE_WITHIN_S, STOPPED_WITHIN_S = 90.0, 60.0, 40.0
KEY, TOKEN = "cluster-write-key", "cluster-page-token"
FILE = """
kafka: {partitions: 3}
dashboard: {host: 0.0.0.0, token: {env: PAGE_TOKEN}}
log_format: json
sources: [{name: web, vendor: segment, secrets: [{env: WEB_KEY}]}]
"""


class Cluster:
    """The processes, by name; `ops` is where each tells its health and metrics."""

    def __init__(self, folder: Path, stores: list[str], env: dict[str, str]) -> None:
        self.folder = folder
        self.stores = stores
        self.env = env
        self.gateway_port, dashboard_port = pick_free(), pick_free()
        self.ops = {name: dashboard_port if name == "dashboard" else pick_free() for name in LONG_RUNNING}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """`touchline run NAME`; its log is NAME.log."""
        env = os.environ | self.env | {INSTANCE_ENV: "1", OPS_PORT_ENV: str(self.ops.get(name, 0))}
        env["TOUCHLINE_GATEWAY_PORT"] = str(self.gateway_port)
        env["TOUCHLINE_DASHBOARD_PORT"] = str(self.ops["dashboard"])
        command = [sys.executable, "-m", "services.cli.main", "run", name, *self.stores]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(command, cwd=self.folder, env=env, stderr=log, stdout=log)
        return self.processes[name]

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def healthy(self, name: str) -> bool:
        """As a container's health check asks."""
        command = [sys.executable, "-m", "services.cli.healthcheck", str(self.ops[name])]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def stop(self) -> dict[str, int]:
        """SIGTERM to all at once; their exit codes."""
        for process in self.processes.values():
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        return {name: process.wait(STOPPED_WITHIN_S) for name, process in self.processes.items()}

    def end(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()


@pytest.fixture
def database(clickhouse_url: ClickHouse) -> Iterator[str]:
    """A name that `migrate` makes its databases of; both are dropped."""
    name = f"cluster_{os.getpid()}_{time.monotonic_ns() % 10**9}"
    yield name
    client = clickhouse_url.client()
    for one in (name, f"{name}_bi"):
        client.command(f"DROP DATABASE IF EXISTS {one}")
    client.close()


@contextmanager
def running(folder: Path, kafka: str, store: ClickHouse, names: dict[str, str]) -> Iterator[Cluster]:
    (folder / "touchline.yaml").write_text(FILE)
    env = names | {
        "TOUCHLINE_CONFIG": str(folder / "touchline.yaml"),
        "TOUCHLINE_CLICKHOUSE_PASSWORD": store.token,
        "WEB_KEY": KEY,
        "PAGE_TOKEN": TOKEN,
    }
    cluster = Cluster(folder, ["--kafka", kafka, "--clickhouse", store.base_url], env)
    try:
        yield cluster
    finally:
        cluster.end()


def wait_for(what: str, condition: Callable[[], bool], within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {within_s} s"
        time.sleep(0.3)


def send(cluster: Cluster, number: int) -> None:
    event = {
        "messageId": f"m{number}",
        "userId": "u1",
        "name": "Pricing",
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60)),
        "context": {"page": {"path": "/pricing"}, "traits": {"email": "ada@example.com"}},
    }
    answer = httpx.post(f"http://127.0.0.1:{cluster.gateway_port}/v1/page", json=event, auth=(KEY, ""))
    assert answer.status_code == 200, answer.text


def the_map(cluster: Cluster) -> dict[str, Any]:
    url = f"http://127.0.0.1:{cluster.ops['dashboard']}/api/map"
    answer = httpx.get(url, headers={"Authorization": f"Bearer {TOKEN}"})
    return dict(answer.json()) if answer.status_code == 200 else {}


def touchpoints(cluster: Cluster) -> int:
    return int(the_map(cluster).get("totals", {}).get("touchpoints", 0))


def metrics_are_well_formed(cluster: Cluster, name: str) -> None:
    """promtool reads what the service really exports."""
    text = httpx.get(
        f"http://127.0.0.1:{cluster.ops[name]}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}
    ).content
    assert b"touchline_build_info" in text
    if shutil.which("promtool"):
        assert complaints(text) == [], name


def test_services_as_separate_processes(
    tmp_path: Path, kafka_bootstrap: str, clickhouse_url: ClickHouse, database: str, topic_prefix: str
) -> None:
    names = {
        "TOUCHLINE_KAFKA_TOPIC_PREFIX": topic_prefix,
        "TOUCHLINE_CLICKHOUSE_DATABASE": database,
        "TOUCHLINE_CLICKHOUSE_BI_DATABASE": f"{database}_bi",
    }
    with running(tmp_path, kafka_bootstrap, clickhouse_url, names) as cluster:
        for job in JOBS:
            assert cluster.start(job).wait(READY_WITHIN_S) == 0, cluster.log(job)
        cluster.processes.clear()
        for name in LONG_RUNNING:
            cluster.start(name)
        for name in LONG_RUNNING:
            wait_for(f"{name} is healthy", lambda name=name: cluster.healthy(name), READY_WITHIN_S)  # type: ignore[misc]

        for number in range(EVENTS):
            send(cluster, number)
        client = clickhouse_url.client()
        query = f"SELECT count(), uniqExact(vendor_event_id) FROM {database}_bi.touchpoints"
        wait_for("the touchpoints", lambda: client.query(query).result_rows == [(EVENTS, EVENTS)], VISIBLE_WITHIN_S)
        client.close()
        wait_for("the map", lambda: touchpoints(cluster) == EVENTS, VISIBLE_WITHIN_S)
        for name in LONG_RUNNING:
            metrics_are_well_formed(cluster, name)

        assert cluster.stop() == dict.fromkeys(LONG_RUNNING, 0), json.dumps(
            {name: cluster.log(name)[-2000:] for name in LONG_RUNNING}, indent=1
        )
        assert not any(clickhouse_url.token in cluster.log(name) for name in (*JOBS, *LONG_RUNNING))


def test_a_service_that_cannot_do_its_job_is_not_healthy(tmp_path: Path) -> None:
    """The control of the health check: a gateway whose Kafka is away says so."""
    (tmp_path / "touchline.yaml").write_text(FILE)
    env = {"TOUCHLINE_CONFIG": str(tmp_path / "touchline.yaml"), "WEB_KEY": KEY, "PAGE_TOKEN": TOKEN}
    cluster = Cluster(tmp_path, ["--kafka", f"127.0.0.1:{pick_free()}"], env)
    try:
        cluster.start("gateway")
        url = f"http://127.0.0.1:{cluster.ops['gateway']}/healthz"

        def listens() -> bool:
            with suppress(httpx.HTTPError):
                return httpx.get(url).status_code == 503
            return False

        wait_for("the gateway listens", listens, READY_WITHIN_S)
        assert not cluster.healthy("gateway")
        assert cluster.stop() == {"gateway": 0}
    finally:
        cluster.end()
