"""Persona, committee, phase and opportunities: the fold against a naive oracle, and each rule where it bends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.touchpoints import AttributedTouchpoint
from streams.journey import deal_words, opportunities, personas, phases, profile, transitions
from streams.journey.account import AccountJourney
from streams.journey.blueprints import parse
from streams.journey.causes import in_english
from streams.journey.fold import Journey, fold
from streams.journey.profile import completeness
from streams.journey.state import MAX_TRANSITIONS, JourneyState
from tests.journeys import AS_OF, at, attributed
from tests.naive_journey import NaiveJourney

BLUEPRINT = parse("""
version: 1
initial_phase: awareness
phases:
  - {id: awareness, name: A}
  - {id: consideration, name: C}
  - {id: purchase, name: P}
  - {id: initiate, name: I, kind: customer}
  - {id: enablement, name: E, kind: customer}
  - {id: advocacy, name: D, kind: customer}
  - {id: lapsed, name: L, kind: exit}
transitions:
  - {source: awareness, target: consideration}
  - {source: consideration, target: purchase}
  - {source: purchase, target: initiate}
  - {source: initiate, target: enablement}
  - {source: enablement, target: advocacy}
  - {source: "*", target: lapsed}
  - {source: lapsed, target: consideration}
  - {source: purchase, target: consideration}
  - {source: advocacy, target: enablement}
indicative: {awareness: consideration}
amendments: {deal_s: 0}
decisive:
  - {match: {action: deal_stage_changed, properties: {value: [contractsent]}}, phase: purchase, only_from: [awareness, consideration, lapsed]}
  - {match: {deal_becomes: [won]}, phase: initiate}
  - {match: {deal_becomes: [lost]}, phase: consideration, only_from: [purchase]}
  - {match: {action: deal_stage_changed, properties: {value: [renewallost]}}, phase: lapsed}
  - {match: {action: lifecycle_changed, properties: {value: [lead]}}, phase: consideration}
  - {match: {action: custom, vendor_type: "track:live"}, phase: enablement}
  - {match: {action: custom, vendor_type: "track:reference"}, phase: advocacy, only_from: [initiate, enablement]}
  - {match: {action: custom, vendor_type: "track:cancelled"}, phase: lapsed}
personas:
  - {id: buyer, name: B, buying_role: decision maker}
  - {id: expert, name: X, buying_role: influencer}
  - {id: fan, name: F, buying_role: champion}
  - {id: user, name: U, buying_role: practitioner}
persona_rules:
  - {persona: fan, role: [champion]}
  - {persona: buyer, title_words: [cfo, "financieel directeur"], department: [Finance]}
  - {persona: user, behaviour: {type: [ticket], at_least: 3, share: 1}}
  - {persona: expert, title_words: ["*beheerder", engineer, "inkoop*"], behaviour: {action: [client_error], at_least: 2}}
committee: {decision maker: 1, champion: 1, practitioner: 2}
types:
  - {id: home, name: H, phase: awareness, match: [{action: page_view}]}
  - {id: pricing, name: P, phase: consideration, match: [{action: page_view, page: /pricing}]}
  - {id: go_live, name: G, phase: enablement, match: [{action: custom}]}
  - {id: ticket, name: T, phase: enablement, match: [{action: ticket_created}, {action: client_error}]}
  - {id: farewell, name: W, phase: lapsed, match: [{action: form_submitted}]}
  - {id: record, name: R, phase: purchase, on_map: false, match: [{action: identify}, {action: crm_record}, {action: crm_removed}, {action: lifecycle_changed}, {action: deal_stage_changed}, {action: deal_created}]}
