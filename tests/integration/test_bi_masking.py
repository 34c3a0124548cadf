"""Whoever may see no people finds none in any view, by name, by words or by id; and can still count and join them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from uuid import uuid4

import pytest

from services.sink.blueprints import TABLE, TYPES, row
from services.sink.hiding import VIEWER
from services.sink.views import load_views
from streams.runtime.clickhouse import Store
from tests import dashboard_seed as seed
from tests.bi_story import ACCOUNT, BLUEPRINT, NOW, told
from tests.clickhouse_fixture import ClickHouse
from tests.journeys import attributed
from tests.store_fixture import fresh_store

pytestmark = pytest.mark.clickhouse
#: In every text that people wrote or that tells of one.
NAME: Final = "Quintessa"
PERSON: Final = "9b5f0f5e-quintessa-person"
SHOWS_PEOPLE: Final = {
    "alerts_sent", "cases", "compounds", "corrections", "directory", "incidents", "people", "person_names", "proposals",
    "quotes", "sessions", "signals", "tickets", "touchpoints",
}  # fmt: skip
"""Views in which somebody with the right finds the seeded person; the test of the others could not fail."""
_SEEDS: Final = (
    "INSERT INTO corrections (correction_id, account_id, corrected_at, cause)"
    " VALUES ('c', '{account}', now64(), '{name}')",
    "INSERT INTO deliveries (at, notice_id, answer) VALUES (now64(), 'n', '{name}')",
    "INSERT INTO proposals (proposal_id, kind, a, b, reason, revision)"
    " VALUES ('p', 'same_person', 'email:{name}', 'phone:{name}', '{name}', 1)",
    "INSERT INTO incidents (incident_id, account_id, revision, what, opened_at)"
    " VALUES ('i', '{account}', 1, '{name}', now64())",
    "INSERT INTO signals (account_id, signal_id, revision, rule, polarity, severity, person_id, opened_at, explanation,"
    " case_id, parts) VALUES"
    " ('{account}', 's', 1, 'low_score', 'friction', 0.5, '{person}', now64(), '{name}', 'k', []),"
    " ('{account}', 'k', 1, 'complaint', 'friction', 0.5, '{person}', now64(), '{name}', '', ['s'])",
)


def world() -> seed.World:
    """A company in which one person did and said everything."""
    made = seed.world(BLUEPRINT.source, NOW, touchpoints=5, days=3)
    for kept in made.touchpoints:
        kept |= dict.fromkeys(("session_id", "subject", "title", "text", "element", "vendor_event_id", "page"), "")
    mine = {"person_id": PERSON, "title": NAME, "text": NAME, "element": NAME, "vendor_event_id": NAME}
    about = {"properties": {"property": "firstname", "value": NAME}, "session_id": f"of-{NAME}"}
    told(made, 1, "page_view", f"contact:crm:{NAME}", **mine, **about, page="/a")
    told(made, 2, "ticket_created", "ticket:desk:1", **mine)
    told(made, 3, "crm_record", f"contact:crm:{NAME}", **mine, **about)
    told(made, 4, "crm_record", f"company:{ACCOUNT}", **mine, properties={"property": "about_us", "value": NAME})
    return made


@pytest.fixture(scope="module")
def store(clickhouse_url: ClickHouse) -> Iterator[Store]:
    name = f"masking_{uuid4().hex[:8]}"
    with fresh_store(clickhouse_url, name) as (made, _):
        made.insert(TABLE, TYPES, row(BLUEPRINT, NOW))
        seed.store(made.client, world())
        for sql in _SEEDS:
            made.command(sql.format(account=ACCOUNT, name=NAME, person=PERSON))
        item = attributed(
            "n1", 0, "identify", person=PERSON, person_traits={"name": NAME, "title": NAME, "department": NAME}
        )
        made.command(
            "INSERT INTO histories (account_id, event_id, revision, occurred_at, payload)"
            " VALUES ('crm:1', 'n1', 1, now64(), {payload:String})",
            {"payload": item.encoded().decode()},
        )
        yield made
    client = clickhouse_url.client()
    client.command(f"DROP DATABASE {name}")
    client.close()


def asked(store: Store, sql: str, asker: str) -> list[dict[str, Any]]:
    named = sql.replace("bi.", f"bi_{store.client.database}.")
    return store.rows(f"{named} SETTINGS log_comment = '{asker}'")


def told_of(store: Store, asker: str) -> dict[str, list[str]]:
    """View → the columns in which a row tells of the person."""
    found: dict[str, list[str]] = {}
    for view in load_views():
        for each in asked(store, f"SELECT * FROM bi.{view.name}", asker):
            columns = [column for column, value in each.items() if NAME in str(value) or PERSON in str(value)]
            found.setdefault(view.name, []).extend(columns)
    return {view: sorted(set(columns)) for view, columns in found.items() if columns}


def test_a_viewer_finds_nobody_in_any_view(store: Store) -> None:
    assert told_of(store, "reader:1").keys() == SHOWS_PEOPLE, "else the next line could not fail"
    assert told_of(store, f"{VIEWER}1") == {}


def test_a_viewer_counts_and_joins_the_same_people(store: Store) -> None:
    sql = (
        "SELECT count() AS n, uniqExact(t.person_id) AS people, sum(p.touchpoints) AS touchpoints"
        " FROM bi.touchpoints AS t INNER JOIN bi.people AS p ON p.person_id = t.person_id"
    )
    assert asked(store, sql, f"{VIEWER}1") == asked(store, sql, "reader:1")
    (found,) = asked(store, f"SELECT count() AS n FROM bi.people WHERE person_id = '{PERSON}'", f"{VIEWER}1")
    assert found["n"] == 0


def test_pseudonyms_stay_and_say_nothing(store: Store) -> None:
    named = "SELECT DISTINCT person_id FROM bi.tickets"
    (one,) = asked(store, named, f"{VIEWER}1")
    assert one["person_id"].startswith("person:")
    assert asked(store, named, f"{VIEWER}2") == [one]
    (key,) = store.rows("SELECT count() AS n, min(k0) != 0 AS is_random FROM pseudonyms")
    assert (key["n"], key["is_random"]) == (1, 1)
