"""`kill -9` under load: every acked event visible once, nothing invented, and the map equal to the oracle's."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import pytest

from tests.faults.conftest import Victim
from tests.faults.kit.campaign import COMPONENTS, EVERYTHING, Campaign, Sent, campaign, load_of
from tests.faults.kit.checks import settled
from tests.faults.kit.driver import sending
from tests.faults.kit.report import COLUMNS, Report, text_line
from tests.faults.kit.system import System

pytestmark = [pytest.mark.fault, pytest.mark.kafka, pytest.mark.clickhouse]
SEED = 7

#: Places which a process is killed at, once each: at the start of its work, and before it may say that it is done.
EARLY = {
    "gateway": "gateway_after_read", "attribute": "attribute_after_read",
    "journey": "journey_after_read", "sink": "sink_before_insert",
}  # fmt: skip
LATE = {
    "gateway": "gateway_after_ack", "attribute": "attribute_before_ack",
    "journey": "journey_before_ack", "sink": "sink_after_insert",
}  # fmt: skip
LAST = {"attribute": "attribute_after_links", "sink": "sink_before_commit"}


def check(report: Report) -> None:
    print(f"\n{text_line(COLUMNS)}\n{text_line(report.cells)}\n{report.note}")
    assert report.good, report.note + report.detail


def test_each_store_killed_in_turn(victim: Victim) -> None:
    """In every run; the services die at their failpoints below."""
    check(campaign(victim.system, victim.sent, Campaign(("kafka", "clickhouse"), runs=1, seed=SEED)))


def test_the_whole_tree_killed_at_once(victim: Victim) -> None:
    check(campaign(victim.system, victim.sent, Campaign((EVERYTHING,), runs=1, seed=SEED)))
    assert "ended without a stop" in victim.system.said()


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("component", COMPONENTS)
def test_ten_kills(victim: Victim, component: str) -> None:
    check(campaign(victim.system, victim.sent, Campaign((component,), runs=10, seed=SEED)))


@pytest.mark.parametrize(
    "places",
    [
        pytest.param(EARLY, id="early", marks=pytest.mark.slow),
        pytest.param(LATE, id="late"),
        pytest.param(LAST, id="last", marks=pytest.mark.slow),
    ],
)
def test_killed_at_each_failpoint(fresh: Path, places: dict[str, str]) -> None:
    armed = ",".join(f"{place}:kill:after=3" for place in places.values())
    load, sent = load_of(f"at{len(armed)}", SEED, events=900), Sent()
    system = System(fresh, env={"TOUCHLINE_FAILPOINT": armed})
    try:
        system.start()
        with sending(load, system, rate_per_s=150.0) as running:
            until = time.monotonic() + 60  # a gateway that dies at every third request lets little through
            while (left := [name for name in places if not _died(system, name)]) and time.monotonic() < until:
                time.sleep(0.3)
            system.kill_all()
            system.start(env={})
            answers = running.finish()
        assert not left, f"never killed at its failpoint: {left}"
        sent.pairs += [(load.calls[answer.index], answer.at_s) for answer in answers]
        verdict = settled(system, sent.pairs)
        assert verdict, str(verdict)
    finally:
        system.stop()


def _died(system: System, name: str) -> bool:
    return re.search(rf"^{name} +was ended by SIGKILL", system.said(), re.MULTILINE) is not None


@pytest.mark.slow
def test_a_frozen_journey_worker_that_comes_back_changes_nothing(victim: Victim) -> None:
    """Beyond its session another worker takes its accounts over; its late words must lose."""
    system, load = victim.system, load_of("zombie", SEED, events=1500)
    with sending(load, system, rate_per_s=80.0) as running:
        time.sleep(3)
        frozen = system.pid("journey")
        system.signal("journey", signal.SIGSTOP)
        try:
            with system.twin("journey") as second:
                time.sleep(14)
                assert second.poll() is None, "the second worker ended"
                system.signal("journey", signal.SIGCONT)
                answers = running.finish()
                victim.sent.pairs += [(load.calls[answer.index], answer.at_s) for answer in answers]
                verdict = settled(system, victim.sent.pairs)
                second.terminate()
                second.wait(30)
        finally:
            if system.run().pids.get("journey") == frozen:
                system.signal("journey", signal.SIGCONT)
    assert verdict, str(verdict)
    after = settled(system, victim.sent.pairs)
    assert after, str(after)
