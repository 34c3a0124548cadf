"""`touchline identity` over the table of links in a real ClickHouse."""

from __future__ import annotations

import pytest

from schemas.links import Edge
from services.cli.commands.identity import identify
from services.cli.importing.known import stored
from services.common.linked import StoredLinks
from services.sink.columns import TABLES, columns
from services.sink.rows import link_rows
from streams.connectors.registry import systems_of
from streams.identity.directories import Directories
from tests.clickhouse_fixture import ClickHouse
from tests.store_facts import START, account_fact, touchpoint_fact
from tests.store_fixture import fresh_store
from tests.unit.test_identity_command import ANN, NOW, Listed, Record, learned

pytestmark = pytest.mark.clickhouse


def test_stored_links_say_what_listed_ones_say(clickhouse_url: ClickHouse, clickhouse_database: str) -> None:
    odd = Edge(a='user:"x\\y" é', b="user:u1", since=START, evidence="e", source="web")
    records: list[Record] = [
        *ANN,
        {"kind": "account", "id": "group:acme", "domains": ["nl.acme.com"]},
        {"kind": "account", "id": "60", "domains": ["first.com", "gone.com"]},
        {"kind": "account", "id": "60", "deleted": True},
        {"kind": "account", "id": "61", "domains": ["first.nl", "merged.com"]},
        {"kind": "account", "id": "61", "merged_into": "51"},
        {"kind": "contact", "id": "8", "email": "joe@gone.com"},
        {"kind": "contact", "id": "9", "email": "kim@merged.com"},
    ]
    links = [*learned(records)[1], odd]
    with fresh_store(clickhouse_url, clickhouse_database) as (store, config):
        rows = link_rows((link, position) for position, link in enumerate(links, 1))
        store.insert("links", TABLES["links"], columns("links", rows))
        source = StoredLinks(store.client, Directories(systems=systems_of()))
        names = ("ann@acme.com", "crm_contact:2", "user:u1", "phone:+31201234567", "new@nowhere.com")
        for asked in (*names, "joe@gone.com", "kim@merged.com"):
            assert identify(source, asked, NOW) == identify(Listed(links), asked, NOW)
        assert 'user:"x\\y" é' in {name for edge in identify(source, "user:u1", NOW)["edges"] for name in edge.values()}
        assert identify(source, 'user:"x\\y" é', NOW)["found"]
        known = stored(store.client)
        assert known.directory.accounts_at("acme.com") == ("crm:51",)
        assert known.directory.canonical("group:acme") == "crm:51"
        assert (known.directory.accounts_at("gone.com"), known.directory.accounts_at("merged.com")) == ((), ("crm:51",))
        assert identify(source, "kim@merged.com", NOW)["account"]["account_id"] == "crm:51"


def test_a_person_id_is_found_by_its_touchpoints(clickhouse_url: ClickHouse, clickhouse_database: str) -> None:
    from services.sink.rows import rows_of

    with fresh_store(clickhouse_url, clickhouse_database) as (store, _):
        rows = rows_of([touchpoint_fact(1), account_fact("crm:1")], NOW)
        for table in ("touchpoints", "histories", "account_journeys"):
            store.insert(table, TABLES[table], columns(table, rows[table]))
        assert StoredLinks(store.client, Directories(systems=systems_of())).aliases_of("person-1") == {"anonymous:a1"}
        assert StoredLinks(store.client, Directories(systems=systems_of())).aliases_of("person-9") == set()
        assert stored(store.client).accounts == {"crm:1"}
