"""The disk is lost. What was backed up while events came in goes on, and what came later is sent again."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

from tests.faults.kit.campaign import load_of
from tests.faults.kit.checks import judged, settled
from tests.faults.kit.driver import sending
from tests.faults.kit.lag import wait_idle
from tests.faults.kit.oracle import expected
from tests.faults.kit.scenario import Scenario
from tests.faults.kit.system import System

pytestmark = [pytest.mark.fault, pytest.mark.kafka, pytest.mark.clickhouse, pytest.mark.slow]
SEED = 23
RATE_PER_S = 60.0


@pytest.mark.timeout(420)
def test_a_restored_backup_and_what_is_sent_again_make_the_whole_map(tmp_path: Path) -> None:
    load, backup = load_of("backup", SEED, events=1500), tmp_path / "backup"
    with System(tmp_path / "data") as system:
        with sending(load, system, RATE_PER_S) as running, ThreadPoolExecutor(1) as beside:
            taking = beside.submit(system.cli, "backup", str(backup))
            answers = running.finish()
            taken = taking.result()
        assert taken.returncode == 0, taken.stderr
        assert {answer.status for answer in answers} == {200}
        print(taken.stdout, taken.stderr, "put off:", sum(answer.put_off for answer in answers))
        assert json.loads(taken.stdout)["stopped_s"] > 0, "Kafka was away under load"
        sent = [(load.calls[answer.index], answer.at_s) for answer in answers]
        assert (verdict := settled(system, sent)), str(verdict)

        system.stop()
        shutil.rmtree(system.data)
        restored = system.cli("restore", str(backup))
        assert restored.returncode == 0, restored.stderr
        taken_at_s = datetime.fromisoformat(json.loads(restored.stdout)["taken_at"]).timestamp()
        system.start()
        wait_idle(system)
        assert judged(system, expected(sent)).lost, "known bad: what came after the backup is not in it"
        assert not judged(system, expected([pair for pair in sent if pair[1] < taken_at_s])).lost

        later = tuple(call for call, at_s in sent if at_s >= taken_at_s)
        with sending(Scenario("again", SEED, later), system, 500.0) as running:
            assert {answer.status for answer in running.finish()} == {200}
        assert (verdict := settled(system, sent)), str(verdict)
        verified = system.cli("verify")
        assert verified.returncode == 0, verified.stdout
