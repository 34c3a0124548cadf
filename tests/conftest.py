"""Fixtures of real parts, and the guard: a test which does not say that it needs one cannot reach it."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from schemas.complaints import Complaint

pytest_plugins = ["tests.kafka_fixture", "tests.clickhouse_fixture"]

#: Fixture → the marker a test must carry to use it.
NEEDS = {
    "kafka_bootstrap": "kafka",
    "clickhouse_url": "clickhouse",
    "clickhouse_database": "clickhouse",
}
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

#: What some tests use; TOUCHLINE_TESTS_SKIP_NOTHING=1 refuses to run where one is missing.
TOOLS = {"node": ("node",), "npm": ("npm",), "browser": CHROMIUM, "promtool": ("promtool",), "amtool": ("amtool",)}

_of_the_shipped: list[list[Complaint]] = []
_guarded_ports: dict[int, str] = {9092: "kafka", 8123: "clickhouse", 9000: "clickhouse"}


#: A run finds the same as the one before. HYPOTHESIS_PROFILE=search looks for what no run has seen yet.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


def pytest_configure() -> None:
    """Refuse to call a run whole that would leave something out."""
    missing = [name for name, commands in TOOLS.items() if not any(map(shutil.which, commands))]
    if missing and os.environ.get("TOUCHLINE_TESTS_SKIP_NOTHING") == "1":
        raise pytest.UsageError(f"not installed: {', '.join(missing)}; without it tests would be skipped")


class _TogetherInOneWorker(LoadFileScheduling):  # type: ignore[misc]  # the package has no types
    """A file's tests run in one worker; all faults in one, too, since most of them hurt one system that they share."""

    def _split_scope(self, nodeid: str) -> str:
        return "tests/faults" if nodeid.startswith("tests/faults/") else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    """Who runs what, where `-n` asks for several workers."""
    return _TogetherInOneWorker(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the reason, what this machine cannot run."""
    missing = {
        "node": "" if shutil.which("node") else "Node.js is not installed",
        "browser": "" if any(map(shutil.which, CHROMIUM)) else "Chromium is not installed",
    }
    for item in items:
        for marker, reason in missing.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def shipped_blueprint_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The golden tests of the blueprint that ships run with the first validated configuration, not with each."""
    from services.cli.commands import validate
    from streams.journey.blueprints import DEFAULT

    real = validate._blueprint

    def once(file: Path) -> list[Complaint]:
        if file != DEFAULT:
            return real(file)
        if not _of_the_shipped:
            _of_the_shipped.append(real(file))
        return list(_of_the_shipped[0])

    monkeypatch.setattr(validate, "_blueprint", once)


@pytest.fixture(autouse=True)
def _only_what_is_marked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that reaches Kafka or ClickHouse without carrying the marker of that name."""
    allowed = {marker.name for marker in request.node.iter_markers()}
    for fixture in request.fixturenames:
        marker = NEEDS.get(fixture)
        if marker is not None and marker not in allowed:
            pytest.fail(f"uses the fixture `{fixture}`: mark the test with @pytest.mark.{marker}", pytrace=False)
    _learn_ports(request, allowed)
    _guard(monkeypatch, allowed)


def _learn_ports(request: pytest.FixtureRequest, allowed: set[str]) -> None:
    """Remember where this run's stores listen, once a marked test has started them."""
    if "kafka" in allowed and "kafka_bootstrap" in request.fixturenames:
        address = str(request.getfixturevalue("kafka_bootstrap"))
        _guarded_ports[int(address.split(",")[0].rpartition(":")[2])] = "kafka"
    if "clickhouse" in allowed and "clickhouse_url" in request.fixturenames:
        _guarded_ports[urlsplit(request.getfixturevalue("clickhouse_url").url).port or 8123] = "clickhouse"


def _guard(monkeypatch: pytest.MonkeyPatch, allowed: set[str]) -> None:
    real = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex")}

    def refuse(address: Any) -> None:
        marker = _guarded_ports.get(address[1]) if isinstance(address, tuple) and len(address) > 1 else None
        if marker is not None and marker not in allowed:
            pytest.fail(f"connects to {marker} at {address}: mark the test with @pytest.mark.{marker}", pytrace=False)

    def connect(self: socket.socket, address: Any) -> None:
        refuse(address)
        real["connect"](self, address)

    def connect_ex(self: socket.socket, address: Any) -> int:
        refuse(address)
        return int(real["connect_ex"](self, address))

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket.socket, "connect_ex", connect_ex)
