"""Why an event is not on the map: by its id or its sender's, on the page that finds things; and dead letters shown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from schemas.touchpoints import DeadLetter
from services.dashboard.letters import NEWEST, Letters
from streams.connectors.reading import event_id
from tests.dashboard_fakes import BLUEPRINT, NOW, FakeStore, browser_of
from tests.dashboard_seed import world
from tests.unit.test_dashboard_app import app_on


def letter(number: int, **more: Any) -> DeadLetter:
    fields = {
        "letter_id": f"l{number}", "stage": "attribute", "reason": "bad_email", "message": "`email` is `x`",
        "source": "web", "original": f'{{"messageId": "msg-{number}"}}', "origin_topic": "touchpoints.raw.v1",
        "origin_partition": 0, "origin_offset": number, "origin_index": 0,
        "failed_at": NOW - timedelta(minutes=number),
    }  # fmt: skip
    return DeadLetter.model_validate(fields | more)


def store_with(**row: Any) -> FakeStore:
    made = world(BLUEPRINT, NOW, touchpoints=20, days=1)
    made.touchpoints[0] |= {"event_id": event_id("web", "msg-2001"), **row}
    return FakeStore(made)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"on_map": 1}, "on the map: <a"),
        ({"on_map": 0, "traffic": "bot"}, "left out: it is one of programs"),
        ({"on_map": 0, "traffic": "internal"}, "left out: it is one of your own people and hosts"),
        ({"on_map": 0}, "a record, no contact moment"),
    ],
)
async def test_an_event_is_found_by_its_own_id_and_by_its_senders(row: dict[str, Any], says: str) -> None:
    client = browser_of(app_on(store_with(**row)))
    for query in ("msg-2001", event_id("web", "msg-2001")):
        text = (await client.get(f"/search?q={query}")).text
        assert says in text


async def test_an_event_that_is_nowhere_says_where_else_to_look() -> None:
    app = app_on(store_with())
    app.state.desk.reader.letters.learn("", b"[" + letter(7).encoded() + b"]")
    client = browser_of(app)
    assert "a dead letter of web, bad email" in (await client.get("/search?q=msg-7%22")).text
    nowhere = (await client.get("/search?q=msg-99999")).text
    assert "No event with this id is stored" in nowhere and "/sources" in nowhere
    assert "No event with this id" not in (await client.get("/search?q=acme")).text, "a name is no id"


async def test_dead_letters_stand_on_the_page_by_reason_with_a_sample_and_how_to_send_them_again() -> None:
    app = app_on(store_with())
    for number in range(5):
        one = letter(number, reason="x" if number == 4 else "y")
        app.state.desk.reader.letters.learn("", b"[" + one.encoded() + b"]")
    text = (await browser_of(app).get("/sources")).text
    assert "4 × <b>web</b>: y" in text and "1 × <b>web</b>: x" in text
    assert "touchline dlq replay --stage attribute --reason y" in text and "&#34;msg-0&#34;" in text
    assert 'aria-labelledby="letters-title" hidden' in (await browser_of(app_on(store_with())).get("/sources")).text


def test_letters_are_bounded_and_one_that_comes_twice_is_one() -> None:
    letters = Letters()
    for number in [*range(NEWEST + 50), NEWEST, NEWEST]:
        letters.learn("", b"[" + letter(number).encoded() + b"]")
    (found,) = letters.refusals()
    assert found.count == NEWEST
    letters.learn("", b"[{}]")
    letters.learn("", None)
    assert letters.refusals()[0].count == NEWEST


async def test_an_organisation_of_strangers_is_a_finding_on_the_page() -> None:
    store = store_with()
    store.claimed = [
        {"account": "org:support:7", "value": "gmail.com"},
        {"account": "org:support:8", "value": "gmail.com"},
        {"account": "org:support:8", "value": "acme.example"},
    ]
    text = (await browser_of(app_on(store)).get("/sources")).text
    assert "<code>org:support:7</code> claims gmail.com" in text and "org:support:8" not in text
