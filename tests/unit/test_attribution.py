"""The rules of attribution, one by one: person, account, method, confidence, and what was not taken."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.touchpoints import Attribution, CleanTouchpoint
from streams.identity.domains import address_host, company_domain
from streams.identity.graph import person_id_of
from streams.identity.knowledge import Knowledge
from tests.journeys import touchpoint


def told(*events: CleanTouchpoint) -> Knowledge:
    knowledge = Knowledge()
    for event in events:
        for link in knowledge.learn(event):
            knowledge.apply(link, knowledge.position + 1)
    return knowledge


def event(name: str, seconds: float, *aliases: str, refs: tuple[str, ...] = (), **more: Any) -> CleanTouchpoint:
    return touchpoint(name, seconds, aliases=aliases, account_refs=refs, **more)


def decided(attribution: Attribution) -> tuple[str, str, float]:
    return (attribution.account_id, attribution.method, attribution.confidence)


CRM = event("crm", 0, refs=("crm:1",), account_traits={"domain": "acme.com"})


def test_the_account_an_event_names() -> None:
    asked = event("e", 5, "email:ann@acme.com", refs=("crm:9",))
    assert decided(told(CRM).attribute(asked)) == ("crm:9", "explicit", 1.0)


def test_a_group_is_the_crm_account_that_claims_its_domain() -> None:
    group = event("g", 5, "user:u1", refs=("group:acme",), account_traits={"domain": "www.acme.com"})
    assert told(CRM, group).attribute(group).account_id == "crm:1"
    assert told(group).attribute(group).account_id == "group:acme"


def test_membership_is_dated_and_the_first_reaches_back() -> None:
    may = event("a", 100, "user:u1", refs=("group:apple",), action="group")
    june = event("b", 200, "user:u1", refs=("group:adobe",), action="group")
    knowledge = told(may, june)
    accounts = [knowledge.attribute(event("q", at, "user:u1")).account_id for at in (50, 150, 250)]
    assert accounts == ["group:apple", "group:apple", "group:adobe"]
    assert knowledge.attribute(event("q", 250, "user:u1")).rejected[0].account_id == "group:apple"


@pytest.mark.parametrize(
    "action", ["page_view", "custom", "identify", "form_submitted", "ticket_created", "survey_answered"]
)
def test_one_event_that_names_an_account_makes_no_member(action: str) -> None:
    knowledge = told(event("a", 100, "user:u1", refs=("crm:1",), action=action))
    assert knowledge.attribute(event("a", 100, "user:u1", refs=("crm:1",), action=action)).account_id == "crm:1"
    places = {knowledge.attribute(event("q", at, "user:u1")).method for at in (50, 150)}
    assert places == {"unidentified"}


def test_a_crm_contact_is_certain() -> None:
    contact = event("c", 0, "crm_contact:7", refs=("crm:1",), action="crm_record")
    assert decided(told(contact).attribute(event("e", 5, "crm_contact:7"))) == ("crm:1", "crm_contact", 1.0)


def test_one_account_claims_the_domain() -> None:
    assert decided(told(CRM).attribute(event("e", 5, "email:ann@acme.com"))) == ("crm:1", "email_domain", 0.9)


def test_two_accounts_claim_it_so_we_abstain() -> None:
    other = event("crm2", 1, refs=("crm:2",), account_traits={"domain": "acme.com"})
    attribution = told(CRM, other).attribute(event("e", 5, "email:ann@acme.com"))
    assert attribution.method == "unidentified"
    assert [candidate.account_id for candidate in attribution.rejected] == ["crm:1", "crm:2"]


def test_a_domain_nobody_claims_is_provisional() -> None:
    assert decided(told().attribute(event("e", 5, "email:ann@eu.acme.com"))) == (
        "domain:acme.com", "provisional_domain", 0.7,
    )  # fmt: skip


def test_free_mail_says_nothing() -> None:
    gmail = event("crm", 0, refs=("crm:1",), account_traits={"domain": "gmail.com"})
    assert told(gmail).attribute(event("e", 5, "email:founder@gmail.com")).method == "unidentified"


@pytest.mark.parametrize("domains", ["gmail.com", "https://mail.gmail.com hotmail.com"])
def test_an_organisation_of_strangers_is_no_account(domains: str) -> None:
    org = event("org", 0, refs=("org:7",), account_traits={"domain": domains})
    known = told(org, event("member", 1, "support_user:1", refs=("org:7",), action="support_record"))
    found = known.attribute(event("e", 5, "support_user:1", refs=("org:7",)))
    assert (found.method, [one.account_id for one in found.rejected]) == ("unidentified", ["org:7"])
    assert "anyone has a mailbox" in found.rejected[0].why
    assert known.attribute(event("later", 9, "support_user:1")).method == "unidentified"
    assert known.limited()["organisations_at_public_domains"] == 1
    decided_on = event("d", 6, "support_user:1", refs=("org:7",), action="decision", properties={"verdict": "belongs"})
    sure = told(org, event("member", 1, "support_user:1", refs=("org:7",), action="support_record"), decided_on)
    assert sure.attribute(event("later", 9, "support_user:1")).account_id == "org:7"  # somebody knows better


def test_an_account_named_by_a_public_domain_is_none() -> None:
    found = told().attribute(event("e", 5, "user:1", refs=("domain:gmail.com",)))
    assert found.method == "unidentified"


def test_a_declared_domain() -> None:
    declared = event("e", 5, "email:joe@gmail.com", account_traits={"domain": "acme.com"})
    assert decided(told(CRM).attribute(declared)) == ("crm:1", "declared_domain", 0.8)


def test_nobody_we_know() -> None:
    attribution = told().attribute(event("e", 5, "anonymous:a1"))
    assert decided(attribution) == (f"anon:{person_id_of('anonymous:a1')}", "unidentified", 0.0)


def test_a_deal_has_an_account_and_no_person() -> None:
    linked = event("d", 0, "crm_deal:5", refs=("crm:1",))
    attribution = told(linked).attribute(event("e", 5, "crm_deal:5"))
    assert (attribution.person_id, attribution.account_id) == ("", "crm:1")


def test_two_contacts_are_never_merged() -> None:
    """A shared device: the veto keeps the edge as a proposal."""
    one = event("a", 0, "crm_contact:1", "anonymous:kiosk")
    other = event("b", 5, "crm_contact:2", "anonymous:kiosk")
    knowledge = told(one, other)
    assert knowledge.graph.person("crm_contact:1") != knowledge.graph.person("crm_contact:2")
    (asked,) = knowledge.proposals
    assert (asked.question, asked.a, asked.b, asked.status) == (
        "same_person", "anonymous:kiosk", "crm_contact:2", "open",
    )  # fmt: skip


def test_the_person_keeps_the_older_name() -> None:
    first = event("a", 0, "email:ann@acme.com", "anonymous:a1")
    later = event("b", 50, "crm_contact:1", "email:ann@acme.com")
    assert told(first, later).graph.person("anonymous:a1").person_id == person_id_of("email:ann@acme.com")


def test_domains_know_the_public_suffixes() -> None:
    assert company_domain("https://shop.acme.co.uk/x") == "acme.co.uk"
    assert company_domain(address_host("email:ann@mail.acme.co.uk")) == "acme.co.uk"
    assert address_host("email:ann@gmail.com") == ""


def test_a_role_mailbox_tells_the_company_and_is_nobody() -> None:
    one = event("a", 0, "mailbox:reception@acme.com", "anonymous:a1")
    other = event("b", 5, "mailbox:reception@acme.com", "anonymous:a2")
    knowledge = told(CRM, one, other)
    assert decided(knowledge.attribute(one)) == ("crm:1", "email_domain", 0.9)
    assert knowledge.attribute(one).person_id == person_id_of("anonymous:a1") != knowledge.attribute(other).person_id
    later = knowledge.attribute(event("c", 9, "anonymous:a1"))
    assert decided(later) == ("crm:1", "declared_domain", 0.8)
    alone = knowledge.attribute(event("d", 9, "mailbox:reception@acme.com"))
    assert (alone.person_id, alone.account_id) == (person_id_of("mailbox:reception@acme.com"), "crm:1")


def test_the_nearest_claim_around_a_host_wins() -> None:
    daughter = event("crm2", 1, refs=("crm:2",), account_traits={"domain": "eu.acme.com"})
    knowledge = told(CRM, daughter)
    hosts = {"acme.com": "crm:1", "eu.acme.com": "crm:2", "mail.eu.acme.com": "crm:2", "us.acme.com": "crm:1"}
    assert {host: knowledge.attribute(event("e", 5, f"email:ann@{host}")).account_id for host in hosts} == hosts
    shop = event("crm3", 1, refs=("crm:3",), account_traits={"domain": "shop.beta.co.uk"})
    assert told(shop).attribute(event("e", 5, "email:joe@beta.co.uk")).account_id == "crm:3"


def test_user_ids_are_unique_per_source() -> None:
    shop = event("a", 0, "user:1001", "email:ann@acme.com", action="identify", source="shop")
    product = event("b", 5, "user:p77", "email:ann@acme.com", action="identify", source="product")
    second = event("c", 9, "user:1002", "email:ann@acme.com", action="identify", source="shop")
    graph = told(shop, product, second).graph
    assert graph.person("user:1001") == graph.person("user:p77") != graph.person("user:1002")


def test_a_user_id_that_came_alone_is_nobodys_but_its_own() -> None:
    """What was seen alone is given up for nothing: a shared screen does not make one of two who signed in elsewhere."""
    alone = [event("a", 0, "user:1"), event("b", 1, "user:2")]
    shared = [event("c", 2, "user:1", "device:d"), event("d", 3, "user:2", "device:d")]
    for events in (alone + shared, shared + alone):
        graph = told(*events).graph
        assert graph.person("user:1").person_id != graph.person("user:2").person_id


def test_a_typed_address_of_a_colleague_leaves_the_typist_who_they_are() -> None:
    ann = event("a", 0, "user:u1", "email:ann@acme.com", action="identify")
    form = event("b", 5, "user:u1", "email:bob@acme.com", action="form_submitted")
    first = event("c", 9, "anonymous:a9", "email:eve@acme.com", action="form_submitted")
    knowledge = told(ann, form, first)
    assert knowledge.attribute(form).person_id == knowledge.attribute(ann).person_id
    assert knowledge.graph.person("email:bob@acme.com").aliases == ("email:bob@acme.com",)
    assert knowledge.graph.person("anonymous:a9") == knowledge.graph.person("email:eve@acme.com")  # their own


FAIR = [
    event("ann", 0, "anonymous:tablet", "email:ann@acme.com", action="form_submitted"),
    event("bob", 5, "anonymous:tablet", "email:bob@beta.nl", action="form_submitted"),
    event("eve", 9, "device:d1", "anonymous:tablet", "email:eve@gamma.de", action="custom"),
    event("box", 11, "anonymous:tablet", "mailbox:info@delta.fr", action="form_submitted"),
]
CONTACTS = [
    event("ann7", -9, "crm_contact:7", "email:ann@acme.com", refs=("crm:51",), action="crm_record"),
    event("bob8", -8, "crm_contact:8", "email:bob@beta.nl", refs=("crm:52",), action="crm_record"),
]


@pytest.mark.parametrize("contacts", [[], CONTACTS], ids=["unknown to the CRM", "contacts"])
def test_what_is_typed_where_nobody_is_signed_in_is_of_whose_address_it_is(contacts: list[CleanTouchpoint]) -> None:
    """A fair's tablet, a laptop that is handed round, a form for a colleague: the first visitor is not everybody."""
    for history in ([*FAIR, *contacts], [*contacts, *reversed(FAIR)]):
        knowledge = told(*history)
        accounts = [knowledge.attribute(one).account_id for one in FAIR]
        known = ["crm:51", "crm:52"] if contacts else ["domain:acme.com", "domain:beta.nl"]
        assert accounts == [*known, "domain:gamma.de", "domain:delta.fr"]
        assert len({knowledge.attribute(one).person_id for one in FAIR[:3]}) == 3


