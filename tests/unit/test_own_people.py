"""Our own people at a customer's account: known by a user id alone, and only because of what was learned elsewhere."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from schemas.touchpoints import AttributedTouchpoint, CleanTouchpoint
from schemas.traffic import SENDER
from streams.identity.knowledge import Knowledge
from tests.journeys import touchpoint
from tests.unit.test_traffic import blueprint_with

OURS = blueprint_with(own_domains=("ours.example",), own_accounts=("crm:crm:1",)).traffic
WE: dict[str, Any] = {"action": "identify", "aliases": ("user:7", "email:jo@ours.example")}
THEY: dict[str, Any] = {"action": "identify", "aliases": ("user:7", "email:jo@acme.example")}
AT_ACME: dict[str, Any] = {"aliases": ("user:7",), "account_refs": ("crm:crm:9",)}
GROUPED: dict[str, Any] = {"action": "group", "aliases": ("user:7",), "account_refs": ("group:web:acme",)}
OUR_CRM: dict[str, Any] = {
    "action": "crm_record", "subject": "company:1", "account_refs": ("crm:crm:1",),
    "account_traits": {"domain": "ours.example"},
}  # fmt: skip
OUR_CONTACT: dict[str, Any] = {
    "action": "crm_record", "subject": "contact:5", "aliases": ("crm_contact:crm:5", "user:7"),
    "account_refs": ("crm:crm:1",),
}  # fmt: skip
VISIT: dict[str, Any] = {"aliases": ("user:7",)}
ANONYMOUS: dict[str, Any] = {"aliases": ("anonymous:b1",), "account_refs": ("crm:crm:9",)}
SIGN_IN: dict[str, Any] = {"action": "identify", "aliases": ("user:7", "anonymous:b1")}
STRANGER: dict[str, Any] = {"aliases": ("user:8",), "account_refs": ("crm:crm:9",)}
NOT_OURS: dict[str, Any] = {
    "action": "decision", "aliases": ("email:jo@ours.example",), "account_refs": ("domain:ours.example",),
    "properties": {"verdict": "not_belongs", "by": "ann"},
}  # fmt: skip

#: What is told, in any order; and what the last of it is.
CASES: dict[str, tuple[str, tuple[dict[str, Any], ...]]] = {
    "an event names a customer": ("internal", (WE, AT_ACME)),
    "of a customer's own it is theirs": ("customer", (THEY, AT_ACME)),
    "of somebody unknown": ("customer", (AT_ACME,)),
    "of another user id": ("customer", (WE, STRANGER)),
    "they called group for the customer": ("internal", (WE, GROUPED, VISIT)),
    "the group call itself": ("internal", (WE, GROUPED)),
    "our CRM holds us as an account": ("internal", (OUR_CRM, WE, AT_ACME)),
    "our CRM knows the contact": ("internal", (OUR_CONTACT, AT_ACME)),
    "a browser that turns out to be ours": ("internal", (WE, SIGN_IN, ANONYMOUS)),
    "a browser of nobody": ("customer", (WE, ANONYMOUS)),
    "at nobody's account": ("internal", (WE, VISIT)),
    "a ticket they open for a customer": (
        "internal", (WE, {**AT_ACME, "action": "ticket_created", "subject": "ticket:1"}),
    ),
    "an answer of ours stays the customer's": (
        "customer", (WE, {**AT_ACME, "action": "ticket_replied_by_agent", "subject": "ticket:1"}),
    ),
    "a deal stays the customer's": ("customer", (WE, {**AT_ACME, "action": "deal_created", "subject": "deal:1"})),
    "somebody decided that they are not ours": ("customer", (WE, NOT_OURS, AT_ACME)),
}  # fmt: skip


def attributed(knowledge: Knowledge, found: CleanTouchpoint) -> AttributedTouchpoint:
    return AttributedTouchpoint(touchpoint=found, attribution=knowledge.attribute(found))


@pytest.mark.parametrize(("expected", "told"), CASES.values(), ids=CASES)
def test_whoever_is_ours_is_internal_wherever_they_are(expected: str, told: tuple[dict[str, Any], ...]) -> None:
    events = [touchpoint(f"e{n}", n, **each) for n, each in enumerate(told)]
    for order in permutations(events):
        knowledge = Knowledge()
        for event in order:
            for link in knowledge.learn(event):
                knowledge.apply(link, knowledge.position + 1)
        assert OURS.of(attributed(knowledge, events[-1])) == expected


def test_the_account_stays_the_customers_and_the_attribution_says_whose_person_it_was() -> None:
    knowledge = Knowledge()
    for each in (WE, AT_ACME):
        for link in knowledge.learn(touchpoint("e", 0, **each)):
            knowledge.apply(link, knowledge.position + 1)
    found = knowledge.attribute(touchpoint("e", 0, **AT_ACME))
    assert found.account_id == "crm:crm:9"
    assert [(c.account_id, c.method) for c in found.rejected] == [("domain:ours.example", SENDER)]
