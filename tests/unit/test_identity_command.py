"""`touchline identity`: what it says of a person from a few links is what a worker that knows all of them would say."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.links import AccountClaim, Edge, Link, RecordChange
from schemas.touchpoints import Alias, CleanTouchpoint, RawRequest
from services.cli.commands.identity import as_text, identify
from services.cli.console import UsageError
from services.common import linked
from services.common.linked import Placed, neighbourhood
from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Mapped
from streams.identity.domains import company_domain
from streams.identity.knowledge import Knowledge

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
START = NOW - timedelta(days=30)
Record = dict[str, Any]


class Listed:
    """Links in a list, found the naive way. `person` is what `aliases_of` answers."""

    def __init__(self, links: Sequence[Link], person: set[Alias] | None = None) -> None:
        self.links = [(position, link) for position, link in enumerate(links, 1)]
        self.person = person or set()
        self.asked: list[Alias] = []

    def about(self, names: Collection[Alias]) -> Iterable[Placed]:
        self.asked += names
        return [one for one in self.links if one[1].kind != "account" and _values(one[1]) & set(names)]

    def claims(self, accounts: Collection[str], domains: Collection[str], *, with_names: bool) -> Iterable[Placed]:
        for position, link in self.links:
            if isinstance(link, AccountClaim):
                at = link.trait == "domain" and any(company_domain(host) in domains for host in link.value.split())
                if link.account_id in accounts or at or (with_names and link.trait == "name"):
                    yield position, link
            elif isinstance(link, RecordChange) and {link.record, link.into} & set(accounts):
                yield position, link

    def aliases_of(self, person_id: str) -> set[Alias]:
        return self.person


def _values(link: Link) -> set[object]:
    return set(link.model_dump().values())


def touchpoints(records: Sequence[Record]) -> list[CleanTouchpoint]:
    """Records of our own dialect, an hour apart unless they say when."""
    found = []
    for number, record in enumerate(records):
        body = orjson.dumps({"at": (START + timedelta(hours=number)).isoformat(), **record}).decode()
        request = RawRequest(request_id="r", source="operators", vendor="touchline", received_at=NOW, body=body)
        (result,) = CONNECTORS["touchline"].read(request)
        assert isinstance(result, Mapped), result
        found.append(result.touchpoint)
    return found


def learned(records: Sequence[Record]) -> tuple[Knowledge, list[Link]]:
    """A worker's whole knowledge, and the links it published."""
    knowledge, links = Knowledge(), list[Link]()
    for one in touchpoints(records):
        for link in knowledge.learn(one):
            links.append(link.changed(scoped=True))  # as they are published
            knowledge.apply(link, len(links))
    return knowledge, links


ANN: list[Record] = [
    {"kind": "account", "id": "51", "name": "Acme", "domains": ["acme.com"]},
    {"kind": "contact", "id": "1", "email": "ann@acme.com", "user_id": "u1", "account": "51"},
    {"kind": "contact", "id": "2", "email": "bob@acme.com"},
    {"kind": "touchpoint", "name": "call", "person": {"user_id": "u1", "phone": "+31201234567"}},
    {"kind": "decision", "verdict": "unlink", "a": "user:u1", "b": "phone:+31201234567", "by": "Bo"},
]


def test_edges_with_evidence_account_and_decisions() -> None:
    _, links = learned(ANN)
    found = identify(Listed(links), "Ann@acme.com", NOW)
    assert found["aliases"] == ["crm_contact:1", "email:ann@acme.com", "user:u1"]
    assert (found["account"]["account_id"], found["account"]["method"]) == ("crm:51", "crm_contact")
    assert [one["account_id"] for one in found["memberships"]] == ["crm:51"]
    assert [(one["verdict"], one["by"]) for one in found["decisions"]] == [("unlink", "Bo")]
    edges = {(edge["a"], edge["b"]): edge for edge in found["edges"]}
    assert edges["crm_contact:1", "email:ann@acme.com"]["joins"]
    assert edges["user:u1", "phone:+31201234567"]["why_not"] == "cut by Bo"
    assert all(edge["evidence"] and edge["source"] == "operators" for edge in found["edges"])
    text = as_text(found)
    assert "≠ phone:+31201234567: cut by Bo" in text and "account    crm:51 by crm_contact" in text


def test_a_person_id_is_looked_up_and_a_merged_one_leads_to_who_they_are_now() -> None:
    knowledge, links = learned(ANN)
    person = knowledge.graph.person("user:u1")
    found = identify(Listed(links, {"user:u1"}), person.person_id, NOW)
    assert found["person_id"] == person.person_id
    former = knowledge.graph.person("crm_contact:2").person_id
    assert identify(Listed(links, {"user:u1"}), former, NOW)["person_id"] == person.person_id


def test_questions_are_shown_with_their_ids() -> None:
    clash = [*ANN[:2], {"kind": "contact", "id": "9", "email": "ann@acme.com"}]
    knowledge, links = learned(clash)
    found = identify(Listed(links), "crm_contact:9", NOW)
    assert [one["proposal_id"] for one in found["proposals"]] == [one.proposal_id for one in knowledge.proposals] != []
    assert "question " in as_text(found)


