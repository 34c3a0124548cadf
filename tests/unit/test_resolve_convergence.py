"""Attribution converges: whatever the order of arrival, every touchpoint ends where full knowledge puts it.

The oracle is tests/naive_attribution.py, which knows nothing of graphs, links and recalls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import permutations
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.links import AccountClaim, Edge
from schemas.touchpoints import Attribution, CleanTouchpoint, Recall
from streams.identity import attribution_rules
from streams.identity import clusters as clusters_module
from streams.identity import directory as directory_module
from streams.identity import edges as edges_module
from streams.identity import learning as learning_module
from streams.identity import memberships as memberships_module
from streams.identity import recalls as recalls_module
from streams.identity import regions as regions_module
from streams.identity.claims import Claims
from streams.identity.directory import Directory
from streams.identity.knowledge import Knowledge
from streams.identity.memberships import Memberships
from streams.identity.recalls import Recalls
from streams.identity.record_changes import Records
from streams.identity.regions import Region, Regions
from streams.identity.verdicts import Verdicts
from tests.journeys import at, touchpoint
from tests.naive_attribution import Place, differences, led, naive

ALIASES = [
    "anonymous:a1", "anonymous:a2", "anonymous:a3", "user:u1", "user:u2", "email:ann@acme.com", "email:bob@acme.com",
    "email:eve@gmail.com", "email:joe@beta.nl", "email:kim@eu.acme.com", "crm_contact:1", "crm_contact:2",
    "support_user:7", "mailbox:info@acme.com", "mailbox:sales@gamma.de", "phone:+31201234567",
]  # fmt: skip
REFS = ["crm:1", "crm:2", "group:acme", "group:beta", "org:5"]
DOMAINS = ["acme.com", "beta.nl", "https://www.acme.com/x", "eu.acme.com", "gamma.de"]
NAMES = ["Acme Inc.", "ACME", "Beta B.V."]
ACTIONS = [
    "page_view", "form_submitted", "identify", "identify", "crm_record", "crm_record", "crm_removed", "crm_removed",
    "alias", "group", "lifecycle_changed",
]  # fmt: skip
RECORDS = ("crm_record", "crm_removed", "alias", "lifecycle_changed")
#: What a record of the CRM tells beside its traits.
TOLD: list[dict[str, Any]] = [
    {}, {}, {"restored": True}, {"restored": True}, {"merged": "x"}, {"merged": "x"}, {"removed": True},
    {"property": "domain"}, {"property": "website"}, {"property": "name"}, {"property": "lifecyclestage"},
    {"property": "hs_additional_domains"},
]  # fmt: skip
SECONDS = st.integers(0, 20)
MANY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def events(draw: st.DrawFn, most: int = 14) -> list[CleanTouchpoint]:
    """Merges, cuts, joins and leaves, claims, decisions; equal stamps, clocks that are wrong, and repetitions."""
    return [draw(_event(f"e{index:02}")) for index in range(draw(st.integers(1, most)))]


@st.composite
def _event(draw: st.DrawFn, name: str) -> CleanTouchpoint:
    if draw(st.integers(0, 5)) == 0:
        return draw(_decision(name))
    fields: dict[str, Any] = {
        "action": draw(st.sampled_from(ACTIONS)),
        "source": draw(st.sampled_from(["web", "web", "app"])),
        "aliases": tuple(draw(st.lists(st.sampled_from(ALIASES), max_size=3, unique=True))),
        "account_refs": tuple(draw(st.lists(st.sampled_from(REFS), max_size=2, unique=True))),
        "network": draw(st.sampled_from(["", "", "", "crm:2", "group:beta"])),
    }
    if draw(st.booleans()):
        fields["account_traits"] = draw(
            st.sampled_from(
                [{"domain": d} for d in DOMAINS] + [{"name": n} for n in NAMES] + [{"domain": "acme.com beta.nl"}]
            )
        )
    if fields["account_refs"][:1] == ("org:5",) and draw(st.booleans()):
        fields["account_traits"] = {"domain": draw(st.sampled_from(["gmail.com", "hotmail.com acme.com", "gmail.com"]))}
    if fields["account_refs"] and draw(st.integers(0, 3)) == 0:
        begin = draw(st.sampled_from([None, 0, 5, 10]))
        fields["valid_from"] = None if begin is None else at(begin)
        fields["valid_to"] = at((begin or 0) + draw(st.integers(1, 10)))
    if fields["action"] in RECORDS and draw(st.booleans()):
        fields |= draw(_record_of(fields["aliases"]))
    if fields["action"] == "alias" and draw(st.booleans()):
        fields["properties"] = {"given_up": draw(st.sampled_from(["user:u1", "user:u2"]))}
    if draw(st.booleans()) if not fields["aliases"] else draw(st.integers(0, 4)) == 0:
        fields["aliases"] = (*fields["aliases"], draw(st.sampled_from(["crm_deal:9", "ticket:4"])))
    if draw(st.integers(0, 5)) == 0:
        ours = draw(st.lists(st.sampled_from(ALIASES), min_size=1, max_size=2, unique=True))
        fields["staff"] = {name: draw(st.sampled_from(["seen", "seen", "joined", "left"])) for name in ours}
    if draw(st.integers(0, 12)) == 0:
        fields |= {"clock_suspect": True, "occurred_at": at(10_000)}
    return touchpoint(name, draw(SECONDS), **fields)


@st.composite
def _record_of(draw: st.DrawFn, aliases: tuple[str, ...]) -> dict[str, Any]:
    """A record of the CRM itself: what it says of an account, and what becomes of accounts and contacts."""
    told = draw(st.sampled_from(TOLD))
    contacts = [name for name in aliases if name.startswith("crm_contact:")]
    if contacts:
        return {"subject": f"contact:{contacts[0].partition(':')[2]}", "properties": told}
    refs = draw(st.lists(st.sampled_from(["crm:1", "crm:2", "crm:3"]), min_size=1, max_size=2, unique=True))
    return {"subject": f"company:{refs[0][4:]}", "account_refs": tuple(refs), "properties": told}


@st.composite
def _decision(draw: st.DrawFn, name: str) -> CleanTouchpoint:
    verdict = draw(st.sampled_from(["link", "unlink", "unlink", "belongs", "not_belongs"]))
    is_about_people = verdict in ("link", "unlink")
    linking = [alias for alias in ALIASES if not alias.startswith("mailbox:")]
    aliases = draw(st.lists(st.sampled_from(linking), min_size=2, max_size=2, unique=True))
    return touchpoint(
        name,
        draw(SECONDS),
        "decision",
        aliases=tuple(aliases if is_about_people else aliases[:1]),
        account_refs=() if is_about_people else (draw(st.sampled_from(REFS)),),
        properties={"verdict": verdict, "by": "ops"},
    )


class World:
    """Resolver, links topic and writers in one, without any of them: what is stored, and recalls that move it."""

    def __init__(self, *, heed_recalls: bool = True, leads: Sequence[str] = ()) -> None:
        self.knowledge = Knowledge({name: place for place, name in enumerate(leads)})
        self.stored: dict[str, tuple[CleanTouchpoint, Attribution]] = {}
        self._heed = heed_recalls
        self.moved = 0

    def receive(self, event: CleanTouchpoint) -> None:
        for link in self.knowledge.learn(event):
            for recall in self.knowledge.apply(link, self.knowledge.position + 1):
                if self._heed:
                    self.recall(recall)
        self.stored[event.event_id] = (event, self.knowledge.attribute(event))

    def recall(self, recall: Recall) -> None:
        for event, attribution in list(self.stored.values()):
            if attribution.account_id == recall.account_id and (
                not recall.person_ids or attribution.person_id in recall.person_ids
            ):
                self.stored[event.event_id] = (event, self.knowledge.attribute(event))
                self.moved += 1

    def places(self) -> dict[str, Place]:
        return {name: place_of(attribution) for name, (_, attribution) in self.stored.items()}


def place_of(attribution: Attribution) -> Place:
    rejected = frozenset(candidate.account_id for candidate in attribution.rejected)
    return Place(attribution.person_id, attribution.account_id, attribution.method, rejected)


def told_in_order(history: list[CleanTouchpoint], **options: Any) -> World:
    world = World(**options)
    for event in history:
        world.receive(event)
    return world


@contextmanager
def small_limits(
    aliases: int = 4, edges: int = 3, fades: int = 1, region: int = 100, seen: int = 2, claimants: int = 2
) -> Iterator[dict[str, int]]:
    """Clusters, shared aliases and tangles that are reached by a dozen events."""
    with (
        patch.object(clusters_module, "MAX_ALIASES", aliases),
        patch.object(edges_module, "MAX_EDGES", edges),
        patch.object(edges_module, "FADES", fades),
        patch.object(regions_module, "MAX_REGION", region),
        patch.object(memberships_module, "MAX_SEEN", seen),
        patch.object(directory_module, "MAX_CLAIMANTS", claimants),
    ):
        yield {
            "max_aliases": aliases,
            "max_edges": edges,
            "fades": fades,
            "max_region": region,
            "max_seen": seen,
            "max_claimants": claimants,
        }


@MANY
@given(history=events(), data=st.data())
def test_whatever_the_order_it_is_what_the_oracle_says(history: list[CleanTouchpoint], data: st.DataObject) -> None:
    world = told_in_order(data.draw(st.permutations([*history, *history[:2]])))
    assert differences(naive(history), world.places()) == []


@MANY
@given(history=events(), data=st.data())
def test_also_where_clusters_are_full_and_devices_shared(history: list[CleanTouchpoint], data: st.DataObject) -> None:
    with small_limits() as limits:
        world = told_in_order(data.draw(st.permutations(history)))
        assert differences(naive(history, **limits), world.places()) == []


#: The same world with two CRMs and two helpdesks, the first of which leads.
TWO_OF_EACH = {
    "crm:1": "crm:a:1",
    "crm:2": "crm:b:1",
    "crm:3": "crm:b:2",
    "crm_contact:1": "crm_contact:a:1",
    "crm_contact:2": "crm_contact:b:1",
    "group:acme": "org:a:5",
    "org:5": "org:b:5",
}


def of_two(event: CleanTouchpoint) -> CleanTouchpoint:
    kind, _, number = event.subject.partition(":")
    record = TWO_OF_EACH.get(f"{ {'company': 'crm', 'contact': 'crm_contact'}.get(kind, kind) }:{number}", "")
    return event.changed(
        aliases=tuple(TWO_OF_EACH.get(name, name) for name in event.aliases),
        account_refs=tuple(TWO_OF_EACH.get(name, name) for name in event.account_refs),
        network=TWO_OF_EACH.get(event.network, event.network),
        subject=f"{kind}:{record.partition(':')[2]}" if record else event.subject,
    )


@MANY
@given(history=events(), data=st.data())
def test_also_where_two_systems_of_one_kind_number_alike(history: list[CleanTouchpoint], data: st.DataObject) -> None:
    told = [of_two(event) for event in history]
    world = told_in_order(data.draw(st.permutations([*told, *told[:2]])), leads=("a", "b"))
    assert differences(led(told, ("a", "b")), world.places()) == []


@MANY
@given(order=st.permutations(range(12)), seen=st.integers(1, 3))
def test_also_where_somebody_is_seen_with_very_many_accounts(order: list[int], seen: int) -> None:
    """Two browsers with accounts, each again later; what joins them; visits between; one is told to have left."""
    refs = [("group:acme", 3), ("group:beta", 3), ("org:5", 1), ("crm:1", 9), ("crm:2", 6), ("group:acme", 12)]
    history = [
        touchpoint(f"g{n}", moment, "group", aliases=(f"anonymous:a{n % 2}",), account_refs=(ref,))
        for n, (ref, moment) in enumerate(refs)
    ]
    history += [touchpoint(f"v{n}", 4 * n, aliases=(f"anonymous:a{n % 2}",)) for n in range(4)]
    history.append(touchpoint("i1", 20, "identify", aliases=("email:eve@gmail.com", "anonymous:a0")))
    history.append(touchpoint("i2", 21, "identify", aliases=("email:eve@gmail.com", "anonymous:a1")))
    with small_limits(seen=seen) as limits:
        world = told_in_order([history[n] for n in order])
        assert differences(naive(history, **limits), world.places()) == []


@MANY
@given(history=events(20), data=st.data(), edges=st.integers(2, 5), region=st.integers(2, 9))
def test_also_where_identities_are_tangled(
    history: list[CleanTouchpoint], data: st.DataObject, edges: int, region: int
) -> None:
    with small_limits(edges=edges, region=region) as limits:
        world = told_in_order(data.draw(st.permutations(history)))
        assert differences(naive(history, **limits), world.places()) == []


@MANY
@given(history=events(10), data=st.data())
def test_a_cut_brings_back_what_would_have_been(history: list[CleanTouchpoint], data: st.DataObject) -> None:
    """Link or unlink anything, then take it back: the rest is as if nobody had decided."""
    a, b = data.draw(st.lists(st.sampled_from(ALIASES[:13]), min_size=2, max_size=2, unique=True))
    history = [event for event in history if event.action != "decision"]
    world = told_in_order(history)
    before = world.places()
    decide(world, "link", 50, a, b)
    decide(world, "unlink", 60, a, b)
    without = [event for event in history if not {a, b} <= set(event.aliases)]
    if without == history:  # nobody ever saw the two together: both decisions leave nothing
        assert differences(before, {k: v for k, v in world.places().items() if k in before}) == []
    assert differences(naive([*history, *world.decided]), world.places()) == []  # type: ignore[attr-defined]


def decide(world: World, verdict: str, seconds: float, a: str, b: str) -> None:
    event = touchpoint(
        f"d{seconds:.0f}", seconds, "decision", aliases=(a, b), properties={"verdict": verdict, "by": "ops"}
    )
    world.decided = [*getattr(world, "decided", []), event]  # type: ignore[attr-defined]
    world.receive(event)


TIES: dict[str, list[CleanTouchpoint]] = {
    "an id that is given up beside a weaker one": [
        touchpoint("e1", 0, aliases=("user:u2", "anonymous:a1")),
        touchpoint("e2", 5, "alias", aliases=("user:u1", "anonymous:a1"), properties={"given_up": "user:u1"}),
    ],
    "stated to begin when it was seen first": [
        touchpoint("e1", 0, aliases=("user:u1",)),
        touchpoint("e2", 5, "group", aliases=("user:u1",), account_refs=("group:acme",)),
        touchpoint("e3", 9, aliases=("user:u1",), account_refs=("group:acme",), valid_from=at(5)),
    ],
    "the same, at two accounts": [
        touchpoint("e1", 0, aliases=("user:u1",)),
        touchpoint("e2", 5, "group", aliases=("user:u1",), account_refs=("group:acme",)),
        touchpoint("e3", 9, aliases=("user:u1",), account_refs=("crm:1",), valid_from=at(5)),
        touchpoint("e4", 9, aliases=("user:u1",)),
    ],
}


@pytest.mark.parametrize("what", TIES)
def test_ties_are_broken_by_rules_and_not_by_arrival(what: str) -> None:
    for history in permutations(TIES[what]):
        assert differences(naive(history), told_in_order(list(history)).places()) == []


def test_an_edge_that_an_earlier_version_told_the_other_way_round_is_the_same_edge() -> None:
    knowledge = Knowledge()
    told = {"since": at(5), "evidence": "e2", "source": "web"}
    knowledge.apply(Edge.model_validate({"a": "anonymous:a1", "b": "user:u1"} | told), 1)
    assert not knowledge.learn(TIES["an id that is given up beside a weaker one"][1])
    assert len(knowledge.graph) == 1
    earlier = Edge.model_validate({"a": "user:u1", "b": "anonymous:a1"} | told | {"since": at(1)})
    knowledge.apply(earlier, 2)
    assert [edge.since for edge in knowledge.graph.edges("anonymous:a1")] == [at(1)]


def test_without_recalls_it_is_caught() -> None:
    """Known bad: attribution on arrival only. The anonymous visit never joins the person."""
    visit = touchpoint("e1", 0, aliases=("anonymous:a1",))
    identify = touchpoint("e2", 60, aliases=("email:ann@acme.com", "anonymous:a1"))
    deaf = told_in_order([visit, identify], heed_recalls=False)
    assert differences(naive([visit, identify]), deaf.places())
    assert told_in_order([visit, identify]).places()["e1"][1] == "domain:acme.com"


def _only_itself(self: Regions, name: str, *, may_part: bool) -> Region:
    return Region({name}, {edge for edge in self._edges.counting(name) if edge.a == edge.b})


def _first_of(self: Records, record: str, *how: str) -> Any:
    return next((told for told in self._changes.get(record, ()) if told.how in how), None)


def _only_first(self: Claims, claim: AccountClaim) -> None:
    if not self.knows(claim) and self.known(claim) is None:
        STATE(self, claim)


def _opens_unseen(self: Directory, account_id: str) -> None:
    """Known, but as if it had always been: nobody is looked for."""
    OPEN_OR_NOT(self, account_id)
    if account_id in self.open:
        self.open = _Hidden(self.open)


class _Hidden(set[str]):
    def __rand__(self, other: object) -> set[str]:
        return set()


OPEN_OR_NOT = Directory._open_or_not
STATE = Claims.state
BROKEN: dict[str, tuple[object, str, object]] = {
    "edges are taken by name, not by time": (clusters_module, "order_of", lambda edge: (edge.a, edge.b)),
    "a change is not followed over its border": (Regions, "_hanging_together", _only_itself),
    "the decision that arrives last wins": (Verdicts, "_in_order", lambda self, told: list(told)),
    "touchpoints are looked for in too few places": (
        recalls_module,
        "places",
        lambda known, person: {f"anon:{person.person_id}"},
    ),
    "two rules swapped": (
        attribution_rules,
        "RULES",
        (*attribution_rules.RULES[:2], *attribution_rules.RULES[2:4][::-1], *attribution_rules.RULES[4:]),
    ),
    "a new claim is no news": (Recalls, "_claimed", lambda self, claim: {*self._knowledge.directory.claim(claim)[:0]}),
    "a deleted account goes on claiming": (Records, "gone", lambda self, record: None),
    "memberships outlive the record": (Records, "gaps", lambda self, record: ()),
    "an organisation of strangers is a company": (Directory, "is_open", lambda self, account_id: False),
    "that an organisation is of strangers is no news": (Directory, "_open_or_not", _opens_unseen),
    "a merged account lives on": (Records, "survivor", lambda self, record: record),
    "of deletion and restoration the first counts": (Records, "_last", _first_of),
    "the domain that was told first stays": (Claims, "state", _only_first),
    "members of a restored account are not looked for": (Memberships, "members", lambda self, account_id: []),
    "a restored contact is no news": (
        Recalls,
        "_contact_changed",
        lambda self, link: self._knowledge.records.add(link) or set(),
    ),
    "whoever names an account belongs to it": (
        learning_module,
        "MEMBERSHIP_ACTIONS",
        learning_module.MEMBERSHIP_ACTIONS | {"custom"},
    ),
    "who was named is a member": (memberships_module, "_counts", lambda told: True),
    "a deal stays where its contact was": (Memberships, "members", lambda self, name: []),
    "a deal's way to its contact is forgotten": (attribution_rules, "_tied", lambda known, thing: []),
}


CLAIMS = [
    touchpoint("c1", 0, account_refs=("crm:1",), account_traits={"domain": "acme.com"}),
    touchpoint("c2", 0, account_refs=("crm:2",), account_traits={"domain": "beta.nl"}),
]
ANN = ("email:ann@acme.com",)


def said(name: str, seconds: float, verdict: str, *aliases: str, ref: str = "") -> CleanTouchpoint:
    refs = (ref,) if ref else ()
    properties = {"verdict": verdict, "by": "ops"}
    return touchpoint(name, seconds, "decision", aliases=aliases, account_refs=refs, properties=properties)


def of_company(name: str, seconds: float, what: str, into: str = "", **traits: str) -> CleanTouchpoint:
    """What the CRM tells of account 1: `told`, `removed`, `restored`, or `merged` into another."""
    refs = (into, "crm:1") if into else ("crm:1",)
    return touchpoint(
        name,
        seconds,
        "crm_removed" if what == "removed" else "crm_record",
        subject="company:1",
        account_refs=refs,
        account_traits=traits,
        properties={"restored": {"restored": True}, "merged": {"merged": "1"}}.get(what, {}),
    )


HISTORIES: dict[str, list[CleanTouchpoint]] = {
    "edges are taken by name, not by time": [
        touchpoint("e1", 0, "identify", aliases=("crm_contact:2", "anonymous:a1")),
        touchpoint("e2", 5, "identify", aliases=("crm_contact:1", "anonymous:a1")),
        touchpoint("e3", 9, aliases=("anonymous:a1",)),
    ],
    "a change is not followed over its border": [
        touchpoint("e1", 0, "identify", aliases=("crm_contact:1", "anonymous:a1")),
        touchpoint("e2", 5, "identify", aliases=("crm_contact:2", "anonymous:a1")),
        said("d1", 9, "unlink", "crm_contact:1", "anonymous:a1"),
        touchpoint("e3", 9, aliases=("anonymous:a1",)),
    ],
    "the decision that arrives last wins": [
        touchpoint("e1", 0, aliases=("user:u1",)),
        said("d2", 20, "belongs", "user:u1", ref="crm:1"),
        said("d1", 10, "not_belongs", "user:u1", ref="crm:1"),
    ],
    "touchpoints are looked for in too few places": [
        touchpoint("e1", 0, aliases=ANN),
        touchpoint("e2", 5, "group", aliases=ANN, account_refs=("group:beta",)),
    ],
    "two rules swapped": [*CLAIMS, touchpoint("e1", 0, aliases=ANN, account_traits={"domain": "beta.nl"})],
    "a new claim is no news": [touchpoint("e1", 0, aliases=ANN), *CLAIMS],
    "a deleted account goes on claiming": [*CLAIMS, touchpoint("e1", 0, aliases=ANN), of_company("r1", 9, "removed")],
    "memberships outlive the record": [
        touchpoint("e1", 0, "crm_record", aliases=("crm_contact:7",), account_refs=("crm:1",)),
        of_company("r1", 5, "removed"),
        touchpoint("e2", 9, aliases=("crm_contact:7",)),
    ],
    "a merged account lives on": [*CLAIMS, touchpoint("e1", 0, aliases=ANN), of_company("r1", 9, "merged", "crm:2")],
    "of deletion and restoration the first counts": [
        *CLAIMS,
        touchpoint("e1", 0, aliases=ANN),
        of_company("r2", 9, "restored"),
        of_company("r1", 5, "removed"),
    ],
    "the domain that was told first stays": [
        of_company("c1", 0, "told", domain="acme.com"),
        touchpoint("e1", 0, aliases=ANN),
        of_company("c2", 9, "told", domain="acme.org"),
    ],
    "members of a restored account are not looked for": [
        touchpoint("e1", 0, "crm_record", aliases=("crm_contact:7",), account_refs=("crm:1",)),
        of_company("r1", 5, "removed"),
        touchpoint("e2", 9, aliases=("crm_contact:7",)),
        of_company("r2", 7, "restored"),
    ],
    **dict.fromkeys(
        ("an organisation of strangers is a company", "that an organisation is of strangers is no news"),
        [
            touchpoint("e1", 0, "ticket_created", aliases=("support_user:7",), account_refs=("org:5",)),
            touchpoint("e2", 1, "ticket_created", aliases=("support_user:8",), account_refs=("org:5",)),
            touchpoint("e3", 2, "support_record", aliases=("support_user:8",), account_refs=("org:5",)),
            touchpoint("e4", 3, "support_record", account_refs=("org:5",), account_traits={"domain": "gmail.com"}),
            touchpoint("e5", 4, "page_view", aliases=("support_user:8",)),
        ],
    ),
    "a restored contact is no news": [
        touchpoint("e1", 0, "crm_record", aliases=("crm_contact:7",), account_refs=("crm:1",)),
        touchpoint("r1", 5, "crm_removed", aliases=("crm_contact:7",), subject="contact:7"),
        touchpoint("e2", 9, aliases=("crm_contact:7",)),
        touchpoint(
            "r2", 7, "crm_record", aliases=("crm_contact:7",), subject="contact:7", properties={"restored": True}
        ),
    ],
    **dict.fromkeys(
        ("whoever names an account belongs to it", "who was named is a member"),
        [
            touchpoint("e1", 0, "custom", aliases=("user:u1",), account_refs=("crm:1",)),
            touchpoint("e2", 5, aliases=("user:u1",)),
        ],
    ),
    "a deal stays where its contact was": [
        touchpoint("e1", 0, "crm_record", aliases=("crm_contact:7", "crm_deal:9")),
        touchpoint("e2", 5, "deal_stage_changed", aliases=("crm_deal:9",)),
        touchpoint("e3", 0, "crm_record", aliases=("crm_contact:7",), account_refs=("crm:1",)),
    ],
    "a deal's way to its contact is forgotten": [
        touchpoint("e1", 0, "crm_record", aliases=("crm_contact:7",), account_refs=("crm:1",)),
        touchpoint("e2", 0, "crm_record", aliases=("crm_contact:7", "crm_deal:9")),
        touchpoint("e3", 5, "deal_stage_changed", aliases=("crm_deal:9",)),
        touchpoint("e4", 9, "crm_record", aliases=("crm_deal:9",), account_refs=("crm:2",)),
    ],
}


@pytest.mark.parametrize("what", BROKEN)
def test_each_of_these_is_caught(what: str) -> None:
    """Known bad: what the oracle holds against each of these mistakes."""
    history = HISTORIES[what]
    assert differences(naive(history), told_in_order(history).places()) == []
    place, name, broken = BROKEN[what]
    with patch.object(place, name, broken):
        assert differences(naive(history), told_in_order(history).places())
