"""Incidents remembered by the rows they come from are the same as made anew, whatever changes in between."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.base import EPOCH
from services.dashboard import grouped
from services.dashboard.grouped import Grouped
from services.dashboard.store import Pains
from streams.incidents.intake import Lens
from streams.incidents.stored import desks_of
from streams.incidents.threads import incidents_on
from streams.journey.blueprints import load

NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
SINCE = NOW - timedelta(days=30)
LENS = Lens(load().source)
ACCOUNTS = ("crm:a:1", "crm:a:2", "crm:a:3")


def signal(account: str, number: int, severity: float, shared: bool) -> dict[str, Any]:
    event = f"{account}-e{0 if shared else number}"
    return {
        "account_id": account, "signal_id": f"{account}-s{number}", "revision": 1, "digest": 1, "rule": "low_score",
        "rule_version": 1, "polarity": "friction", "severity": severity, "event_id": event, "person_id": "p",
        "touchpoint_type": "support_ticket", "phase": "adoption", "opened_at": NOW - timedelta(hours=number),
        "is_closed": 1, "closed_at": EPOCH, "evidence": [event], "evidence_count": 1, "explanation": "scored 2 of 5",
        "case_id": "", "parts": [],
    }  # fmt: skip


def complaint(account: str, number: int) -> dict[str, Any]:
    return {
        "account_id": account, "event_id": f"{account}-e{number}", "touchpoint_type": "complaint", "phase": "adoption",
        "person_id": "p", "title": "", "occurred_at": NOW - timedelta(hours=number),
    }  # fmt: skip


def standing(account: str, name: str, fell_days_ago: int | None) -> dict[str, Any]:
    at = NOW - timedelta(days=fell_days_ago or 0)
    move = {
        "at": at.isoformat(), "from_phase": "adoption", "to_phase": "evaluation", "event_id": f"{account}-fall",
        "cause": "", "accepted": True, "dwell_s": 1.0, "direction": "backward",
    }  # fmt: skip
    moves = [] if fell_days_ago is None else [move]
    row = {"account_id": account, "name": name, "segment": "", "traits": "{}"}
    return row | {"transitions": json.dumps(moves)}


@st.composite
def pains(draw: st.DrawFn) -> Pains:
    """What is read of some accounts at one look."""
    some = draw(st.lists(st.sampled_from(ACCOUNTS), unique=True, min_size=1))
    numbers = st.sets(st.integers(0, 4), max_size=3)
    severity, shared = draw(st.sampled_from((0.2, 0.6))), draw(st.booleans())
    return Pains(
        [signal(account, number, severity, shared) for account in some for number in sorted(draw(numbers))],
        [complaint(account, number) for account in some for number in sorted(draw(numbers))],
        [standing(account, draw(st.sampled_from("ab")), draw(st.sampled_from((None, 3, 29)))) for account in some],
    )


LOOKS = st.lists(st.tuples(pains(), st.integers(0, 5)), min_size=2, max_size=5)


def agrees(remembered: Grouped, looks: list[tuple[Pains, int]]) -> bool:
    for found, later_days in looks:
        since = SINCE + timedelta(days=later_days)
        desks = desks_of(found.signals, found.touchpoints, found.accounts, LENS, since)
        if remembered.desks(found, since) != [(desk, incidents_on(desk, LENS)) for desk in desks]:
            return False
    return True


@settings(max_examples=25, deadline=None)
@given(LOOKS, st.integers(1, 3))
def test_what_is_remembered_is_what_would_be_made_anew(looks: list[tuple[Pains, int]], most: int) -> None:
    assert agrees(Grouped(LENS, most), [*looks, *looks])


BEFORE = Pains([signal(ACCOUNTS[0], 1, 0.2, False)], [complaint(ACCOUNTS[0], 2)], [standing(ACCOUNTS[0], "a", 29)])
CHANGED = (
    (replace(BEFORE, signals=[signal(ACCOUNTS[0], 1, 0.6, False)]), 0),
    (replace(BEFORE, touchpoints=[]), 0),
    (replace(BEFORE, accounts=[standing(ACCOUNTS[0], "b", 29)]), 0),
    (BEFORE, 5),
)


@pytest.mark.parametrize("then", CHANGED)
def test_known_bad_one_that_compares_nothing_would_be_seen(
    then: tuple[Pains, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert agrees(Grouped(LENS), [(BEFORE, 0), then])
    monkeypatch.setattr(grouped, "_is_same", lambda *_: True)
    assert not agrees(Grouped(LENS), [(BEFORE, 0), then])


def test_nothing_is_made_again_while_no_row_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    remembered = Grouped(LENS)
    first = remembered.desks(BEFORE, SINCE)
    monkeypatch.setattr(grouped, "desks_of", None)
    again = remembered.desks(replace(BEFORE, signals=[dict(row) for row in BEFORE.signals]), SINCE)
    assert again[0][0] is first[0][0]
