"""ClickHouse away: the gateway goes on, nothing is dead-lettered, and afterwards everything is there."""

from __future__ import annotations

import signal
import time

import pytest

from tests.faults.conftest import Victim
from tests.faults.kit.campaign import load_of
from tests.faults.kit.checks import settled
from tests.faults.kit.driver import sending

pytestmark = [pytest.mark.fault, pytest.mark.kafka, pytest.mark.clickhouse]
SEED = 13
MAX_RSS_MB = 512.0
RATE_PER_S = 100.0


@pytest.mark.timeout(420)
@pytest.mark.parametrize("away_s", [8, pytest.param(60, marks=pytest.mark.slow)])
def test_clickhouse_away(victim: Victim, away_s: int) -> None:
    system, load = victim.system, load_of(f"away{away_s}", SEED, events=(away_s + 6) * RATE_PER_S)
    letters = system.cli("dlq", "ls").stdout
    old = system.pid("clickhouse")
    with sending(load, system, RATE_PER_S) as running:
        time.sleep(2)
        system.signal("supervisor", signal.SIGSTOP)  # or it would start it again
        try:
            system.kill("clickhouse")
            time.sleep(away_s)
            during = running.answers()
            memory_mb = {name: system.rss_mb(name) for name in ("gateway", "normalise", "resolve", "journey", "sink")}
        finally:
            system.signal("supervisor", signal.SIGCONT)
        back = time.monotonic()
        system.wait_ready("clickhouse", old)
        answers = running.finish()
    assert len(during) > away_s * RATE_PER_S / 10
    assert {answer.status for answer in during} == {200}
    assert max(answer.attempts for answer in during) == 1, "the gateway did not notice"
    victim.sent.pairs += [(load.calls[answer.index], answer.at_s) for answer in answers]
    verdict = settled(system, victim.sent.pairs, timeout_s=120)
    print(f"\nall there {time.monotonic() - back:.1f} s after; memory {memory_mb}")
    assert verdict, str(verdict)
    assert system.cli("dlq", "ls").stdout == letters
    assert max(memory_mb.values()) < MAX_RSS_MB, memory_mb
