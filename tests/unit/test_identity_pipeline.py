"""Identity through attribution, journey and refold: whatever is decided or undone, the map is as it would be."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.touchpoints import CleanTouchpoint
from streams.identity.graph import IdentityGraph
from tests.journeys import touchpoint
from tests.unit.test_pipeline_convergence import oracle, played, streams

LATE_S = 50_000
FEW = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
Rows = dict[str, tuple[object, ...]]


def said(name: str, seconds: float, verdict: str, a: str, b: str) -> CleanTouchpoint:
    properties = {"verdict": verdict, "by": "ops"}
    return touchpoint(name, seconds, "decision", aliases=(a, b), properties=properties)


def of_the_events(rows: Rows) -> Rows:
    """Without the decisions' own touchpoints and the accounts that count these."""
    return {key: row for key, row in rows.items() if not key.startswith(("d", "account:"))}


@FEW
@given(stream=streams(), seed=st.integers(0, 10_000), data=st.data())
def test_decisions_anywhere_in_the_stream_end_at_the_oracle(
    stream: list[CleanTouchpoint], seed: int, data: st.DataObject
) -> None:
    known = ["anonymous:a1", "anonymous:a2", "email:ann@acme.com", "email:bob@beta.nl", "user:u1", "crm_contact:7"]
    a, b = data.draw(st.lists(st.sampled_from(known), min_size=2, max_size=2, unique=True))
    verdict = data.draw(st.sampled_from(["link", "unlink"]))
    decided = data.draw(st.permutations([*stream, said("d1", LATE_S, verdict, a, b)]))
    assert played(decided, seed) == oracle(decided)


@FEW
@given(stream=streams(), seed=st.integers(0, 10_000), data=st.data())
def test_a_link_that_is_cut_brings_back_the_map_that_would_have_been(
    stream: list[CleanTouchpoint], seed: int, data: st.DataObject
) -> None:
    """Strangers are made one, late or early, and told apart again: every row is as if nobody had spoken."""
    a, b = data.draw(st.sampled_from([("anonymous:a1", "email:bob@beta.nl"), ("user:u2", "crm_contact:7")]))
    decisions = [said("d1", LATE_S, "link", a, b), said("d2", LATE_S + 1, "unlink", a, b)]
    decided = data.draw(st.permutations([*stream, *decisions]))
    assert of_the_events(played(decided, seed)) == of_the_events(played(stream, seed))


def _keeps_joined(self: IdentityGraph, decision: Any) -> Any:
    return DECIDE(self, decision) if decision.verdict == "link" else []


DECIDE = IdentityGraph.decide


def test_a_cut_that_leaves_something_behind_is_caught() -> None:
    """Known bad: what was joined stays joined."""
    stream = [
        touchpoint("e1", 0, "page_view", aliases=("anonymous:a1",), page="/pricing"),
        touchpoint("e2", 9, "identify", aliases=("email:bob@beta.nl",)),
    ]
    decided = [
        *stream,
        said("d1", LATE_S, "link", "anonymous:a1", "email:bob@beta.nl"),
        said("d2", LATE_S + 1, "unlink", "anonymous:a1", "email:bob@beta.nl"),
    ]
    assert of_the_events(played(decided, 1)) == of_the_events(played(stream, 1))
    with patch.object(IdentityGraph, "decide", _keeps_joined):
        assert of_the_events(played(decided, 1)) != of_the_events(played(stream, 1))
