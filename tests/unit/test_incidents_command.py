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
from services.cli.commands.incidents import found, rows_of
from services.cli.console import UsageError
from services.cli.main import app
from streams.incidents.actions import ActionLog
from tests.incident_kit import LENS, NOW, action, part
from tests.receivers import receiver
from tests.unit.test_alert_channels import SECRET, message


def thread(thread_id: str, *events: str) -> Thread:
    return Thread(thread_id=thread_id, events=events, opened_at=NOW, state="told", level="high", last=message())


def desk(*threads: Thread, name: str = "") -> Desk:
    parts = (part("s1", "e1", minutes=30), part("s2", "e2", minutes=20, touchpoint_type="support_ticket"))
    return Desk(account_id="crm:1", name=name, parts={one.part_id: one for one in parts}, threads=threads)


def test_a_row_says_what_hurts_and_who_has_it() -> None:
    log = ActionLog([action("a", "assign", "e1", to="Bo"), action("b", "note", "e1", text="called them")])
    rows = rows_of([desk(thread("i-1", "e1"), name="Acme")], LENS, log, NOW, everything=False)
    told, untold = sorted(rows, key=lambda row: str(row["told"]), reverse=True)
    assert (told["incident"], told["state"], told["taken_by"], told["account"]) == ("i-1", "taken", "Bo", "Acme")
    assert (told["what"], told["told"]) == ("an error was shown", "told")
    assert told["notes"] == [{"at": NOW, "by": "Ann", "text": "called them"}]
    assert (untold["told"], untold["state"]) == ("nobody", "open"), "that nobody was told hides nothing"


def test_what_is_done_or_over_is_listed_only_when_asked() -> None:
    log = ActionLog([action("a", "done", "e1")])
    assert [row["state"] for row in rows_of([desk()], LENS, log, NOW, everything=False)] == ["open"]
    assert [row["state"] for row in rows_of([desk()], LENS, log, NOW, everything=True)] == ["open", "done"]
    assert rows_of([desk()], LENS, log, NOW + timedelta(days=2), everything=False) == []


def test_an_incident_is_named_by_the_beginning_of_its_id() -> None:
    desks = [desk(thread("abc", "e1"), thread("abd", "e2"))]
    assert found(desks, LENS, "abc") == ("abc", ("e1",))
    for which in ("ab", "x", ""):
        with pytest.raises(UsageError, match="incidents ls"):
            found(desks, LENS, which)


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
