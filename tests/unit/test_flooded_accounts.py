"""What a write key in a web page may tell without end: the work of each event stays bounded."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from streams.identity import attribution_rules
from streams.identity import directory as directory_module
from streams.identity import memberships as memberships_module
from streams.identity import recalls as recalls_module
from streams.identity.directory import MAX_CLAIMANTS
from streams.identity.knowledge import Knowledge
from streams.identity.memberships import MAX_SEEN
from tests.journeys import touchpoint
from tests.naive_attribution import differences, naive
from tests.unit.test_resolve_convergence import told_in_order


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


def looked_at(accounts: int, host: str = "acme.com") -> int:
    """How many homes of people at a host are looked at by the last of some claims of its domain."""
    knowledge, looked = Knowledge(), list[object]()
    for n in range(30):
        for link in knowledge.learn(touchpoint(f"p{n}", n, aliases=(f"email:p{n}@{host}",))):
            knowledge.apply(link, knowledge.position + 1)

    def count(known: Any, person: Any) -> Any:
        looked.append(person)
        return HOME(known, person)

    for n in range(accounts):
        claim = touchpoint(f"c{n}", n, "group", account_refs=(f"group:{n:03}",), account_traits={"domain": "acme.com"})
        with patch.object(recalls_module, "home", count):
            looked.clear()
            for link in knowledge.learn(claim):
                knowledge.apply(link, knowledge.position + 1)
    return len(looked)


HOME = attribution_rules.home


def test_claims_of_a_domain_that_very_many_claim_are_no_news() -> None:
    assert looked_at(MAX_CLAIMANTS) >= 30
    assert looked_at(2 * MAX_CLAIMANTS) == looked_at(2 * MAX_CLAIMANTS, "eu.acme.com") == 0


def test_without_that_limit_each_would_be() -> None:
    """Known bad: everybody at the host is looked at, and recalled, by each claim."""
    with patch.object(directory_module, "MAX_CLAIMANTS", 10**9):
        assert looked_at(2 * MAX_CLAIMANTS) >= 30


def test_a_claim_of_a_host_nearer_than_the_crowded_one_is_news() -> None:
    events = [touchpoint("p", 0, aliases=("email:p@eu.acme.com",))]
    events += [
        touchpoint(f"c{n}", n, "group", account_refs=(f"group:{n}",), account_traits={"domain": "acme.com"})
        for n in range(2 * MAX_CLAIMANTS)
    ]
    events.append(touchpoint("d", 99, "group", account_refs=("group:d",), account_traits={"domain": "eu.acme.com"}))
    world = told_in_order(events)
    assert differences(naive(events), world.places()) == []
    assert world.places()["p"].account_id == "group:d"
