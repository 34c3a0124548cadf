"""The labelled scenarios of tests/scenarios: what vendors sent, and what an analyst says it means."""

from __future__ import annotations

from functools import cache
from unittest.mock import patch

import pytest

from streams.resolve import rules
from tests.scenarios.compare import differences, disagreements
from tests.scenarios.corrupt import corrupted
from tests.scenarios.model import Scenario, scenarios
from tests.scenarios.play import Seen, play

ALL = scenarios()
HOLDING = {key: scenario for key, scenario in ALL.items() if not scenario.expected_failure}
played = cache(lambda key: play(ALL[key]))


def first(key: str) -> Seen:
    return next(iter(played(key).values()))


def report(scenario: Scenario, found: list[str]) -> str:
    why = [f"  Why: {scenario.why}"] if scenario.why else []
    return "\n".join([scenario.name, *(f"  {line}" for line in found), *why])


@pytest.mark.parametrize("key", ALL)
def test_an_analyst_would_say_so(key: str, request: pytest.FixtureRequest) -> None:
    """Whatever the order of arrival."""
    scenario = ALL[key]
    if scenario.expected_failure:
        request.applymarker(pytest.mark.xfail(reason=scenario.expected_failure))
    wrong = {arrival: found for arrival, seen in played(key).items() if (found := differences(scenario, seen))}
    if wrong:
        arrivals = ", ".join(wrong)
        pytest.fail(f"{report(scenario, next(iter(wrong.values())))}\n  Arrival: {arrivals}", pytrace=False)


@pytest.mark.parametrize("key", ALL)
def test_every_order_of_arrival_ends_the_same(key: str) -> None:
    """Also in what the scenario does not ask about."""
    found = [line for seen in played(key).values() for line in disagreements(first(key), seen)]
    found = [line for line in found if ".rejected: " not in line]  # see the next test
    assert not found, report(ALL[key], found)


@pytest.mark.xfail(reason="candidates that appear later are not told of an attribution that decides as before")
def test_every_order_of_arrival_rejects_the_same() -> None:
    found = [line for key in ALL for seen in played(key).values() for line in disagreements(first(key), seen)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("key", HOLDING)
def test_a_wrong_expectation_is_noticed(key: str) -> None:
    """Known bad: each expectation made wrong, one at a time."""
    unnoticed = [what for what, wrong in corrupted(ALL[key]) if not differences(wrong, first(key))]
    assert not unnoticed


@pytest.mark.parametrize("position", range(len(rules.RULES) - 3))
def test_two_rules_swapped_are_noticed(position: int) -> None:
    """Known bad: an account rule asked before the one that goes before it."""
    swapped = list(rules.RULES)
    swapped[position : position + 2] = swapped[position + 1], swapped[position]
    concerned = [scenario for key, scenario in HOLDING.items() if key.startswith(("domains", "memberships"))]
    with patch.object(rules, "RULES", tuple(swapped)):
        assert any(differences(scenario, seen) for scenario in concerned for seen in play(scenario).values())


def test_there_are_enough_of_them() -> None:
    assert len(ALL) >= 75
