"""What operators do on the page of sources: a test event followed, letters sent again, a secret shown once."""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from schemas.errors import ConfigurationError
from schemas.touchpoints import DeadLetter, RawRequest
from services.common.access import Access, add_token
from services.common.dead_letters import Replayed
from services.dashboard.answers import GatewayAway
from services.dashboard.errands import SourceTools, TestEvents, Trial
from services.dashboard.pages.sources.vendors import VENDORS
from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Mapped
from tests.dashboard_fakes import BLUEPRINT, NOW, FakeStore, browser_of, words_of
from tests.dashboard_seed import world
from tests.unit.test_dashboard_app import app_on
from tests.unit.test_event_search import letter

FORM = {"content-type": "application/x-www-form-urlencoded"}


def store_of() -> FakeStore:
    return FakeStore(world(BLUEPRINT, NOW, touchpoints=60, days=2))


async def test_a_test_event_is_a_test_and_its_id_is_known_before_it_comes_through() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    transport = httpx.MockTransport(answer)
    sent = await TestEvents(httpx.AsyncClient(transport=transport), "http://gateway", "web", b"key")(NOW)
    raw = RawRequest(
        request_id="r", source="web", vendor="segment", received_at=NOW, path="/v1/page", body=asked[0].content.decode()
    )
    (result,) = CONNECTORS["segment"].read(raw)
    assert isinstance(result, Mapped) and result.touchpoint.event_id == sent.event_id
    assert "test" in result.touchpoint.flags
    assert asked[0].headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize("status", [401, 503])
async def test_a_gateway_that_does_not_take_it_is_said(status: int) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status))
    with pytest.raises(ConfigurationError if status == 401 else GatewayAway):
        await TestEvents(httpx.AsyncClient(transport=transport), "http://gateway", "web", b"key")(NOW)


async def test_the_page_follows_the_test_event_to_its_cell() -> None:
    store, known = store_of(), ""

    async def trial(now: datetime) -> Trial:
        return Trial(known or "not-yet", "web", now)

    app = app_on(store, source_tools=SourceTools(send_trial=trial))
    client = browser_of(app)
    waiting = await client.post("/sources/test?part=1", headers=FORM)
    assert waiting.status_code == 200 and "On its way to the map" in waiting.text
    known = store.world.touchpoints[0]["event_id"]
    assert (await client.post("/sources/test", headers=FORM)).status_code == 303
    page = (await client.get("/sources")).text
    assert "Taken in as web" in words_of(page) and "On its way" not in page
    assert re.search(r'href="/cells/\w+/\w+\?window=24h&amp;traffic=all"', page)


async def test_where_nothing_can_be_sent_that_is_said_in_its_place() -> None:
    client = browser_of(app_on(store_of()))
    answer = await client.post("/sources/test?part=1", headers=FORM)
    assert answer.status_code == 503 and "vendor: segment" in answer.text
    whole = await client.post("/sources/test", headers=FORM)
    assert whole.status_code == 503 and "<h1" in whole.text and "vendor: segment" in html.unescape(whole.text)


async def test_letters_go_again_and_what_comes_back_is_said(caplog: pytest.LogCaptureFixture) -> None:
    went: list[Sequence[DeadLetter]] = []

    async def resend(letters: Sequence[DeadLetter]) -> Replayed:
        went.append(letters)
        return Replayed(2, ["l3: its record is gone"])

    app = app_on(store_of(), source_tools=SourceTools(resend=resend))
    client, learn = browser_of(app), app.state.desk.reader.letters.learn
    for each in (letter(1), letter(2), letter(3), letter(4, reason="other")):
        learn("", b"[" + each.encoded() + b"]")
    which = {"source": "web", "stage": "attribute", "reason": "bad_email"}
    with caplog.at_level(logging.INFO, "touchline.audit"):
        text = (await client.post("/sources/letters?part=1", data=which)).text
    assert [each.letter_id for each in went[0]] == ["l3", "l2", "l1"], "the oldest first, and no others"
    assert "2 records sent again by" in words_of(text) and "none came back" in words_of(text)
    assert "its record is gone" in text
    assert [record for record in caplog.records if getattr(record, "reason", "") == "bad_email"], "an audit line"
    learn("", b"[" + letter(1, letter_id="back", failed_at=NOW + timedelta(seconds=1)).encoded() + b"]")
    app.state.desk.snapshots.expire()
    assert "refused again: the cause is still there" in words_of((await client.get("/sources")).text)
    none = await client.post("/sources/letters", data=which | {"reason": "nothing"})
    assert none.status_code == 400


