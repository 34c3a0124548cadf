"""/api/v1: every page as JSON, the questions under their version, ETags, problems."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import pytest

from services.dashboard.exports import BLOCKS
from services.dashboard.pages import PAGES
from tests.dashboard_fakes import BLUEPRINT, NOW, FakeStore, browser_of
from tests.dashboard_seed import world
from tests.unit.test_dashboard_app import app_on

STORE = FakeStore(world(BLUEPRINT, NOW, touchpoints=300, days=5))
APP = app_on(STORE)
_PERSON = next(row["person_id"] for row in STORE.world.touchpoints if row["person_id"])
_ACCOUNT = STORE.world.accounts[0]["account_id"]
_ABOUT = {"account": _ACCOUNT, "person": _PERSON, "touchpoint": "all/contract", "blueprint": "purchase"}


@pytest.mark.parametrize("page", [page.id for page in PAGES])
async def test_what_a_page_shows_is_there_as_json(page: str) -> None:
    about = f"/{quote(_ABOUT[page], safe='/')}" if page in _ABOUT else ""
    answer = await browser_of(APP).get(f"/api/v1/pages/{page}{about}?window=7d")
    assert answer.status_code == 200, answer.text[:300]
    told = answer.json()
    assert told["page"] == page and told["shows"]


async def test_a_page_that_is_not_there_is_a_problem_that_names_those_that_are() -> None:
    for path in ("nothing", "account", "today/x"):
        answer = await browser_of(APP).get(f"/api/v1/pages/{path}")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert "there are" in answer.json()["detail"]


async def test_a_question_is_answered_under_its_version_and_not_sent_twice() -> None:
    client = browser_of(APP)
    for path in ("/accounts?limit=5", "/signals?limit=5", "/proposals", "/map?window=7d", "/incidents?window=7d"):
        first = await client.get(f"/api/v1{path}")
        assert first.status_code == 200 and first.headers["etag"], path
        again = await client.get(f"/api/v1{path}", headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b""), path
        other = await client.get(f"/api/v1{path}", headers={"if-none-match": '"other"'})
        assert other.status_code == 200, path


async def test_pages_of_a_list_are_walked_by_their_cursor() -> None:
    client, cursor, seen = browser_of(APP), "", list[str]()
    while True:
        page = (await client.get(f"/api/v1/accounts?limit=3&cursor={cursor}")).json()
        seen += [each["account_id"] for each in page["accounts"]]
        if not (cursor := page["next_cursor"] or ""):
            break
    assert len(seen) == len(set(seen)) == len(STORE.world.accounts)


async def test_the_examples_of_the_document_answer() -> None:
    text = Path("docs/reference/api.md").read_text(encoding="utf-8")
    examples = re.findall(r"^GET (\S+)$", text, re.M)
    assert len(examples) >= 5
    for address in examples:
        answer = await browser_of(APP).get(address)
        assert answer.status_code == 200, (address, answer.text[:200])
    paths = (await browser_of(APP).get("/openapi.json")).json()["paths"]
    named = {
        path for line in re.findall(r"^\| (.*?) \|", text, re.M) for path in re.findall(r"`(/api/v1/[\w/]+)`", line)
    }
    for path in named:
        shape = re.sub(r"[A-Z]{2,}", "{}", path).replace("pages/{}/{}", "pages/{}/{}")
        assert shape in {re.sub(r"\{[^}]*\}", "{}", each) for each in paths}, path
    blocks = re.search(r"streamed: (.*?) \|", text)
    assert blocks and set(re.findall(r"`(\w+)`", blocks[1])) == set(BLOCKS)
