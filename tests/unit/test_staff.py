"""Our own people by what a helpdesk or a CRM says: internal in every source, in any order, until it says otherwise."""

from __future__ import annotations

from itertools import permutations
from typing import Any
from unittest.mock import patch

import pytest

from schemas.links import Membership
from schemas.touchpoints import CleanTouchpoint
from schemas.traffic import STAFF
from services.cli.commands import identity
from services.common.linked import Neighbourhood
from streams.identity import attribution_rules, knowledge
from streams.identity.doubts import is_doubted
from streams.identity.erasures import Ledger
from streams.identity.knowledge import Knowledge
from streams.identity.memberships import Memberships
from tests.journeys import START, attributed, touchpoint
from tests.unit.test_erasures import erasure
from tests.unit.test_own_people import attributed as placed
from tests.unit.test_resolve_convergence import World
from tests.unit.test_traffic import blueprint_with

BOOK = blueprint_with().traffic
JAN, DESK = "email:jan@bpo.example", "mailbox:help@bpo.example"


def said(how: str = "seen", *names: str, source: str = "desk", **more: Any) -> dict[str, Any]:
    fields = {"action": "support_record", "source": source, "staff": dict.fromkeys(names or (JAN,), how)}
    return fields | more


VISIT: dict[str, Any] = {"aliases": (JAN,)}
SIGN_IN: dict[str, Any] = {"action": "identify", "aliases": ("user:9", JAN)}
USE: dict[str, Any] = {"aliases": ("user:9",), "account_refs": ("crm:crm:9",)}
BROWSER: dict[str, Any] = {"aliases": ("anonymous:b1",)}
SEEN_THERE: dict[str, Any] = {"action": "identify", "aliases": (JAN, "anonymous:b1")}
CONTACT: dict[str, Any] = {
    "action": "crm_record", "subject": "contact:5", "aliases": ("crm_contact:crm:5", JAN),
    "account_refs": ("crm:crm:9",),
}  # fmt: skip
REPLY: dict[str, Any] = {
    "action": "ticket_replied_by_agent", "aliases": ("support_user:desk:7",), "subject": "ticket:desk:1",
    "source": "desk", "staff": {JAN: "seen"},
}  # fmt: skip
ANSWER: dict[str, Any] = {
    "action": "ticket_replied_by_customer", "aliases": ("support_user:desk:7",), "subject": "ticket:desk:1",
    "source": "desk", "staff": {"support_user:desk:9": "seen"},
}  # fmt: skip

#: What is said, each a second after the one before, learned in any order; and what the last of it is.
CASES: dict[str, tuple[str, tuple[dict[str, Any], ...]]] = {
    "an agent at a foreign address visits": ("internal", (said(), VISIT)),
    "nobody said so": ("customer", (VISIT,)),
    "somebody else at that company": ("customer", (said(), {"aliases": ("email:kim@bpo.example",)})),
    "it is said later": ("internal", (VISIT, said(), VISIT)),
    "they use the product for a customer": ("internal", (said(), SIGN_IN, USE)),
    "a browser that turns out to be theirs": ("internal", (said(), SEEN_THERE, BROWSER)),
    "a browser of nobody": ("customer", (said(), BROWSER)),
    "by their user id": ("internal", (said("seen", "user:9"), USE)),
    "they are a customer's contact, too": ("internal", (said(), CONTACT, VISIT)),
    "their contact record stays the customer's": ("customer", (said(), CONTACT)),
    "what they answer stays the customer's": ("customer", (said("seen", JAN, "support_user:desk:9"), REPLY)),
    "whom they answered is a customer": ("customer", (REPLY, {"aliases": ("support_user:desk:7",)})),
    "a customer who answers": ("customer", (ANSWER, {"aliases": ("support_user:desk:7",)})),
    "a customer's own answer": ("customer", (ANSWER,)),
    "they wrote an answer": ("internal", (REPLY, VISIT)),
    "a telephone that many use": ("customer", (said("seen", "phone:+31201"), {"aliases": ("phone:+31201",)})),
    "a role's address": ("customer", (said("seen", DESK), {"aliases": (DESK,)})),
    "they were made one of ours": ("internal", (said("joined"), VISIT)),
    "they are an end user again": ("customer", (said("joined"), said("left"), VISIT)),
    "they were, while it was so": ("internal", (said("joined", at=0), said("left", at=50), {**VISIT, "at": 20})),
    "and before that": ("internal", (said("joined", at=20), said("left", at=50), {**VISIT, "at": 10})),
    "made one of ours again": ("internal", (said("joined"), said("left"), said("joined"), VISIT)),
    "one helpdesk of two lets them go": (
        "internal", (said(), said("seen", source="crm"), said("left"), VISIT),
    ),
    "they were never ours": ("customer", (said("left"), VISIT)),
    "a test stays a test": ("test", (said(), {**VISIT, "flags": ("test",)})),
    "who declined stays out as that": ("declined", (said(), {**VISIT, "flags": ("declined",)})),
}  # fmt: skip


