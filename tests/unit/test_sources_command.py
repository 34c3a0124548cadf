"""`touchline sources`: one line a source, and requests that a replay leaves out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from schemas.config import Config, SecretRef, SourceConfig
from schemas.parking import Backlog, ReadProgress, Standing
from schemas.touchpoints import RAW, RawRequest
from services.cli.commands.sources import rows_of
from services.cli.main import app
from services.common import parked
from services.common.parked import without
from streams.runtime.standings import Standings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONFIG = Config(
    sources=tuple(
        SourceConfig(name=name, vendor="segment", secrets=(SecretRef(env="SECRET"),)) for name in ("web", "desk")
    )
)


def test_each_source_has_a_line_and_one_that_is_set_aside_says_why() -> None:
    standings = Standings()
    standings.learn(
        [
            Standing(source="desk", state="parked", since=NOW, cause="most of it was refused"),
            ReadProgress(partition=0, looked=9, backlogs=(Backlog(source="desk", position=1, end=9, requests=7),)),
        ]
    )
    web, desk, gone = rows_of(CONFIG, standings, {"web": 2, "gone": 1, "": 5}, {"web": 40}, None)
    assert (web["source"], web["state"], web["dead_letters"], web["stored_touchpoints"]) == ("web", "flowing", 2, 40)
    assert (desk["state"], desk["cause"], desk["parked_requests"]) == ("parked", "most of it was refused", 7)
    assert (gone["source"], gone["vendor"], gone["dead_letters"]) == ("gone", "", 1)
    assert web["ignored_messages"] is None, "not known is not zero"


def test_a_name_that_is_no_source_is_refused_with_what_was_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(kafka: object) -> Standings:
        return Standings()

    monkeypatch.setattr(parked, "standings_of", nobody)
    config = tmp_path / "touchline.yaml"
    config.write_text("sources:\n  - {name: web, vendor: segment, secrets: [{env: SECRET}]}\n")
    found = CliRunner().invoke(app, ["sources", "resume", "wab", "--config", str(config)])
    assert found.exit_code == 2 and "did you mean `web`?" in found.output


def test_a_replayed_record_keeps_its_other_requests_byte_by_byte() -> None:
    requests = [
        RawRequest(request_id=f"r{n}", source="web", vendor="segment", received_at=NOW, body="{}") for n in range(3)
    ]
    value = RAW.dump_json(requests).replace(b'"source":', b'"source" : ')
    kept, left = without(value, {"r1", "other"})
    assert left == 1
    assert [each.request_id for each in RAW.validate_json(kept)] == ["r0", "r2"] and b'"source" : ' in kept
    assert without(value, set()) == (value, 0)
    assert without(b"no array", {"r1"}) == (b"no array", 0)
    assert without(value, {"r0", "r1", "r2"}) == (b"[]", 3)
