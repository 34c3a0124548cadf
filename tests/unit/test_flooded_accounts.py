"""What a write key in a web page may tell without end: the work of each event stays bounded."""

from __future__ import annotations

from unittest.mock import patch

from streams.resolve import memberships as memberships_module
from streams.resolve.knowledge import Knowledge
from streams.resolve.memberships import MAX_SEEN
from tests.journeys import touchpoint


def groups(count: int, *, latest_first: bool = False) -> Knowledge:
    """One browser that names a new group each time."""
    knowledge = Knowledge()
    for n in range(count):
        event = touchpoint(
            f"g{n}", -n if latest_first else n, "group", aliases=("user:u1",), account_refs=(f"group:{n:04}",)
        )
        for link in knowledge.learn(event):
            knowledge.apply(link, n + 1)
    return knowledge


def stints(knowledge: Knowledge) -> int:
    return len(knowledge.known.standing(knowledge.graph.person("user:u1").aliases).stints)


def test_the_accounts_somebody_is_seen_with_count_up_to_a_limit() -> None:
    assert stints(groups(3 * MAX_SEEN)) == stints(groups(3 * MAX_SEEN, latest_first=True)) == MAX_SEEN


def test_without_the_limit_all_would() -> None:
    """Known bad: each event looks at all of them."""
    with patch.object(memberships_module, "MAX_SEEN", 10**9):
        assert stints(groups(3 * MAX_SEEN)) == 3 * MAX_SEEN


def test_where_they_were_is_known_of_all_and_told_once() -> None:
    knowledge = groups(3 * MAX_SEEN)
    assert len(knowledge.memberships.accounts(("user:u1",))) == 3 * MAX_SEEN
    again = touchpoint("later", 10_000, "group", aliases=("user:u1",), account_refs=(f"group:{3 * MAX_SEEN - 1:04}",))
    assert knowledge.learn(again) == []
