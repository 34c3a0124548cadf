"""A group whose members are of several customers: people are asked which one it is, and their answer holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.links import Link
from schemas.touchpoints import CleanTouchpoint, RawRequest
from services.dashboard.answers import decision
from streams.connectors.own.touchline import touchpoint as record_of
from streams.identity import memberships as memberships_module
from streams.identity.knowledge import Knowledge
from streams.identity.learning import implied
from streams.identity.memberships import MAX_REMEMBERED, MAX_SEEN
from tests.journeys import AS_OF, at, touchpoint
from tests.unit.test_resolve_convergence import World, told_in_order

GROUP = "group:acme"


def contact(number: int, account: str) -> CleanTouchpoint:
    return touchpoint(f"c{number}", number, "crm_record", aliases=(f"crm_contact:{number}",), account_refs=(account,))


def joins(number: int) -> CleanTouchpoint:
    return touchpoint(f"g{number}", 10 + number, "group", aliases=(f"crm_contact:{number}",), account_refs=(GROUP,))


def decided(name: str, seconds: float, verdict: str, account: str) -> CleanTouchpoint:
    told = {"verdict": verdict, "by": "ops"}
    return touchpoint(name, seconds, "decision", aliases=(GROUP,), account_refs=(account,), properties=told)


OF_TWO = [contact(1, "crm:1"), contact(2, "crm:1"), contact(3, "crm:2"), *map(joins, (1, 2, 3))]
YES = decided("d1", 50, "belongs", "crm:1")
NO = decided("d2", 60, "not_belongs", "crm:2")


def asked(knowledge: Knowledge) -> dict[str, tuple[str, float, str]]:
    found = [p for p in knowledge.proposals if p.question == "same_account"]
    assert all(p.a == GROUP for p in found)
    return {p.b: (p.status, p.confidence, p.reason) for p in found}


def where(world: World) -> set[str]:
    """The accounts that the group's own events are in."""
    return {place.account_id for name, place in world.places().items() if name.startswith("g")}


def test_it_is_asked_which_of_the_accounts_it_is_and_how_many_say_so() -> None:
    world = told_in_order(OF_TWO)
    why = "of its 3 members that the CRM knows belong to it, the others do not"
    assert asked(world.knowledge) == {"crm:1": ("open", 0.6, f"2 {why}"), "crm:2": ("open", 0.3, f"1 {why}")}
    assert where(world) == {GROUP}
    assert all(p.evidence == "g1" and p.since == at(11) for p in world.knowledge.proposals)


@pytest.mark.parametrize("answer", [YES, NO])
def test_a_yes_makes_it_that_account_and_a_no_leaves_the_other(answer: CleanTouchpoint) -> None:
    world = told_in_order([*OF_TWO, answer])
    assert where(world) == {"crm:1"}
    status = {account: said[0] for account, said in asked(world.knowledge).items()}
    assert status == ({"crm:1": "accepted"} if answer is YES else {"crm:2": "rejected"})


def test_the_last_answer_holds_also_against_its_members() -> None:
    world = told_in_order([contact(1, "crm:1"), joins(1), decided("d", 50, "belongs", "crm:2")])
    assert where(world) == {"crm:2"}
    world.receive(decided("e", 60, "not_belongs", "crm:2"))
    assert where(world) == {"crm:1"}
    world.receive(decided("f", 70, "not_belongs", "crm:1"))
    assert where(world) == {GROUP}


@settings(max_examples=60, deadline=None)
@given(order=st.permutations([*OF_TWO, YES, NO, decided("d3", 55, "not_belongs", "crm:1")]), data=st.data())
def test_any_order_gives_the_same_questions_and_accounts_also_at_a_start(
    order: list[CleanTouchpoint], data: st.DataObject
) -> None:
    first, world = told_in_order(sorted(order, key=lambda event: event.occurred_at)), told_in_order(order)
    assert world.places() == first.places()
    assert asked(world.knowledge) == asked(first.knowledge)
    links: list[Link] = [link for event in data.draw(st.permutations(order)) for link in implied(event)]
    fresh = Knowledge()
    fresh.load(links, 1)
    assert asked(fresh) == asked(first.knowledge)
    assert {fresh.attribute(joins(n)).account_id for n in (1, 2, 3)} == where(first)


