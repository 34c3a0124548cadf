"""Alertmanager's configuration from the channels of touchline.yaml, as Alertmanager itself reads it and sends by it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from typer.testing import CliRunner

from schemas.alerting import AlertsConfig
from schemas.errors import ConfigurationError
from services.alerting.prometheus.receivers import left_out, rendered
from services.cli.main import app
from tests.receivers import alertmanager_of, mail_receiver, until

amtool = pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool is not installed")
alertmanager = pytest.mark.skipif(
    shutil.which("prometheus-alertmanager") is None, reason="Alertmanager is not installed"
)
SECRET = {"file": "/run/secrets/one"}
MAIL = {"name": "post", "host": "smtp.example.com", "sender": "touchline@example.com", "to": ["ops@example.com"]}
SLACK = {"name": "support", "url": SECRET}
ALL: dict[str, Any] = {
    "slack": [SLACK],
    "slack_bots": [{"name": "bot", "token": SECRET, "room": "C0123456789"}],
    "email": [{**MAIL, "user": "touchline", "password": SECRET}],
    "pagerduty": [{"name": "pager", "routing_key": SECRET}],
    "opsgenie": [{"name": "genie", "key": SECRET, "url": "https://api.eu.opsgenie.com"}],
    "webhooks": [{"name": "hook", "url": "https://hooks.example.com", "secrets": [SECRET]}],
    "alertmanager": [{"name": "am", "urls": ["https://am.example.com"]}],
}
ROUTES = [
    {"channels": ["pager"], "at_least": "severe"},
    {"departments": ["Customer support"], "channels": ["support", "hook"]},
    {"departments": ["Customer support", 'Sales "EU"'], "channels": ["bot", "support"]},
    {"departments": ["Product"], "channels": ["hook"]},
]


def config(**sections: object) -> AlertsConfig:
    return AlertsConfig.model_validate(sections)


def written(folder: Path, made: AlertsConfig) -> Path:
    path = folder / "alertmanager.yml"
    path.write_text(rendered(made))
    return path


def receiver_of(path: Path, **labels: str) -> str:
    command = ["amtool", "config", "routes", "test", f"--config.file={path}"]
    command += [f"{name}={json.dumps(value)}" for name, value in labels.items()]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@amtool
def test_alertmanager_takes_it_and_sends_each_alert_to_its_owner(tmp_path: Path) -> None:
    path = written(tmp_path, config(**ALL, routes=ROUTES))
    checked = subprocess.run(["amtool", "check-config", str(path)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    incident = {"alertname": "TouchlineIncident", "severity": "high"}
    assert receiver_of(path, **incident, department="Customer support") == "department: Customer support"
    assert receiver_of(path, **incident, department='Sales "EU"') == 'department: Sales "EU"'
    assert receiver_of(path, **incident, department="Product") == "default", "its only channel cannot be used"
    assert receiver_of(path, **incident) == "default"
    assert receiver_of(path, alertname="TouchlineServiceDown", severity="page", stage="sink") == "default"
    found = {one["name"]: one for one in yaml.safe_load(path.read_text())["receivers"]}
    assert found["default"].keys() == {"name", "pagerduty_configs"}, "the channel that a route without conditions names"
    assert [one.get("channel", "") for one in found["department: Customer support"]["slack_configs"]] == [
        "",
        "C0123456789",
    ]
    assert left_out(config(**ALL)) == ["hook", "am"]


@amtool
def test_without_routes_everything_goes_to_every_channel(tmp_path: Path) -> None:
    path = written(tmp_path, config(**ALL))
    (default,) = yaml.safe_load(path.read_text())["receivers"]
    kinds = {"slack_configs", "email_configs", "pagerduty_configs", "opsgenie_configs"}
    assert default.keys() == {"name", *kinds}
    assert all(entry["send_resolved"] for kind in kinds for entry in default[kind])


def test_teams_is_a_receiver_by_the_words_of_newer_versions() -> None:
    (default,) = yaml.safe_load(rendered(config(teams=[{"name": "room", "url": SECRET}])))["receivers"]
    assert default["msteamsv2_configs"] == [{"webhook_url_file": "/run/secrets/one", "send_resolved": True}]


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({}, "no channel that Alertmanager can use"),
        ({"webhooks": ALL["webhooks"]}, "no channel that Alertmanager can use"),
        ({"slack": [{"name": "support", "url": {"env": "SLACK_URL"}}]}, "`support`.*SLACK_URL.*give `file:`"),
        ({"email": [{**MAIL, "port": 2465, "security": "tls"}]}, "`post`.*port 465 alone, not 2465"),
    ],
)
def test_what_cannot_be_written_is_refused_with_what_to_do(sections: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        rendered(config(**sections))


def test_the_command_prints_it_and_says_what_it_left_out(tmp_path: Path) -> None:
    path = tmp_path / "touchline.yaml"
    path.write_text(yaml.safe_dump({"alerts": {"email": [MAIL], "webhooks": ALL["webhooks"]}}))
    done = CliRunner().invoke(app, ["alerts", "alertmanager", "--config", str(path)])
    assert done.exit_code == 0, done.output
    assert yaml.safe_load(done.stdout)["route"]["receiver"] == "default"
    assert "left out" in done.stderr and "hook" in done.stderr
    path.write_text("alerts: {}\n")
    refused = CliRunner().invoke(app, ["alerts", "alertmanager", "--config", str(path)])
    assert refused.exit_code == 78 and "no channel" in refused.stderr


@alertmanager
async def test_what_prometheus_finds_reaches_people_by_a_real_alertmanager(tmp_path: Path) -> None:
    mails: list[bytes] = []
    async with mail_receiver(mails.append) as port:
        mail = {**MAIL, "host": "127.0.0.1", "port": port, "security": "none"}
        path = written(tmp_path, config(email=[mail]))
        path.write_text(path.read_text().replace("group_wait: 10s", "group_wait: 0s"))
        async with alertmanager_of(path) as url:
            alert = {"labels": {"alertname": "TouchlineServiceDown", "severity": "page", "service": "sink"}}
            async with httpx.AsyncClient() as client:
                (await client.post(f"{url}/api/v2/alerts", json=[alert])).raise_for_status()
            await until(lambda: len(mails) == 1, 20)
