"""Every change of what was shown leaves a line in the corrections, and an account in disorder not too many."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.facts import Correction, TouchpointFact
from schemas.touchpoints import AttributedTouchpoint
from streams.journey import correction_limit
from streams.journey.account import AccountJourney
from streams.journey.blueprints import load
from streams.journey.causes import LATE, Cause
from streams.journey.correction_limit import Corrected
from streams.journey.corrections import Stored, corrected_from_memory, corrections
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


def in_disorder(reader: Reader, numbers: range) -> int:
    """Late changes, each of which makes an account a customer or none; how much looked other in all."""
    changed = 0
    for number in numbers:
        value = "customer" if number % 2 == 0 else "churned"
        item = attributed(f"l{number}", 100 + number, "lifecycle_changed", properties={"value": value})
        changed += reader.batch([item], at(10_000))[0]
    return changed


def told(lines: list[Correction]) -> int:
    """What a reader of the store finds in them: the last of each id."""
    kept = {line.correction_id: line for line in lines}
    return sum(line.touchpoints_changed + line.signals_withdrawn for line in kept.values())


def test_an_account_in_disorder_has_so_many_lines_an_hour_and_the_last_tells_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(correction_limit, "MOST", 3)
    reader = Reader()
    reader.batch([attributed("z", 10_000, page="/blog")], at(10_000))
    changed = 0
    for number in range(9):
        changed += in_disorder(reader, range(number, number + 1))
        assert told(reader.lines) == changed, "at any moment, so that a writer that ends here loses nothing"
    assert len({line.correction_id for line in reader.lines}) == 3 and changed > 3
    assert reader.lines[-1].what.startswith("7 touchpoints judged anew")
    later = at(10_000) + timedelta(hours=1)
    _, now, is_of_many = reader.account.correction_limit.line("next", Corrected(1), later)
    assert (now, is_of_many) == (Corrected(1), False), "another hour, another line"


def test_a_writer_that_ends_in_disorder_has_told_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correction_limit, "MOST", 2)
    first, second = Reader(), Reader()
    for reader in (first, second):
        reader.batch([attributed("z", 10_000, page="/blog")], at(10_000))
    changed = in_disorder(first, range(7))
    second.batch([item for item in first.account._tail if item.event_id != "z"], at(10_000))
    changed += in_disorder(second, range(7, 10))
    assert told(first.lines) + told(second.lines) >= changed
    assert not {line.correction_id for line in first.lines} & {line.correction_id for line in second.lines[-1:]}


def test_refolds_are_bounded_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refold makes the account anew; its lines of this hour go on."""
    monkeypatch.setattr(correction_limit, "MOST", 2)
    lines: list[Correction] = []
    kept: correction_limit.CorrectionLimit | None = None
    stored = Stored()
    items: list[AttributedTouchpoint] = [attributed("z", 10_000, page="/blog")]
    for number in range(6):
        value = "customer" if number % 2 == 0 else "churned"
        account, journey = AccountJourney.rebuilt("crm:1", BLUEPRINT, items, at(10_000))
        account.correction_limit = kept or account.correction_limit
        kept = account.correction_limit
        facts = corrections(account, journey, stored, at(10_000), {LATE})
        lines += [fact for fact in facts if isinstance(fact, Correction)]
        stored = Stored(
            items={item.event_id: item for item in items},
            touchpoint_digests={f.event_id: f.digest for f in facts if isinstance(f, TouchpointFact)},
            max_revision=max(f.revision for f in facts if isinstance(f, TouchpointFact)),
        )
        items.append(attributed(f"l{number}", 100 + number, "lifecycle_changed", properties={"value": value}))
    assert len(lines) > 2 and len({line.correction_id for line in lines}) == 2


def test_a_line_remembers_so_many_causes() -> None:
    whole = Corrected()
    for number in range(200):
        whole = whole.with_(Corrected(1, causes=frozenset({Cause("links", f"link {number:03}")})))
    assert whole.touchpoints == 200 and len(whole.causes) == correction_limit.MOST_CAUSES
