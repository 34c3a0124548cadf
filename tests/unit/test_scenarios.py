"""The labelled scenarios of tests/scenarios: what vendors sent, and what an analyst says it means."""

from __future__ import annotations

import random
from functools import cache
from itertools import chain
from unittest.mock import patch

import pytest

from streams.identity import attribution_rules
from streams.identity.knowledge import Knowledge
from tests.scenarios.compare import differences, disagreements
from tests.scenarios.corrupt import corrupted
from tests.scenarios.messages import understood
from tests.scenarios.model import Scenario, scenarios
from tests.scenarios.play import Seen, play
from tests.unit.test_resolve_convergence import told_in_order

ALL = scenarios()
HOLDING = {key: scenario for key, scenario in ALL.items() if not scenario.expected_failure}
MARKED = [
    pytest.param(
        key, marks=pytest.mark.xfail(reason=scenario.expected_failure, strict=True) if scenario.expected_failure else ()
    )
    for key, scenario in ALL.items()
]
played = cache(lambda key: play(ALL[key]))


def first(key: str) -> Seen:
    return next(iter(played(key).values()))


def report(scenario: Scenario, found: list[str]) -> str:
    why = [f"  Why: {scenario.why}"] if scenario.why else []
    return "\n".join([scenario.name, *(f"  {line}" for line in found), *why])


@pytest.mark.parametrize("key", MARKED)
def test_an_analyst_would_say_so(key: str) -> None:
    """Whatever the order of arrival; the orders also agree on what the scenario does not ask about."""
    found = {line: arrival for arrival, seen in played(key).items() for line in differences(ALL[key], seen)}
    for arrival, seen in played(key).items():
        found |= dict.fromkeys(disagreements(first(key), seen), arrival)
    if found:
        lines = [f"{line} [{arrival}]" for line, arrival in found.items()]
        pytest.fail(report(ALL[key], lines), pytrace=False)


@pytest.mark.parametrize("key", HOLDING)
def test_a_wrong_expectation_is_noticed(key: str) -> None:
    """Known bad: each expectation made wrong, one at a time."""
    unnoticed = [what for what, wrong in corrupted(ALL[key]) if not differences(wrong, first(key))]
    assert not unnoticed


#: An address known from a decision alone; recalls reached it late once.
DECIDED_ALONE = (
    "decisions: An operator knows that the private address is hers",
    "decisions: Who left the company kept the address",
)


@pytest.mark.parametrize("key", ALL)
def test_repair_is_complete(key: str) -> None:
    """Attribution alone, in many more orders: what was stored is what full knowledge says."""
    assert left_behind(key, orders=60 if key in DECIDED_ALONE else 12) == []


def left_behind(key: str, orders: int) -> list[str]:
    events = list(chain.from_iterable(understood(ALL[key])[0].values()))
    found = []
    for seed in range(orders):
        world = told_in_order(random.Random(seed).sample(events, len(events)))
        for event, attribution in world.stored.values():
            final = world.knowledge.attribute(event)
            if not attribution.decides_like(final):
                found.append(f"{event.vendor_type} at {attribution.account_id}, not {final.account_id} [order {seed}]")
    return found


@pytest.mark.parametrize("position", range(len(attribution_rules.RULES) - 1))
def test_two_rules_swapped_are_noticed(position: int) -> None:
    """Known bad: an account rule asked before the one that goes before it."""
    swapped = list(attribution_rules.RULES)
    swapped[position : position + 2] = swapped[position + 1], swapped[position]
    concerned = [scenario for key, scenario in HOLDING.items() if key.startswith(("domains", "memberships"))]
    with patch.object(attribution_rules, "RULES", tuple(swapped)):
        assert any(differences(scenario, seen) for scenario in concerned for seen in play(scenario).values())


def test_without_repair_late_truth_is_missed() -> None:
    """Known bad: links are learned, but nobody's stored touchpoints are attributed again."""
    apply = Knowledge.apply
    late = [scenario for key, scenario in HOLDING.items() if key.startswith("late_truth")]
    with patch.object(Knowledge, "apply", lambda self, link, position: apply(self, link, position) and []):
        assert any(differences(scenario, seen) for scenario in late for seen in play(scenario).values())


def test_there_are_enough_of_them() -> None:
    assert len(ALL) >= 240