def told(each: tuple[dict[str, Any], ...]) -> list[CleanTouchpoint]:
    return [
        touchpoint(f"e{n}", fields.get("at", n * 10), **{k: v for k, v in fields.items() if k != "at"})
        for n, fields in enumerate(each)
    ]


@pytest.mark.parametrize(("expected", "each"), CASES.values(), ids=CASES)
def test_whom_a_helpdesk_knows_as_ours_is_internal(expected: str, each: tuple[dict[str, Any], ...]) -> None:
    events = told(each)
    for order in permutations(events):
        world = World()
        for event in order:
            world.receive(event)
        found, attribution = world.stored[events[-1].event_id]
        assert attribution.decides_like(world.knowledge.attribute(found)), "a recall is missing"
        assert BOOK.of(placed(world.knowledge, found)) == expected


def learned(*each: dict[str, Any], ledger: Ledger | None = None) -> Knowledge:
    found = Knowledge(None, ledger)
    for event in told(each):
        for link in found.learn(event):
            found.apply(link, found.position + 1)
    return found


def test_the_account_stays_whose_it_was_and_the_attribution_says_who_knows_them() -> None:
    found = learned(said(), CONTACT).attribute(touchpoint("v", 99, **VISIT))
    assert (found.account_id, found.method) == ("crm:crm:9", "crm_contact")
    assert [(one.account_id, one.method) for one in found.rejected] == [("staff:desk", STAFF)]


def test_nothing_is_attributed_to_the_helpdesk_and_nobody_becomes_one_person_by_it() -> None:
    found = learned(said("seen", JAN, "user:9"))
    assert found.attribute(touchpoint("v", 99, **VISIT)).account_id == "domain:bpo.example"
    assert found.graph.person(JAN).aliases == (JAN,)


def test_without_homes_that_heed_it_nobody_is_recalled() -> None:
    """Known bad: what is learned later changes nothing that is stored."""
    events = told((VISIT, said()))
    home = attribution_rules.home
    with patch("streams.identity.recalls.home", lambda known, person: home(known, person)[:-2]):
        world = World()
        for event in events:
            world.receive(event)
        assert world.stored["e0"][1] != world.knowledge.attribute(events[0])


def test_a_worker_that_starts_knows_it() -> None:
    links = [link for event in told((said(), VISIT)) for link in Knowledge().learn(event)]
    started = Knowledge()
    started.load(links, len(links))
    assert BOOK.of(placed(started, touchpoint("v", 99, **VISIT))) == "internal"


def test_erasing_them_forgets_it_and_what_is_said_of_that_time_later_is_not_learned() -> None:
    ran = learned(said(), VISIT, ledger=Ledger(b"k" * 32))
    assert list(ran.staff.names())
    one = erasure(JAN, key=b"k" * 32)
    assert ran.erase(one, ran.position + 1), "their touchpoints are recalled"
    assert ran.staff.accounts((JAN,)) == set()
    [again] = told((said(),))
    assert ran.learn(again) == []


def test_erasing_a_customer_leaves_the_agent_who_answered_them() -> None:
    ran = learned(REPLY, ledger=Ledger(b"k" * 32))
    ran.erase(erasure("support_user:desk:7", key=b"k" * 32), ran.position + 1)
    assert ran.staff.accounts((JAN,)) == {"staff:desk"}


def test_what_a_newer_mapping_reads_otherwise_takes_nobody_back() -> None:
    [link] = [one for one in Knowledge().learn(told((said(),))[0]) if isinstance(one, Membership)]
    assert not is_doubted(link, {link.evidence: 9})
    assert is_doubted(link.changed(account_id="crm:crm:9"), {link.evidence: 9})


def test_it_is_kept_beside_what_places_people() -> None:
    """Known bad: kept among the memberships, a helpdesk would be an account that its agents' visits are of."""
    with patch.object(knowledge, "OUR_PEOPLE", "nothing:"):
        assert learned(said()).attribute(touchpoint("v", 99, **VISIT)).account_id == "staff:desk"
    assert Memberships().accounts((JAN,)) == set()


def test_whoever_asks_about_them_reads_it() -> None:
    ran = learned(said(), VISIT)
    found = identity._described(ran, Neighbourhood(), ran.graph.person(JAN), START)
    assert [(one["alias"], one["account_id"]) for one in found["memberships"]] == [(JAN, "staff:desk")]


def test_records_are_judged_by_the_message_alone() -> None:
    item = attributed("e1", 0, "ticket_status")
    assert BOOK.of(item) == "customer"
