"""ClickHouse or Kafka away: nothing is dead-lettered, and afterwards everything is there once.

Without ClickHouse the gateway goes on. Without Kafka it can promise nothing: it says 503 and when to come again.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.conftest import Victim
from tests.faults.kit.campaign import Sent, load_of
from tests.faults.kit.checks import settled
from tests.faults.kit.driver import sending
from tests.faults.kit.system import System

pytestmark = [pytest.mark.fault, pytest.mark.kafka, pytest.mark.clickhouse]
SEED = 13
MAX_RSS_MB = 512.0
RATE_PER_S = 100.0
KAFKA_RATE_PER_S = 30.0
WAITING = ("gateway", "attribute", "journey", "sink")
MAX_GROWTH_MB = 64.0
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6


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
            memory_mb = {name: system.rss_mb(name) for name in WAITING}
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


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kafka_away_for_minutes(fresh: Path) -> None:
    """The broker is dead for 200 s while senders go on: each of them is told so, and sends again."""
    away_s, sent = 200, Sent()
    load = load_of("nokafka", SEED, events=(away_s + 12) * KAFKA_RATE_PER_S)
    with System(fresh) as system:
        sent.probe(system)
        old, before_mb = system.pid("kafka"), memory_mb(system)
        most_mb = dict(before_mb)
        with sending(load, system, KAFKA_RATE_PER_S, connections=200, give_up_s=away_s + 200) as running:
            time.sleep(5)
            system.signal("supervisor", signal.SIGSTOP)  # or it would start it again
            try:
                system.kill("kafka")
                gone = time.monotonic()
                while time.monotonic() - gone < away_s:
                    time.sleep(2)
                    most_mb = {name: max(mb, most_mb[name]) for name, mb in memory_mb(system).items()}
                during = running.answers()
            finally:
                system.signal("supervisor", signal.SIGCONT)
            back = time.monotonic()
            system.wait_ready("kafka", old)
            sent.probe(system, timeout_s=240)
            recovered_s = time.monotonic() - back
            answers = running.finish()
        acked = sent.took(load, answers)
        verdict, _ = sent.settled(system)
        letters = system.cli("dlq", "ls").stdout
    put_off, unadvised = (sum(getattr(a, what) for a in answers) for what in ("put_off", "unadvised"))
    grown_mb = {name: round(most_mb[name] - mb) for name, mb in before_mb.items()}
    print(f"\n{acked} acked, {put_off} x 503, {unadvised} without Retry-After, {len(answers) - len(during)} waited;")
    print(f"new ones on the map {recovered_s:.1f} s after; grown by MB {grown_mb}; {verdict}")
    assert verdict, str(verdict)
    assert len(answers) - len(during) > away_s * KAFKA_RATE_PER_S / 20, "nobody waited: Kafka was not away"
    assert put_off and not unadvised
    assert letters.strip() == ""
    assert max(grown_mb.values()) < MAX_GROWTH_MB, grown_mb


def memory_mb(system: System) -> dict[str, float]:
    """Resident memory of those who wait for Kafka; one that has ended meanwhile takes none."""
    found, pids = dict.fromkeys(WAITING, 0.0), system.run().pids
    for name in WAITING:
        with suppress(OSError):
            found[name] = int(Path(f"/proc/{pids.get(name, 0)}/statm").read_text().split()[1]) * PAGE_MB
    return found
