"""What is remembered of a kind of event is only what its kind decides."""

from __future__ import annotations

from itertools import permutations

import pytest

from schemas.blueprint import TouchpointType
from schemas.matching import Match
from streams.matching.recognition import Recognition
from tests.journeys import touchpoint

TYPES = [
    TouchpointType(id="any", name="", phase="p", match=(Match(action="click"),)),
    TouchpointType(id="pro", name="", phase="p", match=(Match(action="click", properties={"plan": ("pro",)}),)),
    TouchpointType(id="paged", name="", phase="p", match=(Match(action="page_view", page="/a*"),)),
]
PRO, FREE = {"plan": "pro"}, {"plan": "free"}
BARE: dict[str, str] = {}


@pytest.mark.parametrize("order", list(permutations([(PRO, "pro"), (FREE, "any"), (BARE, "any")])))
def test_events_of_one_kind_are_told_apart_by_their_properties_in_any_order(
    order: tuple[tuple[dict[str, str], str], ...],
) -> None:
    recognition = Recognition(TYPES)
    for _ in range(2):
        found = [recognition.type_of(touchpoint("e", 0, "click", properties=said)).id for said, _ in order]
        assert found == [expected for _, expected in order]


def test_what_the_kind_decides_is_decided_once() -> None:
    recognition = Recognition(TYPES)
    seen = touchpoint("e", 0, page="/about", properties={"plan": "pro"})
    assert recognition.type_of(seen).id == "paged"
    (kind,) = recognition._kinds.values()
    assert kind.settled is not None and kind.settled.id == "paged"
    recognition.type_of(touchpoint("e", 0, "click"))
    assert [kind.settled is None for kind in recognition._kinds.values()] == [False, True]
