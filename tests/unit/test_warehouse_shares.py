"""How readers share the processors."""

from __future__ import annotations

import pytest

from services.embedded.clickhouse.settings.shares import READERS, SERVICES, Ranks, Share, share


@pytest.mark.parametrize(
    ("processors", "most_threads", "expected"),
    [
        (1, 2, Share(1, 1)),
        (2, 2, Share(1, 1)),
        (3, 2, Share(2, 1)),
        (4, 2, Share(2, 1)),
        (8, 2, Share(2, 3)),
        (8, 64, Share(7, 1)),
        (64, 2, Share(2, 31)),
    ],
)
def test_one_processor_is_left_for_services(processors: int, most_threads: int, expected: Share) -> None:
    found = share(processors, most_threads)
    assert found == expected
    assert processors == 1 or found.threads * found.at_once < processors


@pytest.mark.parametrize("at_once", [1, 3])
def test_who_began_later_goes_first_and_nobody_before_services(at_once: int) -> None:
    ranks = Ranks(at_once)
    found = [ranks.following() for _ in range(12)]
    assert found == sorted(found, reverse=True)
    assert {found.count(rank) for rank in found} == {at_once}
    assert min(found) > READERS > SERVICES
