"""The single best regression test: everything sent again, everything replayed, and no figure changes."""

from __future__ import annotations

import json
import time

import pytest

from tests.faults.conftest import Victim
from tests.faults.kit.campaign import load_of
from tests.faults.kit.checks import differences, dump, judged, observed, settled
from tests.faults.kit.driver import sending
from tests.faults.kit.lag import wait_idle
from tests.faults.kit.oracle import expected
from tests.faults.kit.scenario import Scenario

pytestmark = [pytest.mark.fault, pytest.mark.kafka, pytest.mark.clickhouse]
SEED = 11
AS_FAST_AS_IT_GOES = 500.0


@pytest.mark.timeout(420)
def test_everything_sent_twice_and_replayed_changes_no_figure(victim: Victim) -> None:
    system, load = victim.system, load_of("repeats", SEED, events=800)
    with sending(load, system, AS_FAST_AS_IT_GOES) as running:
        victim.sent.pairs += [(load.calls[answer.index], answer.at_s) for answer in running.finish()]
    verdict = settled(system, victim.sent.pairs)
    assert verdict, str(verdict)
    wait_idle(system)
    before = dump(system)
    assert before["touchpoints"] and before["signals"] and before["account_phases"] and before["journey_map"]

    again = Scenario("again", SEED, load.calls)
    with sending(again, system, AS_FAST_AS_IT_GOES) as running:
        assert {answer.status for answer in running.finish()} == {200}
    wait_idle(system)
    assert _changed(before, dump(system)) == {}

    done = system.cli("replay", "--from-beginning")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["records"] > 0
    wait_idle(system)
    assert _changed(before, dump(system)) == {}
    verdict = judged(system, expected(victim.sent.pairs))
    assert verdict, str(verdict)
    verified = system.cli("verify")
    assert verified.returncode == 0, verified.stdout


def test_a_wrong_figure_would_be_seen(victim: Victim) -> None:
    """Known bad: the comparison must catch one event too many, one too few, and one moved elsewhere."""
    pairs = [(call, time.time()) for call in load_of("seen", SEED, events=300).calls]
    should, fewer = expected(pairs), expected(pairs[: len(pairs) // 2])
    assert differences(should, should) == {}
    assert {"touchpoints", "cells", "days", "accounts", "api"} <= differences(should, fewer).keys()
    moved = expected(pairs)
    some = next(iter(moved.touchpoints))
    moved.touchpoints[some] = {**moved.touchpoints[some], "account_id": "elsewhere"}
    assert differences(should, moved).keys() == {"touchpoints"}
    assert differences(should, observed(victim.system)), "the system was never sent these"


def _changed(before: dict[str, list[str]], after: dict[str, list[str]]) -> dict[str, tuple[list[str], list[str]]]:
    """View → (rows that went, rows that came), at most three each."""
    return {
        view: (sorted(set(rows) - set(after[view]))[:3], sorted(set(after[view]) - set(rows))[:3])
        for view, rows in before.items()
        if rows != after[view]
    }