def test_who_gives_two_addresses_or_the_box_of_their_own_company_is_who_they_were() -> None:
    two = event("f", 5, "anonymous:tablet", "email:aaa@beta.nl", "email:ann@acme.com", action="form_submitted")
    box = event("g", 9, "anonymous:tablet", "mailbox:info@acme.com", action="form_submitted")
    knowledge = told(FAIR[0], CONTACTS[0], two, box)
    assert [knowledge.attribute(one).account_id for one in (two, box)] == ["crm:51", "crm:51"]


def test_a_company_declared_at_a_shared_screen_is_of_whose_address_was_typed() -> None:
    said: Any = {"action": "form_submitted", "account_traits": {"domain": "beta.nl"}}
    form = event("f", 5, "anonymous:tablet", "email:bob@gmail.com", **said)
    knowledge = told(FAIR[0], event("crm", 0, refs=("crm:52",), account_traits={"domain": "beta.nl"}), form)
    later, visit = event("l", 9, "email:bob@gmail.com"), event("v", 9, "anonymous:tablet", action="page_view")
    accounts = [knowledge.attribute(one).account_id for one in (form, later, visit)]
    assert accounts == ["crm:52", "crm:52", "domain:acme.com"]
    assert "crm:52" not in {candidate.account_id for candidate in knowledge.attribute(visit).rejected}


