"""What one account, alias or chain of decisions may grow to: the same in any order, bounded, and reported."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from unittest.mock import patch

import pytest

from schemas.config import KafkaConfig
from schemas.links import AccountClaim, Decision, Edge, Link, Membership
from streams.identity import claims as claims_module
from streams.identity import graph as graph_module
from streams.identity import memberships as memberships_module
from streams.identity.graph import IdentityGraph
from streams.identity.knowledge import Knowledge
from streams.processors.links import LinksReader
from streams.runtime.metrics import Metrics
from tests.journeys import at

MAX_CLAIMS, MAX_CHANGES, MAX_SEEN, MAX_REMEMBERED, MAX_DECIDED = 10, 12, 10, 20, 20


@pytest.fixture(autouse=True)
def small_limits() -> Iterator[None]:
    with (
        patch.object(claims_module, "MAX_CLAIMS", MAX_CLAIMS),
        patch.object(memberships_module, "MAX_CHANGES", MAX_CHANGES),
        patch.object(memberships_module, "MAX_SEEN", MAX_SEEN),
        patch.object(memberships_module, "MAX_REMEMBERED", MAX_REMEMBERED),
        patch.object(graph_module, "MAX_DECIDED", MAX_DECIDED),
    ):
        yield


def claim(n: int, trait: str = "domain", account: str = "group:1", **fields: Any) -> AccountClaim:
    value = f"company{n}.com" if trait == "domain" else f"crm:{n}" if trait == "is" else f"Brand{n:03}"
    told = {"account_id": account, "trait": trait, "value": value, "since": at(n), "evidence": f"e{n}", "source": "w"}
    return AccountClaim.model_validate(told | fields)


def change(n: int, how: str = "joined", account: str = "") -> Membership:
    told = {"alias": "crm_contact:1", "account_id": account or f"crm:{n % 3}", "how": how, "since": at(n)}
    dates = {"valid_from": at(n), "valid_to": at(n + 1)} if how == "stated" else {}
    return Membership.model_validate(told | dates | {"evidence": f"e{n}", "source": "crm"})


def link(n: int, other: int, verdict: str = "link") -> Decision:
    told = {"a": f"email:p{n}@acme.com", "b": f"email:p{other}@acme.com", "verdict": verdict, "by": "ops"}
    evidence = f"{verdict}{n}-{other}"
    return Decision.model_validate(told | {"decided_at": at(n), "evidence": evidence, "source": "ops"})


def taught(links: Iterable[Link]) -> Knowledge:
    knowledge = Knowledge()
    for position, one in enumerate(links, 1):
        knowledge.apply(one, position)
    return knowledge


def loaded(links: Iterable[Link]) -> Knowledge:
    knowledge = Knowledge()
    knowledge.load(links, 1)
    return knowledge


def shuffled(links: list[Any], seed: int) -> list[Any]:
    return random.Random(seed).sample(links, len(links))


def hosts_of(knowledge: Knowledge, count: int) -> list[int]:
    return [n for n in range(count) if knowledge.directory.accounts_at(f"company{n}.com")]


def test_of_the_domains_that_an_account_claims_the_first_count() -> None:
    claims = [claim(n) for n in range(3 * MAX_CLAIMS)]
    for order in (claims, claims[::-1], shuffled(claims, 1)):
        for knowledge in (taught(order), loaded(order)):
            assert hosts_of(knowledge, 3 * MAX_CLAIMS) == list(range(MAX_CLAIMS))
            assert len(knowledge.directory.domains_of("group:1")) == MAX_CLAIMS
            assert knowledge.limited()["accounts_with_more_claims_than_count"] == 1
            assert all(knowledge.knows(one) for one in claims)


def test_without_that_limit_all_do() -> None:
    """Known bad: each claim looks at all those before."""
    with patch.object(claims_module, "MAX_CLAIMS", 10**9):
        assert len(taught(claim(n) for n in range(3 * MAX_CLAIMS)).directory.domains_of("group:1")) == 3 * MAX_CLAIMS


def test_the_same_goes_for_names_and_for_what_it_is_said_to_be() -> None:
    names = [claim(n, "name") for n in range(2 * MAX_CLAIMS)]
    for order in (names, names[::-1]):
        knowledge = taught(order)
        assert len(knowledge.directory.names_of("group:1")) == MAX_CLAIMS
        assert knowledge.directory.accounts_named("brand000")
        assert not knowledge.directory.accounts_named(f"brand{MAX_CLAIMS:03}")
    said = [claim(n, "is") for n in range(2 * MAX_CLAIMS)]
    for order in (said, said[::-1]):
        assert len(taught(order).directory._is["group:1"]) == MAX_CLAIMS


def test_a_statement_of_very_many_domains_counts_for_the_first_of_them() -> None:
    value = " ".join(f"company{n:04}.com" for n in range(1_000))
    knowledge = taught([claim(1, account="crm:1", value=value, stated_as="domains")])
    assert knowledge.directory.accounts_at("company0000.com") == ("crm:1",)
    assert not knowledge.directory.accounts_at("company0999.com")
    assert knowledge.limited()["accounts_with_more_claims_than_count"] == 1


def test_whoever_is_at_a_domain_that_counts_no_more_moves() -> None:
    person = Edge(a="email:ann@company60.com", b="email:ann@company60.com", since=at(0), evidence="e", source="web")
    knowledge = taught([person, claim(60), *(claim(100 + n) for n in range(MAX_CLAIMS - 1))])
    for n in range(MAX_CLAIMS - 1):  # those that go are the last told, and nobody is there
        assert knowledge.apply(claim(n), knowledge.position + 1) == []
    recalls = knowledge.apply(claim(MAX_CLAIMS), knowledge.position + 1)
    assert [recall.account_id for recall in recalls] == ["group:1"]
    assert not knowledge.directory.accounts_at("company60.com")


def stints(knowledge: Knowledge) -> list[Any]:
    return list(knowledge.known.standing(("crm_contact:1",)).stints)


@pytest.mark.parametrize("how", ["joined", "stated"])
def test_of_what_a_crm_changes_the_last_counts(how: str) -> None:
    changes = [change(n, how) for n in range(3 * MAX_CHANGES)]
    expected = stints(taught(changes))
    assert len(expected) == MAX_CHANGES
    assert max(stint.begin for stint in expected) == at(3 * MAX_CHANGES - 1)
    for order in (changes[::-1], shuffled(changes, 2)):
        knowledge = taught(order)
        assert stints(knowledge) == expected
        assert knowledge.limited()["aliases_with_more_accounts_than_count"] == 1


def test_without_that_limit_each_event_looks_at_all_of_them() -> None:
    """Known bad."""
    with patch.object(memberships_module, "MAX_CHANGES", 10**9):
        assert len(stints(taught(change(n) for n in range(3 * MAX_CHANGES)))) == 3 * MAX_CHANGES


def remembered(count: int) -> int:
    seen = (change(n, "seen", f"crm:{n}") for n in range(count))
    knowledge = Knowledge()
    for position, one in enumerate(seen, 1):
        if not knowledge.knows(one):
            knowledge.apply(one, position)
    return len(knowledge.memberships.accounts(("crm_contact:1",)))


def test_where_somebody_was_seen_is_remembered_of_so_many_accounts_that_what_is_recalled_stays_bounded() -> None:
    most = MAX_SEEN + MAX_REMEMBERED
    assert remembered(most + 200) == most
    with patch.object(memberships_module, "MAX_REMEMBERED", 10**9):  # known bad
        assert remembered(most + 200) == most + 200


def people(graph: IdentityGraph, count: int) -> set[str]:
    return {graph.person(f"email:p{n}@acme.com").person_id for n in range(count)}


def decided(decisions: Iterable[Decision]) -> IdentityGraph:
    graph = IdentityGraph()
    for decision in decisions:
        graph.decide(decision)
    return graph


def derived(decisions: Iterable[Decision]) -> IdentityGraph:
    graph = IdentityGraph()
    graph.defer()
    for decision in decisions:
        graph.decide(decision)
    graph.derive_all()
    return graph


SHAPES: dict[str, Callable[[int], tuple[int, int]]] = {
    "a chain": lambda n: (n, n + 1),
    "a star": lambda n: (0, n + 1),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_decisions_that_would_join_more_than_a_person_may_be_join_none(shape: str) -> None:
    most = [link(*SHAPES[shape](n)) for n in range(MAX_DECIDED - 1)]
    for order in (most, most[::-1], shuffled(most, 3)):
        assert len(people(decided(order), MAX_DECIDED)) == len(people(derived(order), MAX_DECIDED)) == 1
    more = [link(*SHAPES[shape](n)) for n in range(2 * MAX_DECIDED)]
    for order in (more, more[::-1], shuffled(more, 4)):
        for graph in (decided(order), derived(order)):
            assert len(people(graph, 2 * MAX_DECIDED + 1)) == 2 * MAX_DECIDED + 1
            assert len(graph.undone) == 2 * MAX_DECIDED + 1


def test_a_chain_that_is_parted_joins_again() -> None:
    middle = MAX_DECIDED // 2
    chain = [link(n, n + 1) for n in range(MAX_DECIDED)]
    apart = link(middle, middle + 1, "unlink").changed(decided_at=at(10**6))
    for order in ([*chain, apart], [apart, *chain], shuffled([*chain, apart], 5)):
        for graph in (decided(order), derived(order)):
            assert len(people(graph, MAX_DECIDED + 1)) == 2
            assert not graph.undone


def most_looked_at(graph: IdentityGraph, decisions: Iterable[Decision]) -> int:
    """The most people that one decision looks at."""
    most = 0
    for decision in decisions:
        looked: list[str] = []
        with patch.object(graph, "person", lambda name, looked=looked: looked.append(name) or PERSON(graph, name)):
            graph.decide(decision)
        most = max(most, len(looked))
    return most


PERSON = IdentityGraph.person


def test_what_a_decision_costs_is_bounded() -> None:
    chain = [link(n, n + 1) for n in range(3 * MAX_DECIDED)]
    assert most_looked_at(IdentityGraph(), chain) < 8 * MAX_DECIDED
    graph = decided(chain)
    assert most_looked_at(graph, [link(10**4, 7)]) < 3 * MAX_DECIDED
    with patch.object(graph_module, "MAX_DECIDED", 10**9):  # known bad
        assert most_looked_at(decided(chain), [link(10**4, 7)]) > 3 * MAX_DECIDED


async def test_what_reached_a_limit_is_told_by_the_probe_and_a_metric() -> None:
    metrics = Metrics()
    reader = LinksReader(KafkaConfig(), metrics, lambda broken: None)
    assert reader.checks()[1]["limits"] == {}
    for n in range(MAX_CLAIMS + 1):
        reader.knowledge.apply(claim(n), n + 1)
    await reader._announce()
    assert reader.checks()[1]["limits"] == {"accounts_with_more_claims_than_count": 1}
    told = metrics.render().decode()
    assert 'touchline_identity_limited{limit="accounts_with_more_claims_than_count"} 1.0' in told
    assert 'touchline_identity_limited{limit="aliases_tangled"} 0.0' in told
