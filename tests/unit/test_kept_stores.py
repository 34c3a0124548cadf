"""The record that a mistaken statement is judged on: what was answered once, and nothing written twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from tests.mutation.judged import Judge
from tests.mutation.kept import Hand, Kept
from tests.mutation.statements import Changed


def recorded(kept: Kept, statement: str, rows: list[dict[str, object]], **values: object) -> None:
    kept.answer(statement, values, False, lambda: rows)


def test_what_a_test_writes_is_written_once() -> None:
    done: list[str] = []

    class Client:
        def command(self, statement: str) -> int:
            done.append(statement)
            return len(done)

        def query(self, statement: str) -> list[str]:
            return [statement]

        def close(self) -> None:
            done.append("closed")

    kept = Kept("k")
    for _ in range(3):
        hand = Hand(kept, cast(Any, None if kept.is_recorded else Client()), "db")
        assert (hand.command("CREATE"), hand.query("SELECT"), hand.command("INSERT")) == (1, ["SELECT"], 2)
        assert hand.command("DROP DATABASE db") is None, "it is asked again"
        hand.close()
        kept.rewind()
    assert done == ["CREATE", "INSERT", "closed"]


def test_what_was_answered_is_answered_again_and_may_be_changed() -> None:
    kept = Kept("k")
    recorded(kept, "SELECT 1", [{"n": 1, "of": [1]}], a=1)
    kept.rewind()
    for _ in range(2):
        rows: Any = kept.answer("SELECT 1", {"a": 1}, False, lambda: [{"n": 9}])
        assert rows == [{"n": 1, "of": [1]}] and not kept.is_strange
        rows[0]["of"].append(2)
    assert kept.answer("SELECT 1", {"a": 2}, False, lambda: [{"n": 9}]) == [{"n": 9}] and kept.is_strange
    assert [answer.parameters for answer in kept.asked("SELECT 1")] == [{"a": 1}]


def test_an_error_is_raised_again_and_nothing_is_compared_with_it() -> None:
    kept = Kept("k")

    def refused() -> Any:
        raise ValueError("readonly")

    for _ in range(2):
        with pytest.raises(ValueError, match="readonly"):
            kept.answer("TRUNCATE", {}, False, refused)
        kept.rewind()
    assert kept.asked("TRUNCATE") == []


class Judged(Judge):
    """On one test, which fails when it is told so; the engine answers with what a statement is."""

    def __init__(self, *, fails: bool, answers: Mapping[str, int]) -> None:
        super().__init__(most=5)
        self.fails, self.runs = fails, 0
        kept = Kept("k", client=cast(Any, object()))
        recorded(kept, "right", [{"n": 1}], at=1)
        self.item = cast(pytest.Item, object())
        self._kept = {self.item: kept}
        self._ask = lambda client, statement, parameters, zoned: [{"n": answers[statement]}]

    def _fails(self, item: pytest.Item) -> bool:
        self.runs += 1
        return self.fails


@pytest.mark.parametrize(
    ("answers", "fails", "is_noticed", "runs"),
    [
        ({"wrong": 2}, True, True, 1),
        ({"wrong": 2}, False, False, 1),
        ({"wrong": 1}, True, False, 0),  # it answers alike: no test can notice
        ({}, True, False, 0),  # refused
    ],
)
def test_a_mistake_is_noticed_where_it_answers_otherwise_and_a_test_fails(
    answers: dict[str, int], fails: bool, is_noticed: bool, runs: int
) -> None:
    judge = Judged(fails=fails, answers=answers)
    assert judge._noticed("right", Changed("", "", "wrong"), [judge.item]) is is_noticed
    assert judge.runs == runs and judge._is_refused is (not answers)


def test_a_test_that_asks_without_end_is_stopped() -> None:
    judge = Judged(fails=False, answers={"right": 1})
    judge._now = judge._kept[judge.item]
    judge._now.rewind()
    for _ in range(20):
        assert judge._sent(cast(Any, None), "right", {"at": 1}) == [{"n": 1}]
    with pytest.raises(TimeoutError):
        judge._sent(cast(Any, None), "right", {"at": 1})
