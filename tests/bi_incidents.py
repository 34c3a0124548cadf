"""Incidents of the made-up company: as the alerts service keeps them for analysts, and as the page shows them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from schemas.incidents import Desk, IncidentAction, Thread
from services.alerting.incidents_table import IncidentsTable
from services.dashboard.catalogue import Catalogue
from services.dashboard.clickhouse import ClickHouseStore
from services.dashboard.incidents import IncidentView, incidents
from services.dashboard.reader import Reader
from services.dashboard.scope import Scope
from streams.incidents.actions import ActionLog
from streams.incidents.intake import Lens
from streams.runtime.clickhouse import Store
from tests.bi_story import BLUEPRINT, NOW

SHOWN: Final[Mapping[str, str]] = {
    "incident_id": "id",
    "event_id": "event_id",
    "account_id": "account_id",
    "severity": "severity",
    "state": "state",
    "is_back": "is_back",
    "what": "what",
    "touchpoint_type": "touchpoint_type",
    "phase": "phase",
    "owner_department": "owner",
    "signs": "signs",
    "opened_at": "opened_at",
    "last_pain_at": "pained_at",
    "over_at": "over_at",
    "taken_by": "taken_by",
    "taken_at": "taken_at",
    "assigned_by": "assigned_by",
    "silenced_until": "silenced_until",
    "silenced_by": "silenced_by",
    "done_by": "done_by",
    "done_at": "done_at",
    "told_at": "told_at",
    "channels": "channels",
}
"""Column of the view → what the page has for it."""


class Desks:
    """Holds every partition, and one account of which people were told."""

    def __init__(self, of: dict[str, Desk]) -> None:
        self.of = of
        self.wards: dict[int, object] = {0: None}

    def partition(self, account_id: str) -> int:
        return 0


_ACTED: list[IncidentAction] = []
_DESKS = Desks({})


def act(log: ActionLog, event_id: str, verb: Any, by: str, **more: Any) -> bytes:
    """Somebody did something about the incident of this event; the record of it."""
    action = IncidentAction(action_id=f"{verb}-{by}-{event_id}", at=NOW, by=by, verb=verb, events=(event_id,), **more)
    log.learn(action)
    return b"[" + action.encoded() + b"]"


def table(store: Store) -> tuple[IncidentsTable, ActionLog]:
    """As a process that has just started; and the log that it knows."""
    log = ActionLog(_ACTED)
    return IncidentsTable(store, _DESKS, log, Lens(BLUEPRINT.source), lambda: NOW), log


def kept(store: Store) -> None:
    """Keep the table; of those that hurt one is taken, one silenced, one done, and one was told to people."""
    _ACTED.clear()
    _DESKS.of = {}
    taken, silenced, done, told = [one for one in asyncio.run(on_the_page(store)) if one.state == "open"][:4]
    log = ActionLog()
    act(log, taken.event_id, "assign", "Al", to="Bo")
    act(log, silenced.event_id, "silence", "Bo", until=NOW + timedelta(days=3))
    act(log, done.event_id, "done", "Bo")
    _ACTED.extend(action for one in (taken, silenced, done) for action in log.about([one.event_id]))
    thread = Thread(
        thread_id="told", events=(told.event_id,), opened_at=told.opened_at, state="told", level=told.severity,
        told_at=NOW, channels=("slack", "mail"),
    )  # fmt: skip
    _DESKS.of = {told.account_id: Desk(account_id=told.account_id, threads=(thread,))}
    assert asyncio.run(table(store)[0].step()) > 0


async def on_the_page(store: Store) -> tuple[IncidentView, ...]:
    """All that the page of incidents lists, whenever it was."""
    asked = ClickHouseStore(lambda: store.client)
    reader = Reader(asked, Catalogue(BLUEPRINT.source), lambda: NOW)
    for action in _ACTED:
        reader.board.act(action)
    for name, desk in _DESKS.of.items():
        reader.board.learn_desk(name, b"[" + desk.encoded() + b"]")
    found = await incidents(reader, Scope("all"), await reader.span(Scope("all"), NOW))
    assert not found.is_cut
    return found.incidents


def as_rows(shown: Iterable[IncidentView]) -> list[dict[str, Any]]:
    """What the page shows, as the view has it."""
    return [
        {
            column: ",".join(value) if isinstance(value := getattr(one, name), tuple) else value
            for column, name in SHOWN.items()
        }
        for one in shown
    ]


def plain(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """By id, with aware times."""
    told = [{name: _aware(value) for name, value in row.items()} for row in rows]
    return sorted(told, key=lambda row: str(row["incident_id"]))


def _aware(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


@contextmanager
def withdrawn(store: Store, account_id: str) -> Iterator[None]:
    """The account is another's for a while."""
    copied = (
        "INSERT INTO account_journeys SELECT * REPLACE (revision + 1 AS revision, {gone:UInt8} AS is_deleted,"
        " now64(3) AS written_at) FROM account_journeys WHERE account_id = {account:String}"
        " ORDER BY revision DESC LIMIT 1"
    )
    store.command(copied, {"gone": 1, "account": account_id})
    yield
    store.command(copied, {"gone": 0, "account": account_id})
