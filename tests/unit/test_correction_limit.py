"""Every change of what was shown leaves a line in the corrections, and an account in disorder not too many."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.facts import Correction
from schemas.touchpoints import AttributedTouchpoint
from streams.journey import correction_limit
from streams.journey.account import AccountJourney
from streams.journey.blueprints import load
from streams.journey.corrections import corrected_from_memory, correction_due
from tests.journeys import at, attributed, histories

BLUEPRINT = load()


class Reader:
    """Sees each row as it is told, and the lines that tell of those that were other."""

    def __init__(self) -> None:
        self.account = AccountJourney("crm:1", BLUEPRINT)
        self.shown: dict[str, tuple[object, ...]] = {}
        self.signals: set[str] = set()
        self.lines: list[Correction] = []

    def batch(self, items: list[AttributedTouchpoint], as_of: datetime) -> tuple[int, bool]:
        """Tell a batch; how many touchpoints look other than before without time having passed, and if it refolds."""
        before, counted = dict(self.shown), self.account.counted_to
        changes = self.account.accept(items, as_of)
        lines = corrected_from_memory(self.account, items, changes, as_of)
        self.lines += [line for line in lines if isinstance(line, Correction)]
        self.shown |= {event_id: placed.shown for event_id, placed in changes.placed.items()}
        fell_silent = self.account.counted_to > counted
        other = sum(self.shown[event_id] != then for event_id, then in before.items())
        return (0 if fell_silent else other) + len(changes.withdrawn), bool(changes.refold or changes.incomplete)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), history=histories(max_size=16))
def test_what_looks_other_than_it_did_is_in_a_line(data: st.DataObject, history: list[AttributedTouchpoint]) -> None:
    """Silence that becomes a signal is no correction, so the clock stands still between the batches."""
    reader, as_of = Reader(), max(item.touchpoint.ordered_at for item in history)
    for item in data.draw(st.permutations(history)):
        told = len(reader.lines)
        other, refolds = reader.batch([item], as_of)
        if refolds:
            return  # whose lines the refold tells
        assert (len(reader.lines) > told) >= bool(other), "something looks other, and no line says so"


def test_a_phase_that_turns_out_to_be_another_leaves_a_line() -> None:
    reader = Reader()
    reader.batch([attributed("b", 60, page="/blog")], at(60))
    reader.batch([attributed("a", 0, "lifecycle_changed", properties={"value": "customer"})], at(60))
    (line,) = reader.lines
    assert (line.what, line.touchpoints_changed) == ("1 touchpoint judged anew", 1)
    assert line.cause.startswith("touchpoints came")


@pytest.mark.parametrize(
    "late",
    [attributed("a", 0, page="/blog"), attributed("c", 60, page="/blog"), attributed("b", 30, page="/pricing")],
    ids=["of no consequence", "in order", "the same again"],
)
def test_what_changes_nothing_leaves_none(late: AttributedTouchpoint) -> None:
    reader = Reader()
    reader.batch([attributed("b", 30, page="/pricing")], at(60))
    reader.batch([late], at(60))
    assert reader.lines == []


def test_an_account_in_disorder_has_so_many_lines_an_hour_and_the_next_tells_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(correction_limit, "MOST", 3)
    reader, changed = Reader(), 0
    reader.batch([attributed("z", 10_000, page="/blog")], at(10_000))
    for number in range(9):  # each is a customer or none before all that is there
        value = "customer" if number % 2 == 0 else "churned"
        item = attributed(f"l{number}", 100 + number, "lifecycle_changed", properties={"value": value})
        changed += reader.batch([item], at(10_000))[0]
    assert len(reader.lines) == 3
    assert correction_due(reader.account, at(10_000) + timedelta(minutes=59)) == []
    (rest,) = correction_due(reader.account, at(10_000) + timedelta(hours=1))
    assert isinstance(rest, Correction)
    assert sum(line.touchpoints_changed + line.signals_withdrawn for line in [*reader.lines, rest]) == changed > 3
    assert correction_due(reader.account, at(10_000) + timedelta(hours=2)) == []
