"""CSV of the blocks: every row, with the filters, and nothing a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import logging

import pytest

from services.dashboard import exports
from services.dashboard.exports import BLOCKS, line
from services.dashboard.incidents import Found
from tests.dashboard_fakes import BLUEPRINT, NOW, FakeStore, browser_of
from tests.dashboard_seed import world
from tests.unit.test_dashboard_app import app_on

STORE = FakeStore(world(BLUEPRINT, NOW, touchpoints=400, days=6))


async def table(path: str) -> list[dict[str, str]]:
    answer = await browser_of(app_on(STORE)).get(path)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    return list(csv.DictReader(io.StringIO(answer.text)))


async def test_every_account_is_in_it_once_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PAGE_ROWS", 3)
    rows = await table("/csv/accounts?window=all")
    known = {row["account_id"] for row in STORE.world.accounts if not row["account_id"].startswith("anon:")}
    assert [row["account_id"] for row in rows].count(rows[0]["account_id"]) == 1
    assert {row["account_id"] for row in rows} == known and len(rows) == len(known)
    pains = [float(row["pain"]) for row in rows]
    assert pains == sorted(pains, reverse=True) and pains[0] > 0


async def test_cells_follow_the_filters_and_what_nobody_said_is_empty() -> None:
    rows = await table("/csv/cells?window=7d&owner=Sales")
    assert {row["touchpoint_type"] for row in rows} == {"contract"}
    for row in STORE.world.touchpoints:
        assert "emotion" in row
    quiet = FakeStore(world(BLUEPRINT, NOW, touchpoints=40, days=1))
    for each in quiet.world.touchpoints:
        each["has_emotion"] = 0
    answer = await browser_of(app_on(quiet)).get("/csv/cells?window=7d")
    assert {row["emotion"] for row in csv.DictReader(io.StringIO(answer.text))} == {""}


@pytest.mark.parametrize("block", BLOCKS)
async def test_every_block_has_a_cell_for_every_column(block: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        account = f"&account={STORE.world.touchpoints[0]['account_id']}" if block == "timeline" else ""
        rows = await table(f"/csv/{block}?window=7d&subject=all/contract{account}")
    assert rows and all(None not in row and None not in row.values() for row in rows)
    assert [record for record in caplog.records if getattr(record, "block", "") == block], "an audit line"


async def test_a_table_that_is_not_there_and_a_store_that_is_away_are_said_with_their_status() -> None:
    assert (await browser_of(app_on(STORE)).get("/csv/none")).status_code == 404
    away = FakeStore()
    away.away = True
    assert (await browser_of(app_on(away)).get("/csv/cells")).status_code == 503


def test_no_text_is_a_formula() -> None:
    assert line(["=1+1", "@x", "-2", -2, 'a"b', None]) == '\'=1+1,\'@x,\'-2,-2,"a""b",\r\n'


async def test_a_timeline_is_whole_and_needs_its_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PAGE_ROWS", 3)
    account = STORE.world.touchpoints[0]["account_id"]
    mine = {row["event_id"] for row in STORE.world.touchpoints if row["account_id"] == account}
    rows = await table(f"/csv/timeline?account={account}")
    assert len(rows) == len(mine) > 3 and {row["event_id"] for row in rows} == mine
    client = browser_of(app_on(STORE))
    assert (await client.get("/csv/timeline")).status_code == 400
    assert (await client.get("/csv/timeline?account=crm:none")).status_code == 404


async def test_incidents_that_do_not_fit_one_table_are_refused_and_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = await table("/csv/incidents?window=7d")
    page = (await browser_of(app_on(STORE)).get("/api/v1/incidents?window=7d&limit=200")).json()
    assert {row["incident_id"] for row in rows} == {each["id"] for each in page["incidents"]}

    async def cut(*_: object) -> Found:
        return Found((), is_cut=True)

    monkeypatch.setattr(exports, "incidents", cut)
    answer = await browser_of(app_on(STORE)).get("/csv/incidents?window=7d")
    assert answer.status_code == 400 and "shorter window" in answer.text
