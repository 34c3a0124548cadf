"""Questions about who is who: when they are asked, answered, settled, and that each worker asks the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.ids import BARE
from schemas.touchpoints import CleanTouchpoint
from streams.identity.company_names import company_name
from streams.identity.knowledge import Knowledge
from streams.identity.proposals import derived, same_account
from tests.journeys import at, touchpoint
from tests.unit.test_resolve_convergence import events, said, told_in_order

CONTACTS = [
    touchpoint("a", 0, "identify", aliases=("crm_contact:1", "anonymous:kiosk")),
    touchpoint("b", 5, "identify", aliases=("crm_contact:2", "anonymous:kiosk")),
]
ACME = touchpoint("crm", 0, "crm_record", account_refs=("crm:1",), account_traits={"name": "Acme Inc."})
SAYS = touchpoint("says", 3, "identify", aliases=("user:u1",), account_traits={"name": "ACME"})
SHARED = [
    touchpoint("c1", 0, account_refs=("crm:1",), account_traits={"domain": "acme.com"}),
    touchpoint("c2", 0, account_refs=("crm:2",), account_traits={"domain": "acme.com"}),
    touchpoint("ann", 1, aliases=("email:ann@acme.com",)),
]


def told(*history: CleanTouchpoint) -> Knowledge:
    return told_in_order(list(history)).knowledge


def standing(knowledge: Knowledge) -> list[tuple[str, str, str, str]]:
    return sorted((p.question, p.a, p.b, p.status) for p in knowledge.proposals)


def test_two_contacts_at_one_kiosk_and_what_people_say() -> None:
    assert standing(told(*CONTACTS)) == [("same_person", "anonymous:kiosk", "crm_contact:2", "open")]
    yes, no = (said("d", 9, verdict, "anonymous:kiosk", "crm_contact:2") for verdict in ("link", "unlink"))
    accepted = told(*CONTACTS, yes)
    assert standing(accepted) == [("same_person", "anonymous:kiosk", "crm_contact:2", "accepted")]
    assert accepted.graph.person("crm_contact:1") == accepted.graph.person("crm_contact:2")
    rejected = told(*CONTACTS, no)
    assert standing(rejected) == [("same_person", "anonymous:kiosk", "crm_contact:2", "rejected")]
    (answer,) = rejected.proposals
    assert (answer.by, answer.decided_at) == ("ops", no.occurred_at)


def test_a_name_is_only_a_question() -> None:
    knowledge = told(ACME, SAYS)
    assert standing(knowledge) == [("belongs", "user:u1", "crm:1", "open")]
    attribution = knowledge.attribute(SAYS)
    assert (attribution.method, [c.account_id for c in attribution.rejected]) == ("unidentified", ["crm:1"])
    answered = told(ACME, SAYS, said("d", 9, "belongs", "user:u1", ref="crm:1"))
    assert standing(answered) == [("belongs", "user:u1", "crm:1", "accepted")]
    assert (answered.attribute(SAYS).account_id, answered.attribute(SAYS).method) == ("crm:1", "membership")


def test_a_domain_two_accounts_share_is_asked_about_and_settled_by_a_membership() -> None:
    knowledge = told(*SHARED)
    assert standing(knowledge) == [
        ("belongs", "email:ann@acme.com", "crm:1", "open"),
        ("belongs", "email:ann@acme.com", "crm:2", "open"),
    ]
    knowledge.proposals.news.clear()
    for link in knowledge.learn(touchpoint("g", 5, "group", aliases=("email:ann@acme.com",), account_refs=("crm:1",))):
        knowledge.apply(link, knowledge.position + 1)
    assert standing(knowledge) == []
    assert {(p.b, p.status) for _, p in knowledge.proposals.news} == {("crm:1", "settled"), ("crm:2", "settled")}


MEMBER = [
    touchpoint("m1", 2, "crm_record", aliases=("crm_contact:1",), account_refs=("crm:1",)),
    touchpoint("m2", 3, "group", aliases=("crm_contact:1", "user:u1"), account_refs=("group:acme",)),
]
CLAIMS = touchpoint("g", 5, account_refs=("group:acme",), account_traits={"domain": "acme.com"})


@pytest.mark.parametrize("history", [[*SHARED, *MEMBER, CLAIMS], [*SHARED, CLAIMS, *MEMBER]], ids=["last", "first"])
def test_a_group_that_claims_a_domain_is_asked_about_whenever_it_does(history: list[CleanTouchpoint]) -> None:
    asked = [(b, status) for question, a, b, status in standing(told(*history)) if a == "email:ann@acme.com"]
    assert asked == [("crm:1", "open"), ("crm:2", "open"), ("group:acme", "open")]


def test_no_means_no_also_by_the_domain() -> None:
    history = [SHARED[0], SHARED[2], said("d", 9, "not_belongs", "email:ann@acme.com", ref="crm:1")]
    attribution = told(*history).attribute(SHARED[2])
    assert attribution.method == "unidentified"
    assert [candidate.why for candidate in attribution.rejected] == ["somebody decided that it is not theirs"]


def test_a_shared_device_does_not_ask_thousands_of_questions() -> None:
    kiosk = [touchpoint(f"e{n}", n, "identify", aliases=(f"crm_contact:{n}", "device:kiosk")) for n in range(400)]
    knowledge = told(*kiosk)
    assert list(knowledge.proposals) == []  # it is everybody's, and so nobody's


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=events(10), data=st.data())
def test_every_order_asks_the_same_and_tells_how_it_stands(history: list[CleanTouchpoint], data: st.DataObject) -> None:
    knowledge = told(*data.draw(st.permutations(history)))
    everyone = {*knowledge.graph.aliases(), *(alias for event in history for alias in event.aliases)}
    scratch = {found for alias in everyone for found in derived(knowledge.known, alias)}
    groups = {ref for event in history for ref in event.account_refs if ref.startswith(BARE)}
    scratch |= {found for group in groups for found in same_account(knowledge.followers, group)}
    assert set(knowledge.proposals) == scratch
    assert standing(knowledge) == standing(told(*history))
    last = {p.proposal_id: p for _, p in knowledge.proposals.news}
    assert {p for p in last.values() if p.status != "settled"} == scratch


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("Acme Inc.", "ACME", True),
        ("Acme GmbH", "acme gmbh & co. kg", True),
        ("Müller B.V.", "Muller", True),
        ("Acme S.A.", "Acme Sp. z o.o.", True),
        ("The Acme Company", "Acme Co., Ltd.", True),
        ("A.B.C. Ltd", "ABC", True),
        ("株式会社アクメ", "株式会社アクメ", True),
        ("Acme Holding", "Acme", False),
        ("Acme", "Acne", False),
        ("", "", False),
    ],
)
def test_company_names(one: str, other: str, equal: bool) -> None:
    assert (company_name(one) == company_name(other) != "") is equal


class _Case:
    """One membership history of user:u1, asked at some times."""

    def __init__(self, *history: CleanTouchpoint) -> None:
        self.knowledge = told(*history)

    def at(self, *seconds: float) -> list[str]:
        asked = [touchpoint("q", second, aliases=("user:u1",)) for second in seconds]
        return [self.knowledge.attribute(event).account_id.partition(":")[2] for event in asked]


def tie(name: str, seconds: float, account: str, action: str = "crm_record", **fields: Any) -> CleanTouchpoint:
    return touchpoint(name, seconds, action, aliases=("user:u1",), account_refs=(f"crm:{account}",), **fields)


def test_leaving_and_coming_back_in_any_order() -> None:
    history = [tie("j", 10, "1"), tie("l", 20, "1", "crm_removed"), tie("k", 30, "1"), tie("o", 22, "2")]
    for shuffled in (history, history[::-1], [history[2], history[0], history[3], history[1]]):
        assert _Case(*shuffled).at(5, 15, 21, 25, 35) == ["1", "1", _anon(), "2", "1"]


def test_a_later_statement_of_one_begin_stands_whatever_comes_first() -> None:
    first = tie("s1", 100, "1", valid_from=at(10), valid_to=at(20))
    later = tie("s2", 101, "1", valid_from=at(10), valid_to=at(30))
    for history in ([first, later], [later, first]):
        assert _Case(*history).at(9, 10, 29, 30) == [_anon(), "1", "1", _anon()]


def _anon() -> str:
    return Knowledge().attribute(touchpoint("q", 0, aliases=("user:u1",))).account_id.partition(":")[2]
