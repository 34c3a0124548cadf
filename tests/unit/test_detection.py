"""The simulation in its small form: what was put in is found, what is found was put in; and the score can tell."""

from __future__ import annotations

import pytest

from streams.journey import golden
from streams.journey.blueprints import load
from tests.simulation.score import Score, simulate, table

BLUEPRINT = load()
FEW = 20


@pytest.fixture(scope="module")
def scores() -> dict[str, Score]:
    return simulate(BLUEPRINT, FEW)


def sums(scores: dict[str, Score]) -> tuple[float, float]:
    """Recall and precision over all rules."""
    found, injected = sum(s.found for s in scores.values()), sum(s.injected for s in scores.values())
    right, told = sum(s.right for s in scores.values()), sum(s.told for s in scores.values())
    return found / injected, right / told


def test_pains_are_found_and_little_else(scores: dict[str, Score]) -> None:
    recall, precision = sums(scores)
    assert recall >= 0.93, table(scores)
    assert precision >= 0.93, table(scores)


def test_every_rule_is_put_to_the_test(scores: dict[str, Score]) -> None:
    """Moments of truth follow from what happens there and have no scene of their own."""
    assert {rule for rule, score in scores.items() if not score.injected} == {"moment_of_truth_failed"}
    assert all(score.told for score in scores.values()), table(scores)


def test_the_simulation_is_the_same_every_time(scores: dict[str, Score]) -> None:
    assert simulate(BLUEPRINT, FEW) == scores


@pytest.mark.parametrize(
    ("rule", "changes", "recall"),
    [
        ("rage_click", {"count": 2}, False),
        ("first_response_breach", {"within_s": 600.0, "target": ""}, False),
        ("rage_click", {"count": 9}, True),
        ("first_response_breach", {"within_s": 400_000.0, "target": ""}, True),
    ],
)
def test_a_worse_rule_scores_worse(rule: str, changes: dict[str, object], recall: bool) -> None:
    """Known bad: a rule that says too much loses precision, one that says too little loses recall."""
    rules = [r.model_copy(update=changes) if r.id == rule else r for r in BLUEPRINT.source.rules]
    stage = golden.with_rules(BLUEPRINT, rules, {})
    before, after = simulate(golden.with_targets(BLUEPRINT, ()), FEW)[rule], simulate(stage, FEW)[rule]
    assert (after.recall < before.recall) if recall else (after.precision < before.precision)
