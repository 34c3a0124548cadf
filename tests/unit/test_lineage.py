"""What a consumer knows of the log behind it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.runtime.lineage import Lineage, Mark, Return, epochs

_BACK = Return("2026-01-01T00:00:00+00:00", 100, 90)


def test_the_epoch_before_an_offset_is_that_of_the_record_there() -> None:
    lineage = Lineage()
    assert lineage.before(10) is None
    for offset, epoch in ((10, 3), (12, 3), (20, 5)):
        lineage.note(offset, epoch)
    assert [lineage.before(offset) for offset in (10, 11, 20, 21, 99)] == [None, 3, 3, 5, 5]


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 1)), min_size=1, max_size=15), st.randoms())
def test_notes_in_any_order_of_their_batches_say_the_same(steps: list[tuple[int, int]], random: object) -> None:
    notes, offset, epoch = [], 0, 0
    for length, newer in steps:
        epoch += newer
        notes.append((offset, epoch))
        offset += length
    truth = Lineage()
    for note in notes:
        truth.note(*note)
    for first, epoch in notes:
        assert truth.before(first + 1) == epoch
    again = Lineage()
    for note in [*notes, *notes]:  # a replay from the beginning
        again.note(*note)
    assert [again.before(at) for at in range(offset + 1)] == [truth.before(at) for at in range(offset + 1)]


@pytest.mark.parametrize("mark", [Mark(), Mark(3, "abc"), Mark(None, "abc", _BACK), Mark(0, "", _BACK)])
def test_a_commit_says_what_was_put_into_it(mark: Mark) -> None:
    assert Mark.read(mark.text()) == mark
    assert len(Mark(2**31 - 1, "f" * 32, _BACK).text()) < 200, "Kafka takes 4096 bytes a commit"


@pytest.mark.parametrize("text", [None, "", "aiokafka", "[]", "3", '{"epoch":"x"}', '{"back":[1]}', '{"topic":1}'])
def test_other_commits_say_nothing(text: str | None) -> None:
    assert Mark.read(text) == Mark()


def test_what_was_committed_is_taken_up_and_told_again() -> None:
    lineage = Lineage()
    lineage.take_up(50, Mark(4, "abc", _BACK))
    assert lineage.before(50) == 4
    lineage.note(50, 6)
    assert lineage.mark(50) == Mark(4, "abc", _BACK)
    assert lineage.mark(51) == Mark(6, "abc", _BACK)


def test_the_epochs_of_a_fetch_the_last_batch_cut_short() -> None:
    def batch(first: int, epoch: int) -> bytes:
        return struct.pack(">qii", first, 40, epoch) + b"\0" * 36

    records = batch(5, 1) + batch(9, 2) + batch(12, 2)
    assert list(epochs(records)) == [(5, 1), (9, 2), (12, 2)]
    assert list(epochs(records[:-40])) == [(5, 1), (9, 2)]
    assert list(epochs(records[:-20])) == [(5, 1), (9, 2), (12, 2)]
    assert list(epochs(b"")) == []


def test_a_return_is_said_in_words() -> None:
    assert "had lost its tail" in _BACK.sentence("t/0") and "from offset 90 (had been at 100)" in _BACK.sentence("t/0")
    assert "made again" in Return("x", 1, 0, recreated=True).sentence("t/0")
