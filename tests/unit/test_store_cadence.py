"""How long the sink collects: fresh while storing is quick, in larger batches while it is not, never for long."""

from __future__ import annotations

import pytest

from services.store.cadence import COLLECT_MAX_S, COLLECT_S, Cadence


@pytest.mark.parametrize(
    ("took_s", "collect_s"),
    [(0.0, COLLECT_S), (0.2, COLLECT_S), (0.3, 0.6), (0.45, 0.9), (0.6, COLLECT_MAX_S), (3600.0, COLLECT_MAX_S)],
)
def test_it_collects_twice_as_long_as_storing_takes(took_s: float, collect_s: float) -> None:
    cadence = Cadence()
    cadence.stored(took_s)
    assert cadence.collect_s == pytest.approx(collect_s)


def test_it_starts_fresh_and_one_slow_batch_is_forgotten() -> None:
    cadence = Cadence()
    assert cadence.collect_s == COLLECT_S
    cadence.stored(30.0)
    cadence.stored(0.1)
    assert cadence.collect_s == COLLECT_S
