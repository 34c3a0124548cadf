"""`touchline incidents` and `touchline alerts test`: what they show, what they refuse, what they send."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from schemas.incidents import Delivery, Desk, Thread
from services.cli.commands.doctor.alerts import delivered_of
from services.cli.commands.incidents import found, row_of
from services.cli.console import UsageError
from services.cli.main import app
from streams.incidents.actions import ActionLog
from tests.incident_kit import NOW, action
from tests.receivers import receiver
from tests.unit.test_alert_channels import SECRET, message


def thread(thread_id: str, *events: str) -> Thread:
    return Thread(thread_id=thread_id, events=events, opened_at=NOW, state="told", level="high", last=message())


def test_a_row_says_what_hurts_and_who_has_it() -> None:
    log = ActionLog([action("a", "assign", "e1", to="Bo"), action("b", "note", "e1", text="called them")])
    row = row_of(Desk(account_id="crm:1"), thread("i-1", "e1"), log)
    assert (row["what"], row["taken_by"], row["account"]) == (message().headline, "Bo", "crm:1")
    assert row["notes"] == [{"at": NOW, "by": "Ann", "text": "called them"}]


def test_an_incident_is_named_by_the_beginning_of_its_id() -> None:
    desks = {"crm:1": Desk(account_id="crm:1", threads=(thread("abc", "e1"), thread("abd", "e2")))}
    assert found(desks, "abc").thread_id == "abc"
    for which in ("ab", "x", ""):
        with pytest.raises(UsageError, match="incidents ls"):
            found(desks, which)


def configured(folder: Path, url: str) -> Path:
    (folder / "secret").write_text(SECRET)
    (folder / "secret").chmod(0o600)
    file = folder / "touchline.yaml"
    file.write_text(
        "alerts:\n  allow_private: [127.0.0.1]\n  webhooks:\n"
        f"    - {{name: hook, url: '{url}', secrets: [{{file: secret}}]}}\n"
    )
    return file


async def test_a_channel_is_tried_and_its_answer_shown(tmp_path: Path) -> None:
    async with receiver((200, {}, b"welcome")) as heard:
        file = configured(tmp_path, heard.url)
        done = await asyncio.to_thread(CliRunner().invoke, app, ["alerts", "test", "hook", "--config", str(file)])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["answer"] == "200 welcome"
    assert json.loads(heard.got[0].body)["type"] == "incident.test"


async def test_a_channel_that_does_not_take_it_is_a_finding(tmp_path: Path) -> None:
    async with receiver((403, {}, b"no")) as heard:
        file = configured(tmp_path, heard.url)
        done = await asyncio.to_thread(CliRunner().invoke, app, ["alerts", "test", "hook", "--config", str(file)])
    assert done.exit_code == 1
    assert json.loads(done.stdout)["outcome"] == "retry"


def test_an_unknown_channel_is_named_with_a_way_out(tmp_path: Path) -> None:
    file = configured(tmp_path, "https://hook.example")
    done = CliRunner().invoke(app, ["alerts", "test", "hok", "--config", str(file)])
    assert done.exit_code == 2
    assert "did you mean `hook`" in done.stderr


def test_a_configuration_that_cannot_be_right_names_file_line_and_a_way_out(tmp_path: Path) -> None:
    file = configured(tmp_path, "https://hook.example")
    file.write_text(file.read_text() + "  routes:\n    - {channels: [hok]}\n")
    done = CliRunner().invoke(app, ["alerts", "test", "hook", "--config", str(file)])
    assert done.exit_code == 78
    assert "touchline.yaml:" in done.stderr
    assert "did you mean `hook`" in done.stderr


def line(channel: str, outcome: str, hours: float = 1.0) -> Delivery:
    told = message()
    fields = {"notice_id": "n", "incident_id": "i", "account_id": "a", "policy": "p", "kind": "opened"}
    return Delivery.model_validate(
        fields
        | {
            "level": told.level,
            "channel": channel,
            "at": NOW - timedelta(hours=hours),
            "outcome": outcome,
            "answer": "x",
        }
    )


def test_doctor_says_what_nobody_was_told() -> None:
    lines = [line("hook", "gave_up"), line("hook", "sent"), line("", "nobody"), line("old", "gave_up", hours=25)]
    found = [str(check) for check in delivered_of(lines, NOW)]
    assert [one.splitlines()[0] for one in found] == [
        "~ deliveries: no route wanted 1 message(s) since yesterday, the last: x",
        "~ deliveries: channel `hook` gave up 1 message(s) since yesterday, the last: x",
    ]
    assert [check.state for check in delivered_of([line("hook", "sent")], NOW)] == ["ok"]
