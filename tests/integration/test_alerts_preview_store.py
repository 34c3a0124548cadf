"""The preview on what is really stored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from services.cli.commands.previewing import history
from streams.incidents.preview import preview
from streams.runtime.clickhouse import Store
from tests.clickhouse_fixture import ClickHouse
from tests.incident_kit import LENS
from tests.store_facts import START, account_fact, signal_fact, touchpoint_fact
from tests.store_fixture import fresh_store, put

pytestmark = pytest.mark.clickhouse


@pytest.fixture
def store(clickhouse_url: ClickHouse, clickhouse_database: str) -> Iterator[Store]:
    with fresh_store(clickhouse_url, clickhouse_database) as (made, _):
        yield made


def test_stored_history_is_told_as_it_would_have_been(store: Store) -> None:
    at = START + timedelta(hours=1)
    fields = {"rule": "ticket_reopened", "severity": 0.7, "opened_at": at, "closed_at": at}
    root = signal_fact(1).changed(**fields)
    tag = signal_fact(2).changed(**fields | {"rule": "moment_of_truth_failed", "parts": (root.signal_id,)})
    gone = signal_fact(3).changed(**fields | {"withdrawn": True})
    complaint = touchpoint_fact(7, touchpoint_type="complaint", on_map=True)
    put(store, [account_fact(), root, tag, gone, complaint])
    since, now = START - timedelta(days=1), START + timedelta(days=9)
    desks = history(store.client, LENS, since)
    assert [(desk.account_id, len(desk.parts)) for desk in desks] == [("crm:1", 3)]
    told = {tally.policy: tally.opened for tally in preview(desks, LENS, since, now) if tally.opened}
    assert told == {"complaint": 1, "moment_of_truth_failed": 1}
    assert history(store.client, LENS, now) == []
