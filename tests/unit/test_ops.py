"""Metrics, the ops endpoint and log lines."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any, cast

import httpx
import pytest

from schemas.metrics import METRICS, MetricName
from streams.runtime.logs import QUIET_LOGGERS, configure_logging, masked
from streams.runtime.metrics import Metrics
from streams.runtime.metrics_server import Checks, OpsServer


def test_every_metric_of_the_catalogue_can_be_used() -> None:
    metrics = Metrics()
    use: dict[str, Any] = {"counter": metrics.inc, "gauge": metrics.set, "histogram": metrics.observe}
    for metric in METRICS.values():
        use[metric.kind](metric.name, 1.0, **dict.fromkeys(metric.labels, "x"))
    text = metrics.render().decode()
    assert [name for name in METRICS if name not in text] == []


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda m: m.inc(cast(MetricName, "touchline_made_up_total")), "not in the metric catalogue"),
        (lambda m: m.inc("touchline_stage_records_total", stag="attribute"), r"has the labels \['stage'\]"),
        (lambda m: m.inc("touchline_stage_records_total"), "has the labels"),
        (lambda m: m.set("touchline_stage_records_total", 1, stage="attribute"), "is no gauge"),
        (lambda m: m.observe("touchline_links_known", 1), "is no histogram"),
        (lambda m: m.inc("touchline_refold_seconds"), "is a histogram"),
    ],
)
def test_what_the_catalogue_does_not_have_is_refused(call: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        call(Metrics())


async def test_a_scrape_comes_by_any_name() -> None:
    """Prometheus knows us by the names of Compose, and a browser's headers change nothing: exempt on purpose."""
    server = OpsServer(Metrics(), lambda: (True, {}), port=0)
    port = await server.start()
    headers = {"Host": "sink:9100", "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    async with httpx.AsyncClient() as client:
        for path in ("/metrics", "/healthz"):
            answer = await client.get(f"http://127.0.0.1:{port}{path}", headers=headers)
            assert answer.status_code == 200
            assert "access-control-allow-origin" not in answer.headers
    await server.close()


async def test_healthz_is_asked_anew_each_time_and_metrics_are_served() -> None:
    state: dict[str, Any] = {"ok": False}

    def health() -> tuple[bool, Checks]:
        return state["ok"], {"kafka": {"ok": state["ok"], "age_s": 1.5}}

    server = OpsServer(Metrics(), health, port=0)
    port = await server.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        assert (await client.get("/healthz")).status_code == 503
        state["ok"] = True
        answer = await client.get("/healthz")
        assert (answer.status_code, answer.json()["checks"]["kafka"]["age_s"]) == (200, 1.5)
        assert "touchline_build_info{" in (await client.get("/metrics")).text
        assert (await client.head("/metrics")).status_code == 200
        assert (await client.get("/")).status_code == 404
        assert (await client.post("/metrics")).status_code == 405
    await server.close()
    await server.close()


async def test_a_failing_probe_is_not_healthy() -> None:
    def health() -> tuple[bool, Checks]:
        raise RuntimeError("probe broke")

    status, _, body = OpsServer(Metrics(), health, port=0).reply(b"GET /healthz HTTP/1.1\r\n\r\n")
    assert status == 500
    assert json.loads(body)["ok"] is False


@pytest.mark.parametrize(
    "line",
    [
        "writeKey=s3cr3t-value",
        '{"password": "s3cr3t-value"}',
        "Authorization: Basic s3cr3t-value",
        "token='s3cr3t-value' next",
        "http://internal:s3cr3t-value@127.0.0.1:8123/ is away",
    ],
)
def test_secrets_are_masked(line: str) -> None:
    assert "s3cr3t" in line
    assert "s3cr3t" not in masked(line)


def test_ordinary_lines_are_left_alone() -> None:
    line = "3 records of 127.0.0.1:9092, key request_id, see https://example.com/token"
    assert masked(line) == line


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    quiet = {name: logging.getLogger(name).level for name in QUIET_LOGGERS}
    yield root
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    for name, level in quiet.items():
        logging.getLogger(name).setLevel(level)


def test_text_and_json_lines_carry_the_fields(root_logger: logging.Logger) -> None:
    stream = io.StringIO()
    configure_logging("sink", "text", stream=stream)
    root_logger.info("caught up", extra={"rows": 12, "token": "s3cr3t"})
    configure_logging("sink", "json", stream=stream)
    root_logger.info("caught up", extra={"rows": 12, "token": "s3cr3t"})
    text, as_json = stream.getvalue().splitlines()
    assert text.endswith("INFO sink caught up rows=12 token=…")
    assert json.loads(as_json) | {"at": ""} == {
        "at": "",
        "level": "INFO",
        "service": "sink",
        "logger": "root",
        "message": "caught up",
        "rows": 12,
        "token": "…",
    }


def test_noisy_libraries_are_silenced_on_their_own_loggers(root_logger: logging.Logger) -> None:
    configure_logging("journey", stream=io.StringIO(), level=logging.DEBUG)
    assert root_logger.isEnabledFor(logging.DEBUG)
    assert not logging.getLogger("faust.transport.consumer").isEnabledFor(logging.INFO)
    assert not logging.getLogger("uvicorn.access").isEnabledFor(logging.INFO)