@pytest.mark.parametrize("asked", ["nobody", "", "undefined@", "ticket"])
def test_what_is_no_id_is_refused(asked: str) -> None:
    with pytest.raises(UsageError, match="names nobody"):
        identify(Listed([]), asked, NOW)


def test_an_unknown_person_is_said_to_be_unknown() -> None:
    found = identify(Listed([]), "new@acme.com", NOW)
    assert not found["found"] and "nothing is known" in as_text(found)


def test_a_component_without_end_is_cut_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linked, "MAX_ALIASES", 20)
    links = [
        Edge(a="device:kiosk", b=f"user:u{number}", since=START + timedelta(minutes=number), evidence="e", source="web")
        for number in range(60)
    ]
    found = identify(Listed(links), "device:kiosk", NOW)
    assert found["is_cut"] and "cut " in as_text(found)


PEOPLE = st.sampled_from(["a@acme.com", "b@acme.com", "c@nl.acme.com", "d@bee.com", "e@gmail.com", "info@bee.com"])
ACCOUNTS = st.sampled_from(["51", "52", "group:bee", "org:7"])
IDS = st.sampled_from(["1", "2", "3"])
DOMAINS = st.lists(st.sampled_from(["acme.com", "nl.acme.com", "bee.com"]), max_size=2)
COMPANIES = st.sampled_from([{}, {"domain": "bee.com"}, {"name": "Acme Inc."}])


@st.composite
def some_record(draw: st.DrawFn) -> Record:
    """Anything that teaches something of a few people and companies."""
    kind = draw(st.sampled_from(["account", "contact", "touchpoint", "decision", "decision"]))
    address, user, account = draw(PEOPLE), f"u{draw(IDS)}", draw(ACCOUNTS)
    fate = draw(st.sampled_from([{}, {}, {"deleted": True}, {"restored": True}]))
    if kind == "account":
        if draw(st.integers(0, 4)) == 0:
            return {"kind": kind, "id": "52", "merged_into": draw(st.sampled_from(["51", "53"]))}
        return {"kind": kind, "id": account, "name": "Acme", "domains": draw(DOMAINS), **fate}
    if kind == "contact":
        tied = draw(st.sampled_from([account, ""]))
        return {"kind": kind, "id": draw(IDS), "email": address, "account": tied, **fate}
    if kind == "touchpoint":
        person = {"email": address, "user_id": user}
        return {"kind": kind, "name": "call", "person": person, "account": draw(COMPANIES)}
    verdict = draw(st.sampled_from(["link", "unlink", "belongs", "not_belongs"]))
    other = {"b": f"user:{user}"} if verdict in ("link", "unlink") else {"account": account}
    return {"kind": kind, "verdict": verdict, "a": address, "by": "Bo", **other}


@settings(max_examples=400, deadline=None)
@given(records=st.lists(some_record(), min_size=1, max_size=14), address=PEOPLE)
def test_a_few_links_tell_what_all_of_them_tell(records: list[Record], address: str) -> None:
    knowledge, links = learned(records)
    source = Listed(links)
    found = identify(source, address, NOW)
    if not found["found"]:
        assert not any(address in str(link) for link in links if link.kind != "account")
        return
    person = knowledge.graph.person(found["aliases"][0])
    assert (found["person_id"], found["aliases"]) == (person.person_id, list(person.aliases))
    named = {"event_id": "now", "source": "", "vendor": "", "vendor_type": "", "action": "identify"}
    now = CleanTouchpoint.of(named | {"occurred_at": NOW, "received_at": NOW, "aliases": person.aliases})
    assert found["account"] | {"person_id": person.person_id} == knowledge.attribute(now).fields()
    own = {one.proposal_id for one in knowledge.proposals if {one.a, one.b} & set(person.aliases)}
    assert {one["proposal_id"] for one in found["proposals"]} == own


def test_who_an_account_of_a_declared_name_really_is_counts_too() -> None:
    """Two accounts go by the name, and are one: the claims of accounts found by name are followed."""
    records: list[Record] = [
        {"kind": "account", "id": "51", "name": "Acme", "domains": ["acme.com"]},
        {"kind": "touchpoint", "name": "call", "person": {"email": "d@bee.com"}, "account": {"name": "Acme Inc."}},
        {"kind": "account", "id": "group:bee", "name": "Acme", "domains": ["acme.com"]},
        {"kind": "account", "id": "60", "name": "Somebody else", "domains": ["other.com"]},
    ]
    source = Listed(learned(records)[1])
    assert [one["account_id"] for one in identify(source, "d@bee.com", NOW)["account"]["rejected"]] == ["crm:51"]
    assert "crm:60" not in str(neighbourhood(source, {"email:d@bee.com"}).links)


def test_the_check_can_fail() -> None:
    """Known bad: the person's own links without the claims around them place nobody by domain."""
    _, links = learned([ANN[0], {"kind": "contact", "id": "2", "email": "bob@acme.com"}])
    whole = identify(Listed(links), "bob@acme.com", NOW)
    blind = identify(Listed([link for link in links if link.kind != "account"]), "bob@acme.com", NOW)
    assert whole["account"]["account_id"] == "crm:51" != blind["account"]["account_id"]
    assert neighbourhood(Listed(links), {"email:bob@acme.com"}).aliases == {"email:bob@acme.com", "crm_contact:2"}