""")  # fmt: skip  # noqa: E501
Entry = tuple[str, dict[str, Any]]


def flag(fact: str, is_set: bool, deal: str = "deal:1") -> Entry:
    """The CRM's flag that a deal is won (or lost), set or taken back, as HubSpot's is told."""
    told: dict[str, Any] = {"property": f"hs_is_closed_{fact}", "value": f"closed{fact}" if is_set else "false"}
    told |= {"outcome": fact} if is_set else {}
    return ("deal_stage_changed" if is_set else "crm_record", {"subject": deal, "person": "", "properties": told})


KINDS: list[Entry] = [
    ("page_view", {"page": "/"}),
    ("page_view", {"page": "/pricing"}),
    ("form_submitted", {}),
    ("ticket_created", {"subject": "ticket:1"}),
    ("ticket_created", {"subject": "ticket:1"}),
    ("client_error", {}),
    ("custom", {"vendor_type": "track:live"}),
    ("custom", {"vendor_type": "track:reference"}),
    ("custom", {"vendor_type": "track:cancelled"}),
    ("lifecycle_changed", {"properties": {"value": "lead"}}),
    ("identify", {"person_traits": {"title": "C.F.O."}}),
    ("identify", {"person_traits": {"title": "Systeembeheerder"}}),
    ("identify", {"person_traits": {"title": "Baker", "department": "finance "}}),
    ("identify", {"person_traits": {"role": "Champion"}}),
    ("identify", {"person_traits": {"role": ""}}),
    ("deal_created", {"subject": "deal:1", "person": ""}),
    ("deal_created", {"subject": "deal:2", "person": ""}),
    ("crm_removed", {"subject": "deal:2", "person": ""}),
    ("crm_removed", {"subject": "deal:1", "person": "", "properties": {"removed": True}}),
    ("crm_removed", {"subject": "deal:2", "person": "", "properties": {"removed": True}, "account_refs": ("crm:1",)}),
    ("crm_record", {"subject": "deal:1", "person": "", "properties": {"property": "amount", "value": "1200.5"}}),
    ("crm_record", {"subject": "deal:1", "person": "", "properties": {"property": "amount", "value": "much"}}),
]
KINDS += [
    ("deal_stage_changed", {"subject": deal, "person": "", "properties": {"value": stage}})
    for deal in ("deal:1", "deal:2")
    for stage in ("qualifiedtobuy", "contractsent", "closedwon", "closedlost", "renewallost", "1122399")
]
KINDS += [flag(fact, is_set) for fact in ("won", "lost") for is_set in (True, False)]
REOPENED: dict[str, Any] = {"property": "hs_is_closed", "value": "false"}
KINDS += [("crm_record", {"subject": "deal:1", "person": "", "properties": REOPENED})]


@st.composite
def histories(draw: st.DrawFn) -> list[AttributedTouchpoint]:
    """What one account may tell in some weeks, with equal stamps and clocks far ahead."""
    items = []
    for index in range(draw(st.integers(1, 40))):
        action, fields = draw(st.sampled_from(KINDS))
        extra: dict[str, Any] = {"person": draw(st.sampled_from(["p1", "p2", "p3"]))} | fields
        seconds = draw(st.one_of(st.integers(0, 60), st.integers(0, 300)))
        if draw(st.integers(0, 20)) == 0:
            extra |= {"clock_suspect": True, "occurred_at": at(seconds + 1e9)}
        items.append(attributed(f"e{index:03}", seconds, action, **extra))
    return items


def differences(history: list[AttributedTouchpoint]) -> list[str]:
    """Where the fold and the oracle disagree."""
    journey = fold(history, BLUEPRINT, AS_OF)
    naive = NaiveJourney(BLUEPRINT.source, history, BLUEPRINT.type_of)
    seats = journey.profile.committee(journey.state.people)
    pairs: dict[str, tuple[object, object]] = {
        "phases": ({e: placed.phase for e, placed in journey.placed.items()}, naive.phase_at),
        "phase": ((journey.state.phase, journey.state.high_water_phase), (naive.phase, naive.high_water)),
        "moves": (
            _moves(journey),
            [_words(m.event_id, m.came_from, m.to, m.dwell_s) for m in naive.moves if m.is_accepted],
        ),
        "refused": (
            {(t.from_phase, t.to_phase) for t in journey.state.transitions if not t.accepted},
            {(move.came_from, move.to) for move in naive.moves if not move.is_accepted},
        ),
        "personas": (
            {placed.item.attribution.person_id: placed.persona for placed in journey.placed.values()},
            {item.attribution.person_id: naive.persona(item.attribution.person_id) for item in history},
        ),
        "committee": ({seat.role: (seat.known, seat.required) for seat in seats}, naive.committee()),
        "completeness": (completeness(seats), round(naive.completeness(), 6)),
        "opportunities": (_deals(journey), naive.opportunities()),
    }
    return [f"{name}: {ours} is not {theirs}" for name, (ours, theirs) in pairs.items() if ours != theirs]


def _moves(journey: Journey) -> list[str]:
    return [_words(t.event_id, t.from_phase, t.to_phase, t.dwell_s) for t in journey.state.transitions if t.accepted]


def _words(event_id: str, before: str, after: str, dwell_s: float) -> str:
    return f"{event_id} {before} → {after} after {dwell_s:g} s"


def _deals(journey: Journey) -> dict[str, dict[str, Any]]:
    names = ("kind", "status", "stage", "opened_at", "closed_at", "regressions", "reopened", "amount")
    return {
        deal.opportunity_id: {name: getattr(deal, name) for name in names}
        for deal in journey.state.opportunities.values()
    }


@settings(max_examples=400, deadline=None)
@given(history=histories())
def test_the_fold_says_what_the_definitions_say(history: list[AttributedTouchpoint]) -> None:
    assert differences(history) == []


@settings(max_examples=200, deadline=None)
@given(history=histories(), data=st.data())
def test_the_order_of_arrival_does_not_matter(history: list[AttributedTouchpoint], data: st.DataObject) -> None:
    """Batch by batch in any order, mended from memory or refolded: the same personas, phases and deals."""
    stream = data.draw(st.permutations(history))
    size = data.draw(st.integers(1, 7))
    account, told = AccountJourney("crm:1", BLUEPRINT), dict[str, Any]()
    for start in range(0, len(stream), size):
        changes = account.accept(stream[start : start + size], AS_OF)
        told |= changes.placed
        if changes.refold or changes.incomplete:
            account, journey = AccountJourney.rebuilt("crm:1", BLUEPRINT, stream[: start + size], AS_OF)
            told = dict(journey.placed)
    oracle = fold(history, BLUEPRINT, AS_OF)
    assert told == oracle.placed
    assert account.state.opportunities == oracle.state.opportunities
    assert account.state.transitions == oracle.state.transitions
    assert account.profile.committee(account.state.people) == oracle.profile.committee(oracle.state.people)


@dataclass
class Story:
    """A history in short: one kind of `KINDS`-like entry a minute."""

    entries: list[Entry]

    def items(self) -> list[AttributedTouchpoint]:
        return [attributed(f"e{n:03}", n * 60, action, **fields) for n, (action, fields) in enumerate(self.entries)]

    def fold(self) -> Journey:
        return fold(self.items(), BLUEPRINT, AS_OF)


def stage(value: str, deal: str = "deal:1") -> Entry:
    return ("deal_stage_changed", {"subject": deal, "person": "", "properties": {"value": value}})


LIVE: Entry = ("custom", {"vendor_type": "track:live"})
TICKET: Entry = ("ticket_created", {"subject": "ticket:1"})
WON_AND_EXPANDED = Story([stage("contractsent"), stage("closedwon"), LIVE, stage("contractsent", "deal:2"),
                          stage("qualifiedtobuy", "deal:2"), stage("closedwon", "deal:2")])  # fmt: skip
JUMP = Story([LIVE, TICKET, TICKET, TICKET, ("identify", {"person_traits": {"title": "CFO"}})])
ONE_OF_TWO_LOST = Story([stage("contractsent"), stage("qualifiedtobuy", "deal:2"), stage("closedlost")])
BOTH_LOST = Story([*ONE_OF_TWO_LOST.entries, stage("closedlost", "deal:2")])
LOST_THEN_WON = Story([flag("lost", is_set=True), flag("lost", is_set=False), flag("won", is_set=True)])
OWN_PIPELINE = Story([flag("won", is_set=True), stage("1122399"), flag("won", is_set=False)])
RENAMED_STAGE = Story([flag("won", is_set=True), stage("contractsent")])
PAINED = Story([TICKET, TICKET, TICKET, stage("contractsent")])
CORPUS = [LOST_THEN_WON, OWN_PIPELINE, RENAMED_STAGE, WON_AND_EXPANDED, JUMP, PAINED, ONE_OF_TWO_LOST, BOTH_LOST]


def test_an_expansion_runs_beside() -> None:
    journey = WON_AND_EXPANDED.fold()
    assert (journey.state.phase, len(_moves(journey))) == ("enablement", 4)
    first, second = journey.state.opportunities.values()
    assert (first.kind, first.status) == ("new", "won")
    assert (second.kind, second.status, second.regressions) == ("expansion", "won", 1)
    assert not [change for change in journey.state.transitions if not change.accepted]


def test_a_lost_deal_takes_the_account_back_only_when_it_was_the_last_open_one() -> None:
    state = ONE_OF_TWO_LOST.fold().state
    refused = state.transitions[-1]
    assert (state.phase, refused.accepted, refused.to_phase) == ("purchase", False, "consideration")
    assert refused.reason == "a deal was lost, but deal:2 is still open"
    assert BOTH_LOST.fold().state.phase == "consideration"
    gone: Entry = ("crm_removed", {"subject": "deal:2", "person": ""})
    assert Story([*BOTH_LOST.entries[:2], gone, stage("closedlost")]).fold().state.phase == "consideration"


def test_a_deal_won_before_holds_nobody_back() -> None:
    cancelled = ("custom", {"vendor_type": "track:cancelled"})
    again = [stage("contractsent", "deal:9"), stage("closedlost", "deal:9")]
    assert Story([stage("closedwon"), cancelled, *again]).fold().state.phase == "consideration"


def test_a_customer_who_does_not_renew_has_left() -> None:
    story = Story([stage("closedwon"), stage("qualifiedtobuy", "deal:2"), stage("renewallost", "deal:2")])
    assert story.fold().state.phase == "lapsed"


def test_who_comes_back_keeps_the_high_water_mark() -> None:
    cancelled = ("custom", {"vendor_type": "track:cancelled"})
    journey = Story([stage("closedwon"), LIVE, cancelled, stage("contractsent", "deal:9")]).fold()
    directions = [change.direction for change in journey.state.transitions]
    assert directions == ["forward"] * 4 + ["exit", "re-entry", "forward"]
    assert (journey.state.phase, journey.state.high_water_phase) == ("purchase", "enablement")
    assert journey.state.opportunities["deal:9"].kind == "new"


def test_a_refused_move_says_why_and_is_said_once() -> None:
    reference = ("custom", {"vendor_type": "track:reference"})
    journey = Story([("page_view", {"page": "/pricing"}), reference, reference, reference]).fold()
    moved, refused = journey.state.transitions
    assert moved.accepted and not refused.accepted
    assert refused.reason == "counts only in initiate, enablement"
    assert (refused.from_phase, refused.to_phase, refused.dwell_s) == ("consideration", "advocacy", 60.0)
    journey = Story([stage("closedwon"), ("lifecycle_changed", {"properties": {"value": "lead"}})]).fold()
    assert journey.state.transitions[-1].reason == "no allowed transition from initiate to consideration"


def test_a_hint_moves_one_step_and_only_from_the_beginning() -> None:
    assert Story([LIVE]).fold().state.phase == "enablement"  # decisive: walks
    assert Story([TICKET, TICKET]).fold().state.phase == "consideration"  # a hint: one step
    assert Story([("form_submitted", {})]).fold().state.phase == "awareness"  # an exit is nowhere on the journey


def test_evidence_of_a_later_phase_never_walks_back_first() -> None:
    moved = [t.to_phase for t in Story([stage("contractsent"), LIVE]).fold().state.transitions]
    assert moved == ["consideration", "purchase", "initiate", "enablement"]


def test_refused_moves_go_first_when_there_are_too_many() -> None:
    reference, lead = ("custom", {"vendor_type": "track:reference"}), stage("closedlost")
    entries: list[Entry] = [("page_view", {"page": "/pricing"})] + [reference, lead, stage("contractsent")] * 150
    transitions_kept = Story(entries).fold().state.transitions
    assert len(transitions_kept) == MAX_TRANSITIONS
    assert transitions_kept[0].to_phase == "consideration"


def test_only_so_many_deals_are_kept_and_open_ones_longest() -> None:
    entries = [stage("closedlost" if n % 2 else "qualifiedtobuy", f"deal:{n}") for n in range(150)]
    kept = Story(entries).fold().state.opportunities
    assert len(kept) == opportunities.MAX_OPPORTUNITIES
    assert sum(deal.status == "open" for deal in kept.values()) == 75


@pytest.mark.parametrize(
    ("title", "persona"),
    [
        ("CFO", "buyer"),
        ("Group C.F.O. & partner", "buyer"),
        ("Financieel  Directeur", "buyer"),
        ("directeur, financieel", "buyer"),
        ("Netwerkbeheerder", "expert"),
        ("Inkoopmedewerker", "expert"),
        ("INGENIEUR / Engineer", "expert"),
        ("Engineering", "unknown"),
        ("Beheerdersassistent", "unknown"),
        ("", "unknown"),
    ],
)
def test_titles_are_compared_word_by_word(title: str, persona: str) -> None:
    rules = BLUEPRINT.personas
    assert rules.persona(rules.by_traits({"title": title})) == persona


def test_behaviour_counts_only_while_it_is_all_they_do() -> None:
    entries = [TICKET, TICKET, TICKET]
    assert {p.persona for p in Story(entries[:2]).fold().placed.values()} == {"unknown"}
    assert {p.persona for p in Story(entries).fold().placed.values()} == {"user"}
    assert {p.persona for p in Story([*entries, ("page_view", {"page": "/"})]).fold().placed.values()} == {"unknown"}
    named = [*entries, ("identify", {"person_traits": {"title": "CFO"}})]
    assert {p.persona for p in Story(named).fold().placed.values()} == {"buyer"}


def test_a_persona_found_late_is_mended_from_memory() -> None:
    account = AccountJourney("crm:1", BLUEPRINT)
    first, second, third = Story([TICKET, TICKET, TICKET]).items()
    account.accept([first, second], AS_OF)
    changes = account.accept([third], AS_OF)
    assert not changes.refold
    assert {event_id: placed.persona for event_id, placed in changes.placed.items()} == dict.fromkeys(
        ("e000", "e001", "e002"), "user"
    )


def test_a_persona_found_beyond_the_tail_asks_for_a_refold() -> None:
    account = AccountJourney("crm:1", BLUEPRINT)
    for item in [attributed(f"e{n:03}", n, "page_view", page="/") for n in range(100)]:
        account.accept([item], AS_OF)
    changes = account.accept([attributed("f", 200, "identify", person_traits={"title": "CFO"})], AS_OF)
    assert changes.refold and changes.cause is not None
    assert in_english(changes.cause.words) == "the persona of person p1 is buyer, not unknown"


def _never(*_: object, **__: object) -> bool:
    return False


def _straight(_: transitions.Transitions, current: str, target: str) -> tuple[str, ...]:
    return (target,)


def _by_prefix(self: profile.Profile, person_id: str) -> None:
    self._personas.setdefault(person_id, self._rules.persona(self._people[person_id].by_traits))


def _by_any_deal(_: object, state: JourneyState, item: AttributedTouchpoint, __: str) -> str:
    return next((deal for deal in state.opportunities if deal != item.touchpoint.subject), "")


def _by_last_stage(self: deal_words.DealWords, meaning: Callable[[str], Any]) -> str:
    return (self.stage and meaning(self.stage[0])) or "open"


def _by_first_flag(self: deal_words.DealWords) -> tuple[str, Any] | None:
    return ("won", self.won[1]) if self.won else ("lost", self.lost[1]) if self.lost else None


KNOWN_BAD: list[tuple[object, str, Any]] = [
    (transitions.Transitions, "_path", _straight),  # whatever evidence says goes
    (phases, "_runs_beside", _never),  # an expansion is a regression
    (phases, "_held_by", _never),  # any lost deal takes the account back
    (phases, "_held_by", _by_any_deal),  # and so does none, as long as there is another
    (opportunities.Deals, "goes_back", _never),  # a deal never goes back
    (deal_words.DealWords, "standing", _by_last_stage),  # the stage alone says what a deal is
    (deal_words.DealWords, "_flag", _by_first_flag),  # what was set once is set for ever
    (deal_words, "SAVE", timedelta()),  # the message that comes last is right
    (opportunities, "_reopening", lambda before, status, *_: status == "open"),  # every passing word is a reopening
    (profile.Profile, "_judge", _by_prefix),  # the first impression stays
    (personas.PersonaRules, "by_behaviour", lambda self, *_: len(self)),  # what people do does not count
]


@pytest.mark.parametrize(("where", "name", "bad"), KNOWN_BAD)
def test_the_oracle_catches_what_is_wrong(where: object, name: str, bad: Any) -> None:
    assert [line for story in CORPUS for line in differences(story.items())] == []
    with patch.object(where, name, bad):
        fresh = parse_again()
        with patch(f"{__name__}.BLUEPRINT", fresh):
            assert [line for story in CORPUS for line in differences(story.items())]


def parse_again() -> Any:
    """The same blueprint with empty caches: what is patched must be asked."""
    return type(BLUEPRINT)(BLUEPRINT.source)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_what_the_crm_calls_an_account_stays(order: tuple[int, ...]) -> None:
    """Its own record's name comes before that of another of the CRM's, and both before what a helpdesk calls it."""
    told = [
        attributed("a", 1, "crm_record", account_refs=("crm:1",), account_traits={"name": "Nordic Pumps"}),
        attributed("b", 2, "crm_record", account_refs=("crm:2",), account_traits={"name": "Nordic (old)", "plan": "x"}),
        attributed("c", 3, "support_record", account_refs=("org:7",), account_traits={"name": "nordic", "size": "9"}),
    ]
    account = AccountJourney("crm:1", BLUEPRINT)
    for index in order:
        account.profile.learn([told[index]])
    assert account.profile.account_traits() == {"name": "Nordic Pumps", "plan": "x", "size": "9"}