async def test_a_key_is_made_stored_and_shown_once(tmp_path: Path) -> None:
    tools = SourceTools(secrets_dir=tmp_path / "secrets", names=("web",))
    client = browser_of(app_on(store_of(), source_tools=tools, gateway_url="http://gateway"))
    page = (await client.post("/sources/add", data={"vendor": "posthog", "name": "shop"})).text
    stored = (tmp_path / "secrets" / "shop").read_text().strip()
    assert stored.startswith("phc_") and stored in page
    assert (tmp_path / "secrets" / "shop").stat().st_mode & 0o077 == 0
    assert "vendor: posthog\n    secrets: [{file: secrets/shop}]" in html.unescape(page)
    assert stored not in (await client.get("/sources")).text
    again = await client.post("/sources/add", data={"vendor": "posthog", "name": "shop"})
    assert again.status_code == 400 and (tmp_path / "secrets" / "shop").read_text().strip() == stored
    for wrong in ({"name": "web"}, {"name": "../x"}, {"name": "Shop"}, {"name": "x", "vendor": "none"}):
        assert (await client.post("/sources/add", data={"vendor": "segment"} | wrong)).status_code == 400


async def test_a_vendors_own_secret_is_stored_and_never_shown(tmp_path: Path) -> None:
    client = browser_of(app_on(store_of(), source_tools=SourceTools(secrets_dir=tmp_path)))
    form = {"vendor": "zendesk", "name": "help"}
    assert (await client.post("/sources/add", data=form)).status_code == 400
    page = await client.post("/sources/add", data=form | {"secret": "s3cret-of-theirs"})
    assert page.status_code == 200 and "s3cret-of-theirs" not in page.text
    assert (tmp_path / "help").read_text() == "s3cret-of-theirs\n"


async def test_without_a_folder_to_write_the_key_is_shown_and_the_file_left_to_people() -> None:
    client = browser_of(app_on(store_of()))
    page = (await client.post("/sources/add", data={"vendor": "segment", "name": "shop"})).text
    assert "could not be stored here" in page and 'class="secret"' in page


async def test_viewers_see_no_form_and_may_not_send(tmp_path: Path) -> None:
    token = add_token(tmp_path / "access.json", "Lee", "viewer", NOW)
    access = Access(tmp_path / "access.json")
    app = app_on(store_of(), host="0.0.0.0", access=access, session_key=b"k" * 32)
    client = browser_of(app, authorization=f"Bearer {token}")
    page = (await client.get("/sources")).text
    assert 'action="/sources/' not in page
    for path in ("test", "letters", "add"):
        assert (await client.post(f"/sources/{path}", data={"name": "x"})).status_code == 403


def test_every_vendor_that_makes_its_own_secret_says_where_it_stands() -> None:
    assert {one.name for one in VENDORS if one.is_theirs} < set(CONNECTORS)
    assert all("secret" in " ".join(one.steps) for one in VENDORS if one.is_theirs)


async def test_words_where_ids_should_be_are_a_finding() -> None:
    store = store_of()
    store.named_nobody = [{"source": "web", "literal": "undefined", "messages": 1204, "first_at": NOW}]
    text = words_of((await browser_of(app_on(store)).get("/sources")).text)
    assert "web writes “undefined” where an id should be: in 1,204 touchpoints" in text