def test_a_group_of_too_many_accounts_is_not_asked_about() -> None:
    many = [contact(number, f"crm:{number}") for number in range(6)]
    assert asked(told_in_order([*many, *map(joins, range(6))]).knowledge) == {}


def test_an_answer_on_the_page_is_a_record_that_means_the_group() -> None:
    row: dict[str, Any] = {"kind": "same_account", "a": "group:p:acme", "b": "crm:c:1", "proposal_id": "x"}
    for answer, verdict in (("accept", "belongs"), ("reject", "not_belongs")):
        told = decision(row, answer, "ops", AS_OF)  # type: ignore[arg-type]
        request = RawRequest(request_id="", source="ops", vendor="touchline", received_at=AS_OF, body="")
        read = record_of(told, {}, request)
        assert isinstance(read, CleanTouchpoint)
        assert (read.aliases, read.account_refs) == (("group:p:acme",), ("crm:c:1",))
        (link,) = implied(read)
        assert (link.a, link.b, link.verdict) == ("group:p:acme", "crm:c:1", verdict)  # type: ignore[union-attr]


def test_without_heeding_the_answer_it_stays_where_it_was() -> None:
    """Known bad: nobody tells the writers of the group's account."""
    deaf = World(heed_recalls=False)
    for event in [*OF_TWO, YES]:
        deaf.receive(event)
    assert GROUP in where(deaf)


def in_groups(numbers: Iterable[int]) -> list[CleanTouchpoint]:
    """Somebody whom the CRM has at two accounts, in so many groups."""
    at_two = [
        contact(1, "crm:1"),
        touchpoint("c2", 2, "crm_record", aliases=("crm_contact:1",), account_refs=("crm:2",)),
    ]
    return at_two + [
        touchpoint(f"g{n}", 10 + n, "group", aliases=("crm_contact:1",), account_refs=(f"group:{n:04}",))
        for n in numbers
    ]


def asked_groups(knowledge: Knowledge) -> dict[tuple[str, str], tuple[str, object]]:
    return {(p.a, p.b): (p.evidence, p.since) for p in knowledge.proposals if p.question == "same_account"}


def learned(events: Iterable[CleanTouchpoint]) -> tuple[Knowledge, list[Link]]:
    knowledge, links = Knowledge(), list[Link]()
    for event in events:
        for link in knowledge.learn(event):
            links.append(link)
            knowledge.apply(link, len(links))
    return knowledge, links


@pytest.mark.parametrize("count", [MAX_SEEN + 1, MAX_SEEN + MAX_REMEMBERED, MAX_SEEN + MAX_REMEMBERED + 20])
@pytest.mark.parametrize("latest_first", [False, True])
def test_it_is_asked_of_groups_beyond_those_that_count_and_of_no_forgotten_one(count: int, latest_first: bool) -> None:
    events = in_groups(reversed(range(count)) if latest_first else range(count))
    knowledge, links = learned(events)
    most = min(count, MAX_SEEN + MAX_REMEMBERED)
    wanted = {(f"group:{n:04}", account): (f"g{n}", at(10 + n)) for n in range(most) for account in ("crm:1", "crm:2")}
    assert asked_groups(knowledge) == wanted
    fresh = Knowledge()
    fresh.load(links, 1)
    assert asked_groups(fresh) == wanted


@settings(max_examples=60, deadline=None)
@given(order=st.permutations(in_groups(range(8))), data=st.data())
def test_any_order_forgets_the_same_groups(order: list[CleanTouchpoint], data: st.DataObject) -> None:
    with patch.multiple(memberships_module, MAX_SEEN=2, MAX_REMEMBERED=3):
        first, (knowledge, _) = learned(in_groups(range(8)))[0], learned(order)
        assert asked_groups(knowledge) == asked_groups(first) and len(asked_groups(first)) == 10
        # which others were considered may differ: those in a group that is forgotten are not told to look again
        whose = [{name: place.account_id for name, place in told_in_order(some).places().items()}
                 for some in (order, in_groups(range(8)))]  # fmt: skip
        assert whose[0] == whose[1]
        fresh = Knowledge()
        fresh.load([link for event in data.draw(st.permutations(order)) for link in implied(event)], 1)
        assert asked_groups(fresh) == asked_groups(first)
