"""The command line: exit codes, what goes to stdout, what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from schemas.errors import ConfigurationError, PermanentError, StoreUnavailable
from services.cli.console import emit, exit_codes
from services.cli.main import app
from services.cli.service import main as service_main
from services.common import dead_letters as letters
from services.common.first_config import write_fresh
from streams.connectors.registry import feeders
from streams.journey.blueprints import DEFAULT

pytestmark = pytest.mark.usefixtures("shipped_blueprint_tried_once")

ROOT = Path(__file__).parents[2]
runner = CliRunner()


def invoke(*arguments: str) -> tuple[int, str, str]:
    result = runner.invoke(app, list(arguments), env={"TOUCHLINE_DATA": "", "TOUCHLINE_CONFIG": ""})
    return result.exit_code, result.stdout, result.stderr


def test_help_lists_every_command_and_the_exit_codes() -> None:
    code, text, _ = invoke("--help")
    assert code == 0
    assert {
        "up",
        "run",
        "setup",
        "validate",
        "migrate",
        "doctor",
        "explain",
        "verify",
        "replay",
        "import",
        "dlq",
    } <= set(text.split())
    assert "No telemetry" in text


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["up", "--gateway-port", "70000"],
        ["replay"],
        ["replay", "--since", "yesterday"],
        ["replay", "--from-beginning", "--since", "2026-01-31T09:00"],
        ["run", "sinc"],
        ["explain"],
        ["explain", ""],
        ["dlq", "show"],
        ["dlq", "ls", "--stage", "sinc"],
    ],
)
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    code, out, err = invoke(*arguments)
    assert (code, out) == (2, "")
    assert "sinc" not in arguments or "did you mean `sink`?" in err


@pytest.mark.parametrize("former", ["normalise", "resolve"])
def test_a_process_of_before_is_named_with_the_one_that_does_its_work(former: str) -> None:
    code, _, said = invoke("run", former)
    assert code == 2 and f"`{former}` is a part of `attribute` now" in " ".join(said.replace("│", " ").split())
    code, _, said = invoke("dlq", "ls", "--stage", former, "--kafka", "127.0.0.1:1")
    assert "no stage" not in said, "letters keep the name of the stage that wrote them"
    code, _, said = invoke("dlq", "ls", "--stage", f"{former}r")
    assert code == 2 and "no stage" in said


def test_a_valid_configuration_is_0_and_a_broken_one_78(tmp_path: Path) -> None:
    path = tmp_path / "touchline.yaml"
    write_fresh(path, tmp_path)
    assert invoke("validate", str(path))[0] == 0
    path.write_text(path.read_text() + "gatway: {}\n")
    code, out, err = invoke("validate", str(path))
    assert (code, out) == (78, "")
    assert "did you mean `gateway`?" in err


def test_validate_finds_a_missing_secret_and_a_broken_blueprint(tmp_path: Path) -> None:
    path = tmp_path / "touchline.yaml"
    write_fresh(path, tmp_path)
    (tmp_path / "secrets" / "crm").unlink()
    (tmp_path / "b.yaml").write_text("phases: 1\n")
    path.write_text(path.read_text() + "journey: {blueprint: b.yaml}\n")
    code, _, err = invoke("validate", str(path))
    assert code == 78
    assert "sources.crm.secrets: secret file" in err
    assert "b.yaml:1:1: types: is missing" in err and "b.yaml:1:1: phases: input should be" in err
    assert "6 problem(s)." in err


def test_validate_says_which_rules_nothing_feeds(tmp_path: Path) -> None:
    path = tmp_path / "touchline.yaml"
    write_fresh(path, tmp_path)
    assert "note: rule" not in invoke("validate", str(path))[2]
    only = [s for s in yaml.safe_load(path.read_text())["sources"] if s["vendor"] == "segment"]
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"sources": only}))
    code, _, err = invoke("validate", str(path))
    assert code == 0
    helpdesks = ", ".join(feeders("ticket_status"))
    assert f"note: rule `ticket_reopened` finds nothing: no configured source feeds it ({helpdesks})" in err


def test_validate_says_once_that_there_is_no_source(tmp_path: Path) -> None:
    (tmp_path / "touchline.yaml").touch()
    code, _, err = invoke("validate", "--data", str(tmp_path))
    assert (code, err.count("note: ")) == (0, 1)
    assert "note: no source is configured" in err


def test_validate_runs_the_golden_tests(tmp_path: Path) -> None:
    """A moved boundary is found by the tests that stand beside the rule."""
    path = tmp_path / "touchline.yaml"
    write_fresh(path, tmp_path)
    shutil.copytree(DEFAULT.parent, tmp_path / "blueprints")
    rules = tmp_path / "blueprints" / "friction-support.yaml"
    rules.write_text(rules.read_text(encoding="utf-8").replace("within_s: 14400", "within_s: 14401"), encoding="utf-8")
    path.write_text(path.read_text() + "journey: {blueprint: blueprints/default.yaml}\n")
    code, _, err = invoke("validate", str(path))
    assert code == 78
    assert "golden test: first_response_breach" in err


def test_up_on_a_folder_that_cannot_be_is_78(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, out, err = invoke("up", "--data", str(tmp_path / "file" / "data"), "--json")
    assert (code, out) == (78, "")
    assert "cannot be used" in err


def test_a_store_that_is_away_is_2_and_told_in_one_message(tmp_path: Path) -> None:
    code, out, err = invoke("explain", "x", "--data", str(tmp_path), "--clickhouse", "http://127.0.0.1:1")
    assert (code, out) == (2, "")
    assert err.startswith("ClickHouse at http://127.0.0.1:1 does not answer\n") and len(err.splitlines()) == 2
    command = [sys.executable, "-m", "services.cli.main"]
    asked = [*command, "verify", "--data", str(tmp_path), "--clickhouse", "http://127.0.0.1:1"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 2), "nor does the driver say anything"
    command += [
        "dlq",
        "ls",
        "--kafka",
        "127.0.0.1:1",
        "--data",
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Kafka at 127.0.0.1:1 does not answer\n") and len(done.stderr.splitlines()) == 2


def test_replay_of_a_letter_that_is_not_there_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def find(*_: object) -> list[object]:
        return []

    async def replay(*_: object) -> letters.Replayed:
        return letters.Replayed()

    monkeypatch.setattr(letters, "find", find)
    monkeypatch.setattr(letters, "replay", replay)
    code, out, err = invoke("dlq", "replay", "nope", "--data", str(tmp_path))
    assert (code, json.loads(out)["letters"]) == (1, 0)
    assert "no dead letter nope" in err
    assert invoke("dlq", "replay", "--data", str(tmp_path))[0] == 0


def test_doctor_says_what_is_wrong_and_how_to_mend_it(tmp_path: Path) -> None:
    where = ["--data", str(tmp_path), "--kafka", "127.0.0.1:1", "--clickhouse", "http://127.0.0.1:1"]
    code, out, _ = invoke("doctor", *where, "--json")
    assert code == 1
    checks = {check["name"]: check for check in map(json.loads, out.splitlines())}
    assert checks["Kafka"]["state"] == checks["ClickHouse"]["state"] == "problem"
    assert checks["configuration"]["state"] == "warning", "there is none"
    assert checks["ClickHouse"]["detail"] == "ClickHouse at http://127.0.0.1:1 does not answer"
    assert all(check["fix"] for check in checks.values() if check["state"] != "ok")
    text = invoke("doctor", *where)[2]
    assert "x Kafka: " in text
    assert "\n    start `touchline up`, or give --kafka HOST:PORT" in text


def test_errors_raised_on_purpose_have_their_codes(capsys: pytest.CaptureFixture[str]) -> None:
    import typer

    raised = [
        (ConfigurationError("c"), 78),
        (StoreUnavailable("s"), 2),
        (PermanentError("p"), 2),
        (KeyboardInterrupt(), 130),
    ]
    for error, code in raised:
        with pytest.raises(typer.Exit) as exits, exit_codes():
            raise error
        assert exits.value.exit_code == code
    lines = capsys.readouterr().err.splitlines()
    assert (lines[:2], lines[3:]) == (["c", "s"], ["p"]) and "touchline doctor" in lines[2]
    with pytest.raises(RuntimeError), exit_codes():
        raise RuntimeError("a bug keeps its traceback")


def test_no_time_is_told_without_its_zone(capsys: pytest.CaptureFixture[str]) -> None:
    emit({"stored": datetime(2026, 1, 2, 3), "ours": datetime(2026, 1, 2, 3, tzinfo=UTC)})
    assert json.loads(capsys.readouterr().out) == dict.fromkeys(("stored", "ours"), "2026-01-02T03:00:00Z")


def test_a_service_that_refuses_its_configuration_ends_with_78(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "touchline.yaml"
    path.write_text("kafka: {partitions: 0}\n")
    assert service_main(["sink", "--config", str(path)]) == 78
    assert f"{path}:1:9: kafka.partitions" in capsys.readouterr().err


def test_help_does_not_load_what_only_services_need() -> None:
    heavy = {"faust", "chdb", "aiokafka", "clickhouse_connect", "fastapi"}
    code = f"import services.cli.main, sys; print({heavy} & sys.modules.keys() or 'none')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "none\n"
