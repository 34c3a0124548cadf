"""How long the sink collects: as short as it may while there is little, longer while there is much, never for long."""

from __future__ import annotations

import pytest

from services.sink.cadence import COLLECT_MAX_S, COLLECT_S, Cadence


@pytest.mark.parametrize(
    ("items", "collect_s"),
    [(0, COLLECT_S), (1100, COLLECT_S), (1500, 0.6), (2000, COLLECT_MAX_S), (10_000, COLLECT_MAX_S)],
)
def test_it_collects_longer_after_a_large_batch(items: int, collect_s: float) -> None:
    cadence = Cadence()
    cadence.stored(items)
    assert cadence.collect_s == pytest.approx(collect_s)


def test_one_large_batch_is_forgotten() -> None:
    cadence = Cadence()
    cadence.stored(10_000)
    cadence.stored(100)
    assert cadence.collect_s == COLLECT_S


@pytest.mark.parametrize(("items_per_s", "collect_s"), [(1600, COLLECT_S), (4000, COLLECT_MAX_S)])
def test_it_settles(items_per_s: int, collect_s: float) -> None:
    """1,600 items are what 1,000 events a second come to, whose map must be fresh; here storing takes 0.25 s."""
    cadence = Cadence()
    for _ in range(20):
        cadence.stored(round(items_per_s * (cadence.collect_s + 0.25)))
    assert cadence.collect_s == collect_s