def test_two_who_type_their_phone_numbers_at_one_screen_stay_two() -> None:
    ann = event("a", 0, "anonymous:t", "email:ann@acme.com", "phone:+31201234567", action="form_submitted")
    bob = event("b", 5, "anonymous:t", "email:bob@beta.nl", "phone:+31207654321", action="form_submitted")
    knowledge = told(ann, bob)
    assert knowledge.attribute(ann).person_id != knowledge.attribute(bob).person_id
    assert knowledge.attribute(bob).account_id == "domain:beta.nl"


def test_the_organisation_that_carries_the_crms_id_is_that_account() -> None:
    record = event("o", 0, refs=("crm:1", "org:45"), action="support_record")
    assert told(record).attribute(event("t", 5, "support_user:7", refs=("org:45",))).account_id == "crm:1"


def test_a_removed_association_ends_the_membership() -> None:
    joins = event("j", 10, "crm_contact:7", refs=("crm:1",), action="crm_record")
    leaves = event("l", 20, "crm_contact:7", refs=("crm:1",), action="crm_removed")
    for history in ((joins, leaves), (leaves, joins)):
        knowledge = told(*history)
        methods = [knowledge.attribute(event("q", at, "crm_contact:7")).method for at in (5, 15, 20, 25)]
        assert methods == ["crm_contact", "crm_contact", "unidentified", "unidentified"]


