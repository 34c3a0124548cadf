"""Cancellations, renewals, key accounts, bursts: each is told, what looks alike is not; wrong policies are noticed."""

from __future__ import annotations

import pytest

from streams.incidents.preview import with_changes
from streams.journey.compiled import CompiledBlueprint
from tests.incident_kit import COMPILED
from tests.simulation.alerted import Told
from tests.simulation.asked import asked

ACCOUNTS = 16


def changed(policy: str, field: str, value: float) -> dict[str, Told]:
    blueprint = with_changes(COMPILED.source, [(policy, field, value)])
    return asked(CompiledBlueprint(blueprint), ACCOUNTS, (1,))


def test_each_pain_that_was_put_in_is_told_and_nothing_else() -> None:
    for name, score in asked(COMPILED, ACCOUNTS, (1, 2)).items():
        assert score.injected >= 4 and score.found == score.injected, name
        assert score.right == score.opened and score.doubled == 0, name


@pytest.mark.parametrize(
    ("policy", "field", "value"),
    [
        ("renewal_at_risk", "renewal_within_days", 90),
        ("renewal_at_risk", "threshold", 0.4),
        ("key_account_regressed", "key_accounts", False),
        ("burst", "count", 4),
        ("burst", "within_s", 7_200),
    ],
)
def test_a_policy_that_asks_for_too_much_is_false(policy: str, field: str, value: float) -> None:
    score = changed(policy, field, value)[policy]
    assert score.right < score.opened


@pytest.mark.parametrize(
    ("policy", "field", "value"),
    [
        ("cancellation", "threshold", 1.0),
        ("renewal_at_risk", "renewal_within_days", 20),
        ("key_account_regressed", "threshold", 0.9),
        ("burst", "count", 10),
        ("burst", "within_s", 600),
    ],
)
def test_and_one_that_asks_for_too_little_misses_some(policy: str, field: str, value: float) -> None:
    score = changed(policy, field, value)[policy]
    assert score.found < score.injected
