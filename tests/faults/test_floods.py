"""Short forms of the faults that are no kills; the long ones: `make faults`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.conftest import Victim
from tests.faults.kit.aside import aside_promises, letters_of, set_aside, set_aside_only, standings, until
from tests.faults.kit.campaign import Sent
from tests.faults.kit.disks import NotHere, full_disk, truncated_log
from tests.faults.kit.faults import Ground, Options, reports
from tests.faults.kit.floods import burst, hot_account, noisy_source
from tests.faults.kit.report import COLUMNS, Report, text_line
from tests.faults.kit.system import NOISY, System

pytestmark = [pytest.mark.fault, pytest.mark.kafka, pytest.mark.clickhouse]
SEED = 17


def check(report: Report) -> None:
    print(f"\n{text_line(COLUMNS)}\n{text_line(report.cells)}\n{report.note}")
    assert report.good, f"{report.note}\n{report.detail}"


def test_one_account_that_is_half_of_everything(victim: Victim) -> None:
    check(hot_account(victim.system, victim.sent, SEED, rate_per_s=100, lasts_s=8))


@pytest.mark.slow
def test_one_source_that_talks_nonsense(victim: Victim) -> None:
    check(noisy_source(victim.system, victim.sent, SEED, rate_per_s=60, lasts_s=8))


@pytest.mark.timeout(300)
def test_a_source_set_aside_and_resumed_while_its_process_is_killed(victim: Victim) -> None:
    check(set_aside(victim.system, victim.sent, SEED, rate_per_s=40, requests=60))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("place", ["parking_after_replay:kill:after=1", "parking_before_flowing:kill"])
def test_killed_at_each_step_of_a_resumption(fresh: Path, place: str) -> None:
    """After some of the backlog is read, before anybody is told; and after all of it, before the source flows."""
    with System(fresh, env={"TOUCHLINE_FAILPOINT": place}) as system:
        babble, sent = set_aside_only(system, requests=60), Sent()
        resuming = system.command("sources", "resume", NOISY)
        until(system, lambda _: "attribute was ended by SIGKILL" in " ".join(system.said().split()))
        resuming.kill()
        resuming.communicate()
        system.kill_all()
        system.start(env={})
        assert system.cli("sources", "resume", NOISY).returncode == 0
        sent.pairs += babble.acked
        verdict, _ = sent.settled(system)
        assert verdict, str(verdict)
        assert aside_promises(babble, letters_of(system), standings(system)) == []


def test_frozen_for_longer_than_a_session(victim: Victim, tmp_path: Path) -> None:
    ground = Ground(tmp_path, victim.sent, victim.system)
    for report in reports(ground, "sigstop", Options(1, SEED, 90, components=("sink",), freeze_s=12)):
        check(report)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_burst(fresh: Path) -> None:
    check(burst(fresh, SEED, lasts_s=9))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_logs_without_their_tails(fresh: Path) -> None:
    check(truncated_log(fresh, SEED, rate_per_s=60))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_full_disk(fresh: Path) -> None:
    try:
        check(full_disk(fresh, SEED, rate_per_s=60, lasts_s=15))
    except NotHere as error:
        pytest.skip(str(error))