def test_what_a_cluster_may_hold_is_limited() -> None:
    devices = [event(f"e{n:03}", n, "user:u1", f"anonymous:d{n:03}") for n in range(60)]
    knowledge = told(*devices)
    assert len(knowledge.graph.person("user:u1").aliases) == 50
    assert knowledge.graph.person("anonymous:d059").aliases == ("anonymous:d059",)


def test_a_word_that_every_browser_sends_as_its_id_is_nobodys() -> None:
    """`web` from thousands of browsers would give every stranger's pages to whoever signed in there first."""
    people = [event(f"i{n:03}", n, "anonymous:web", f"email:p{n}@acme{n}.com", action="identify") for n in range(110)]
    stranger, own = event("s", 500, "anonymous:web", action="page_view"), event("o", 500, "email:p0@acme0.com")
    for history in (people, people[::-1]):
        knowledge = told(*history[:100])
        assert knowledge.limited()["browsers_that_are_everybodys"] == 0
        assert told(*history[:109]).limited()["browsers_that_are_everybodys"] == 0
        knowledge = told(*history)
        assert knowledge.limited()["browsers_that_are_everybodys"] == 1
        assert knowledge.attribute(stranger).method == "unidentified"
        assert knowledge.attribute(stranger).person_id != knowledge.attribute(own).person_id
        assert len({knowledge.attribute(one).person_id for one in people}) == 110
    unlinked = event(
        "u", 600, "anonymous:web", "email:p7@acme7.com", action="decision", properties={"verdict": "unlink"}
    )
    assert told(*people, unlinked).limited()["browsers_that_are_everybodys"] == 0
