"""The preview on what is really stored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from schemas.blueprint import TARGETS
from services.alerting.hearing import Hearing
from services.cli.commands.previewing import figures, history
from streams.incidents.counts import BROKEN, COUNTS, measured, sources_of
from streams.incidents.intake import Lens
from streams.incidents.played import desks_of_figures
from streams.incidents.preview import preview, with_changes
from streams.incidents.rhythm import Rhythms
from streams.incidents.series import SLOT_S
from streams.runtime.clickhouse import Store
from streams.runtime.metrics import NoMetrics
from tests.clickhouse_fixture import ClickHouse
from tests.incident_kit import BLUEPRINT, LENS
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


async def test_owners_and_when_sources_were_heard_are_asked_of_the_store(
    clickhouse_url: ClickHouse, clickhouse_database: str
) -> None:
    """As the service asks: who owns an account in the CRM, and when each configured source was last heard."""
    said = {"subject": "company:crm:1", "properties": {"property": "hubspot_owner_id", "value": "71000001"}}
    of_crm = touchpoint_fact(3, account="crm:1")
    record = of_crm.input.touchpoint.changed(action="crm_record", **said)
    owned, heard, now = dict[str, str](), dict[str, datetime](), START + timedelta(hours=1)
    with fresh_store(clickhouse_url, clickhouse_database) as (store, config):
        put(store, [account_fact(), of_crm.changed(input=of_crm.input.changed(touchpoint=record)), touchpoint_fact(4)])
        hearing = Hearing(
            store,
            NeverBehind(),
            Rhythms(),
            NoMetrics(),
            lambda: now,
            lambda found, _: heard.update(found),
            {"crm", "quiet"},
            owned.update,
            config.bi_database,
        )
        assert await hearing.step() == ""
    assert owned == {"crm:1": "71000001"}
    assert heard == {"crm": record.received_at}, "not of one that is not configured, nor of one that was never heard"


class NeverBehind:
    async def look(self) -> bool:
        return False

    async def close(self) -> None:
        return None


def test_figures_of_types_are_counted_without_what_was_sent_as_history(store: Store) -> None:
    """Painful ones, moods, promises in time and slow pages; what was sent as history counts nowhere."""
    ticket: dict[str, Any] = {"touchpoint_type": "support_ticket", "on_map": True, "emotion": None}
    ticket["friction_signals"] = ("s",)
    facts = [touchpoint_fact(number, account=f"crm:{number}", **ticket) for number in range(8)]
    facts += [touchpoint_fact(number, **ticket | {"friction_signals": (), "emotion": 0.5}) for number in (8, 9)]
    facts += [touchpoint_fact(10, account="crm:10", **ticket | {"friction_signals": (), "emotion": -0.5})]
    old = touchpoint_fact(11, **ticket)
    facts.append(old.changed(input=old.input.changed(touchpoint=old.input.touchpoint.changed(backfill=True))))
    anew = touchpoint_fact(12, account="crm:12", **ticket | {"emotion": -1.0})
    facts.append(anew.changed(input=anew.input.changed(touchpoint=anew.input.touchpoint.changed(read_anew=True))))
    late = {"rule": "first_response_breach", "touchpoint_type": "support_ticket", "opened_at": START}
    broken_of = {1: "event-000001", 2: "event-000011", 3: "event-000012"}
    put(store, [*facts, *(signal_fact(n).changed(**late | {"event_id": name}) for n, name in broken_of.items())])
    now = START + timedelta(hours=1)
    asked_for, answers = figures(store.client, LENS, START, now)
    counts = [
        row for (statement, _), rows in zip(asked_for, answers, strict=True) for row in rows if statement == COUNTS
    ]
    broken = [
        row for (statement, _), rows in zip(asked_for, answers, strict=True) for row in rows if statement == BROKEN
    ]
    series, slot = measured(counts, broken, BLUEPRINT), int(START.timestamp()) // SLOT_S
    found = {name: series["support_ticket", name].sums(slot - 1, slot) for name in TARGETS}
    assert found == {
        "friction_rate": (12, 9),
        "emotion": (4, 2.25),
        "first_response_s": (12, 2),
        "resolution_s": (12, 0),
        "answer_s": (12, 0),
        "duration_ms": (0, 0),
    }
    news = {name: series["support_ticket", name].sums(slot - 1, slot, is_news=True)[1] for name in TARGETS}
    assert news == {
        **{name: bad for name, (_, bad) in found.items()},
        "friction_rate": 8,
        "emotion": 1.25,
        "first_response_s": 1,
    }
    assert series["support_ticket", "emotion"].squares(slot - 1, slot) == pytest.approx(2 * 0.25**2 + 0.75**2 + 1)
    assert series["support_ticket", "friction_rate"].accounts(slot - 1, slot) == 9
    assert sources_of(counts)["support_ticket"] == ("crm", "web")
    few = with_changes(BLUEPRINT, [("promise_missed", "volume", 12)])
    for blueprint, found_at in ((BLUEPRINT, []), (few, ["type:support_ticket"])):
        desks = desks_of_figures(asked_for, answers, Lens(blueprint), START, now, Rhythms())
        assert [desk.account_id for desk in desks] == found_at
