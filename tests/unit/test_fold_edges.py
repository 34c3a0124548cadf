"""The small decisions of the fold, each at both sides of its edge: what a copy knows, where moves lead, what hurts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from itertools import pairwise, permutations, product
from types import SimpleNamespace
from typing import Any, cast

import pytest

from schemas.blueprint import Behaviour, Blueprint, PersonaRule
from schemas.facts import PhaseChange
from schemas.touchpoints import AttributedTouchpoint, Withdraw
from streams.friction.episodes import Signal
from streams.journey.deal_words import SAVE, DealWords, Standing, flags_of
from streams.journey.fold import fold, merged, sorted_history
from streams.journey.leaving import NEVER, NOTHING, Left, outread, unread
from streams.journey.pain import pain_of
from streams.journey.personas import PersonaRules, words_of
from streams.journey.state import JourneyState, Placed, with_case
from streams.journey.transitions import Transitions
from tests.journeys import AS_OF, START, at, attributed
from tests.unit.test_phase_persona import BLUEPRINT


def copy(
    knowledge: int = 0, mapping: int = 1, account: str = "crm:1", received: float = 0.0, **more: Any
) -> AttributedTouchpoint:
    """A copy of the event `e1`."""
    own: dict[str, Any] = {"event_id": "e1", "seconds": 0.0} | more
    return attributed(**own, knowledge=knowledge, mapping=mapping, account_id=account, received_at=at(received))


def signal(severity: float) -> Signal:
    made = dict.fromkeys(Signal._fields) | {"severity": severity}
    return Signal(**made)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("severities", "pain"),
    [((), 0.0), ((0.3,), 0.3), ((0.5, 0.5), 0.75), ((0.2, 0.5, 0.5), 0.8), ((1.0, 0.4), 1.0), ((1 / 3,), 0.333333)],
)
def test_pain_is_what_is_left_of_being_spared(severities: tuple[float, ...], pain: float) -> None:
    assert pain_of(map(signal, severities)) == pain


@pytest.mark.parametrize(
    ("knowledge", "mapping", "goes", "stays_out"),
    [
        (4, 2, True, True),
        (5, 2, True, True),
        (6, 2, True, True),
        (4, 3, True, True),
        (5, 3, False, True),
        (6, 3, False, False),
        (4, 4, True, True),
        (5, 4, False, False),
        (6, 4, False, False),
    ],
)
def test_what_has_left_goes_and_stays_out(knowledge: int, mapping: int, goes: bool, stays_out: bool) -> None:
    """An older reading always; of the same one, who knew less or came with as much; of a newer one, who knew less."""
    left, item = Left(knowledge=5, mapping=3), copy(knowledge, mapping)
    assert (left.takes(item), left.keeps_out(item)) == (goes, stays_out)


def test_two_leavings_hold_together_and_none_holds_nothing() -> None:
    assert Left(5, 2).with_(Left(3, 4)) == Left(3, 4).with_(Left(5, 2)) == Left(5, 4)
    assert not NEVER.takes(copy(0)) and not NEVER.keeps_out(copy(0))


def test_the_older_reading_of_a_receipt_is_withdrawn_whatever_the_order() -> None:
    old, new = copy(7, 1, "crm:old"), copy(3, 2, "crm:new")
    beside = [copy(0, 1, "crm:new"), copy(9, 1, "crm:other", received=1.0), copy(0, 1, "crm:old", event_id="e2")]
    gone = Withdraw(
        account_id="crm:old",
        event_id="e1",
        to_account_id="crm:new",
        knowledge=3,
        cause="a newer mapping reads the sender's request otherwise",
        mapping=2,
    )
    for order in permutations([old, new, *beside]):
        assert list(outread(order)) == [gone]


@pytest.mark.parametrize(
    ("mapping", "left", "gone"), [(1, {"e1": 2}, True), (2, {"e1": 2}, False), (1, {"e2": 2}, False)]
)
def test_a_copy_that_stands_alone_goes_when_a_newer_mapping_made_nothing_of_it(
    mapping: int, left: dict[str, int], gone: bool
) -> None:
    withdrawn = Withdraw(account_id="crm:1", event_id="e1", to_account_id="", knowledge=0, cause=NOTHING, mapping=2)
    assert unread("crm:1", "e1", 2) == withdrawn
    assert list(outread([copy(4, mapping)], left)) == ([withdrawn] if gone else [])


@pytest.mark.parametrize(
    ("first", "second", "content"),
    [
        ({"received": 1.0}, {"received": 2.0}, "first"),
        ({"received": 1.0, "mapping": 1}, {"received": 2.0, "mapping": 2}, "first"),
        ({"mapping": 2}, {"mapping": 1}, "first"),
        ({"mapping": 2, "knowledge": 0}, {"mapping": 1, "knowledge": 9}, "first"),
    ],
)
def test_of_two_copies_the_first_content_counts(first: dict[str, Any], second: dict[str, Any], content: str) -> None:
    one, other = copy(page="/first", **first), copy(page="/second", **second)
    assert merged(one, other).touchpoint.page == merged(other, one).touchpoint.page == f"/{content}"
    informed = max(one.knowledge, other.knowledge)
    assert merged(one, other).knowledge == merged(other, one).knowledge == informed


def test_of_copies_that_differ_in_nothing_but_content_it_is_always_the_same_one() -> None:
    one, other = copy(page="/a"), copy(page="/b")
    assert merged(one, other) == merged(other, one)
    assert merged(one, other).touchpoint in (one.touchpoint, other.touchpoint)


def test_of_attributions_the_best_informed_counts_then_the_first_received() -> None:
    def judge(*copies: AttributedTouchpoint) -> set[str]:
        return {merged(one, other).account_id for one, other in permutations(copies)}

    assert judge(copy(2, account="crm:a", received=9.0), copy(1, account="crm:b", received=1.0)) == {"crm:a"}
    assert judge(copy(1, account="crm:a", received=1.0), copy(1, account="crm:b", received=9.0)) == {"crm:a"}
    assert judge(copy(1, account="crm:a"), copy(1, account="crm:b")) == {"crm:b"}, "always the same one"
    read_anew = copy(0, account="crm:a", received=9.0)
    read_anew = read_anew.changed(attribution=read_anew.attribution.changed(mapping=2))
    assert judge(read_anew, copy(5, account="crm:b", received=1.0)) == {"crm:a"}


def test_two_events_are_told_in_their_order_too() -> None:
    two = [copy(event_id="e1", seconds=5.0), copy(event_id="e2", seconds=1.0)]
    assert [item.event_id for item in sorted_history(two)] == ["e2", "e1"]


def test_a_history_is_one_copy_of_each_event_in_their_order() -> None:
    copies = [
        copy(2, received=5.0, page="/late"),
        copy(1, received=1.0, page="/first"),
        copy(event_id="e0", seconds=9.0),
    ]
    for order in permutations(copies):
        told = sorted_history(iter(order))
        assert [(item.event_id, item.touchpoint.page, item.knowledge) for item in told] == [
            ("e1", "/first", 2),
            ("e0", "", 0),
        ]


def graph(phases: str, moves: list[tuple[str, str]], exits: str = "x") -> Transitions:
    """A graph of phases of one letter each."""
    made = SimpleNamespace(
        phases=[SimpleNamespace(id=phase, kind="exit" if phase in exits else "buyer") for phase in phases],
        transitions=[SimpleNamespace(source=source, target=target) for source, target in moves],
    )
    return Transitions(cast(Blueprint, made))


def naive_paths(phases: str, moves: set[tuple[str, str]], start: str, end: str) -> Iterator[tuple[str, ...]]:
    """Every way the definition allows: one move, or (after leaving an exit) only forward, through no exit."""
    if (start, end) in moves:
        yield (end,)
        return
    home = [phase for phase in phases if phase != "x"]
    for chosen in product((False, True), repeat=len(home)):
        way = [phase for phase, is_in in zip(home, chosen, strict=True) if is_in]
        if not way or way[-1] != end or (start != "x" and phases.index(way[0]) < phases.index(start)):
            continue
        if all(move in moves for move in pairwise([start, *way])):
            yield tuple(way)


def test_a_path_is_a_shortest_one_of_all_that_are_allowed() -> None:
    draw = random.Random(5)
    walked = 0
    for _ in range(60):
        phases = "abcdex"
        moves = {move for move in product(phases, phases) if move[0] != move[1] and draw.random() < 0.3}
        allowed = graph(phases, sorted(moves))
        for start, end in product(phases, phases):
            ways = sorted(naive_paths(phases, moves, start, end), key=len) if start != end else []
            if start == end:
                continue
            found = allowed.path(start, end)
            walked += len(found) > 1
            assert (found in ways and len(found) == len(ways[0])) if ways else found == (), (moves, start, end)
    assert walked > 20


def test_moves_are_told_apart_and_none_leads_to_itself() -> None:
    allowed = graph("abcx", [("*", "x"), ("*", "b"), ("b", "b"), ("x", "a"), ("q", "a"), ("b", "a"), ("b", "a")])
    leads = {pair for pair in product("abcx", "abcx") if allowed.allows(*pair)}
    assert leads == {("a", "x"), ("b", "x"), ("c", "x"), ("a", "b"), ("c", "b"), ("x", "b"), ("x", "a"), ("b", "a")}
    assert not allowed.allows("q", "a")
    ways = {pair: allowed.direction(*pair) for pair in [("a", "b"), ("b", "a"), ("a", "x"), ("x", "a"), ("x", "x")]}
    assert list(ways.values()) == ["forward", "backward", "exit", "re-entry", "exit"]
    later = [allowed.is_later(*pair) for pair in [("b", "a"), ("a", "a"), ("a", "b"), ("x", "a"), ("unknown", "a")]]
    assert later == [True, False, False, False, False]


RULES = PersonaRules(
    [
        PersonaRule(persona="fan", role=("Champion ",), department=(" ", "Sales")),
        PersonaRule(persona="buyer", title_words=("head of", "cfo", " "), role=("champion", "buyer")),
        PersonaRule(persona="user", behaviour=Behaviour(type=("ticket",), at_least=3, share=0.5)),
        PersonaRule(persona="expert", title_words=("*beheer",), behaviour=Behaviour(action=("click",), at_least=2)),
    ]
)


@pytest.mark.parametrize(
    ("traits", "persona"),
    [
        ({}, "unknown"),
        ({"title": "Head of Ops"}, "buyer"),
        ({"title": "Head Ops"}, "unknown"),
        ({"title": "C.F.O."}, "buyer"),
        ({"title": "Téchnisch BEHEER"}, "expert"),
        ({"title": "beheerder"}, "unknown"),
        ({"role": " CHAMPION"}, "fan"),
        ({"role": "user; Buyer"}, "buyer"),
        ({"role": "", "department": ""}, "unknown"),
        ({"department": "sales "}, "fan"),
        ({"title": "CFO", "department": "Sales"}, "fan"),
    ],
)
def test_the_first_rule_that_a_trait_meets_names_the_persona(traits: dict[str, str], persona: str) -> None:
    assert RULES.persona(RULES.by_traits(traits)) == persona
    assert len(RULES) == 4 and RULES.persona(4) == "unknown"


@pytest.mark.parametrize(
    ("moments", "counts", "persona"),
    [(6, (3, 0), "user"), (7, (3, 0), "unknown"), (4, (2, 0), "unknown"), (9, (0, 2), "expert"), (6, (3, 2), "user")],
)
def test_behaviour_counts_from_its_number_and_its_share(moments: int, counts: tuple[int, int], persona: str) -> None:
    assert RULES.persona(RULES.by_behaviour(moments, counts)) == persona


def test_a_moment_counts_for_its_type_or_its_action() -> None:
    found = {pair: RULES.counts_for(*pair) for pair in product(("ticket", "home"), ("click", "view"))}
    assert list(found.values()) == [(0, 1), (0,), (1,), ()]


def test_words_have_no_case_no_accents_and_no_dots_of_acronyms() -> None:
    assert words_of("Dir. Général, C.F.O. a.i.") == {"dir", "general", "cfo", "ai"}


MEANING: dict[str, Standing] = {"w": "won", "l": "lost", "o": "open"}
MINUTE = timedelta(minutes=1)
assert SAVE == MINUTE


def later(minutes: float) -> Any:
    return START + minutes * MINUTE


@pytest.mark.parametrize(
    ("words", "standing"),
    [
        ({}, "open"),
        ({"stage": ("w", later(0))}, "won"),
        ({"stage": ("l", later(0))}, "lost"),
        ({"stage": ("o", later(0))}, "open"),
        ({"stage": ("unnamed", later(0))}, "open"),
        ({"stage": ("", later(0)), "won": (True, later(0))}, "won"),
        # a stage moves a flagged deal only later than one save takes
        ({"won": (True, later(0)), "stage": ("o", later(1))}, "won"),
        ({"won": (True, later(0)), "stage": ("o", later(1.1))}, "open"),
        ({"won": (True, later(0)), "stage": ("l", later(1.1))}, "lost"),
        ({"won": (True, later(0)), "stage": ("unnamed", later(9))}, "won"),
        # of two flags the later one
        ({"won": (True, later(0)), "lost": (True, later(1))}, "lost"),
        ({"won": (True, later(1)), "lost": (True, later(0))}, "won"),
        ({"won": (True, later(0)), "lost": (True, later(0))}, "won"),
        # not closed since
        ({"won": (True, later(1)), "closed": (False, later(1))}, "won"),
        ({"won": (True, later(1)), "closed": (False, later(2))}, "open"),
        ({"won": (True, later(1)), "closed": (True, later(2))}, "won"),
        # an end that was denied after the stage told it
        ({"stage": ("w", later(1)), "won": (False, later(1))}, "won"),
        ({"stage": ("w", later(1)), "won": (False, later(2))}, "open"),
        ({"stage": ("w", later(1)), "lost": (False, later(2))}, "won"),
        ({"stage": ("l", later(1)), "lost": (False, later(2))}, "open"),
        ({"stage": ("l", later(1)), "won": (False, later(2))}, "lost"),
        ({"stage": ("l", later(1)), "closed": (False, later(2))}, "open"),
        ({"stage": ("l", later(1)), "closed": (False, later(1))}, "lost"),
    ],
)
def test_what_a_deal_comes_to(words: dict[str, Any], standing: Standing) -> None:
    assert DealWords(**words).standing(MEANING.get) == standing


@pytest.mark.parametrize(
    ("told", "flags"),
    [
        ({}, {}),
        ({"hs_is_closed_won": " TRUE "}, {"won": True}),
        ({"is_lost": "0", "is_closed": "yes"}, {"lost": False, "closed": True}),
        ({"is_won": "perhaps"}, {}),
        ({"is_closed": True, "is_won": False}, {"closed": True, "won": False, "lost": True}),
        ({"is_closed": True, "is_won": True}, {"closed": True, "won": True}),
        ({"is_closed": False, "is_won": False}, {"closed": False, "won": False}),
        ({"outcome": " Lost"}, {"lost": True}),
        ({"outcome": "open"}, {"closed": False}),
        ({"outcome": "won", "is_won": "no"}, {"won": True}),
        ({"outcome": None}, {}),
    ],
)
def test_the_flags_that_an_event_tells(told: dict[str, Any], flags: dict[str, bool]) -> None:
    assert flags_of(told) == flags


def test_a_later_word_replaces_only_its_own_fact() -> None:
    before = DealWords(stage=("o", later(0)), won=(True, later(0)))
    assert before.after(None, {}, later(5)) is before and before.after("", {}, later(5)) is before
    after = before.after("w", {"closed": True}, later(5))
    assert after == DealWords(stage=("w", later(5)), won=(True, later(0)), closed=(True, later(5)))


def test_a_copy_of_a_state_holds_the_same_and_shares_nothing_that_changes() -> None:
    """Of deals a state never changes the dict that it has; it takes a new one."""
    state = JourneyState(phase="a", high_water_phase="b")
    for number, field in enumerate(fields(JourneyState)):
        kept = getattr(state, field.name)
        setattr(state, field.name, {f"k{number}": number} if isinstance(kept, dict) else f"v{number}")
    twin = state.copy()
    assert twin == state
    for field in fields(JourneyState):
        if isinstance(getattr(twin, field.name), dict) and field.name not in ("opportunities", "deal_words"):
            getattr(twin, field.name)["new"] = 1
            assert "new" not in getattr(state, field.name), field.name


def test_what_is_no_customers_is_kept_where_it_was_and_moves_nothing() -> None:
    seen = attributed("e1", 0, page="/")
    bot = attributed("e2", 10, "custom", vendor_type="track:cancelled", person="p2", agent_kind="bot")
    told, without = (fold(items, BLUEPRINT, AS_OF) for items in ([seen, bot], [seen]))
    left_out = told.placed["e2"]
    assert (left_out.traffic, left_out.on_map, left_out.phase, left_out.touchpoint_type) == (
        "bot",
        False,
        "awareness",
        "go_live",
    )
    assert told.placed["e1"] == without.placed["e1"] and told.placed["e1"].on_map
    assert (told.state.touchpoints, told.state.on_map_touchpoints) == (2, 1)
    same = ("phase", "transitions", "people", "last_seen_at", "last_contact_at", "signals")
    assert [getattr(told.state, name, None) for name in same] == [getattr(without.state, name, None) for name in same]
    assert told.state.last_key == bot.sort_key


def test_a_touchpoint_has_its_place_and_leaves_its_mark() -> None:
    named = attributed("e1", 0, "identify", person_traits={"title": "CFO"})
    seen = attributed("e2", 60, page="/pricing", score=0.5)
    told = fold([named, seen], BLUEPRINT, AS_OF)
    placed, kind = told.placed["e2"], BLUEPRINT.type_of(seen.touchpoint)
    assert placed == Placed(
        item=seen,
        touchpoint_type="pricing",
        phase="consideration",
        home_phase="consideration",
        persona="buyer",
        segment=told.profile.segment,
        on_map=True,
        moment_of_truth=kind.moment_of_truth,
        importance=kind.importance,
        emotion=placed.emotion,
        traffic="customer",
    )
    assert told.profile.persona("p1") == "buyer" and told.placed["e1"].on_map is False
    state = told.state
    assert (state.clock, state.last_key, state.first_seen_at, state.last_seen_at) == (
        at(60),
        seen.sort_key,
        at(0),
        at(60),
    )
    assert (state.touchpoints, state.on_map_touchpoints, list(state.people)) == (2, 1, ["p1"])
    assert state.transitions == (
        PhaseChange(
            at=at(60),
            from_phase="awareness",
            to_phase="consideration",
            event_id="e2",
            cause="indicative: pricing",
            cause_coded='["indicative",{"type":"pricing"}]',
            accepted=True,
            dwell_s=60.0,
            reason="",
            direction="forward",
        ),
    )


@pytest.mark.parametrize(
    ("own", "adopted", "named"),
    [("", {}, ""), ("c1", {}, ""), ("", {"s1": "c1"}, "c1"), ("c1", {"s1": "c1"}, "c1"), ("", {"s2": "c1"}, "")],
)
def test_a_signal_names_the_case_that_adopted_it(own: str, adopted: dict[str, str], named: str) -> None:
    one = signal(0.5)._replace(signal_id="s1", case_id=own)
    assert with_case(one, adopted) == one._replace(case_id=named)


@pytest.mark.parametrize("empty", ["", None])
def test_a_response_is_named_by_the_first_field_that_says_something(empty: str | None) -> None:
    told = {
        "properties": {"response_id": empty, "submission_id": "r1"},
        "score": 7.0,
        "score_kind": "nps",
        "person": "",
    }
    answers = [attributed(f"e{n}", n, "survey_answered", **told) for n in (1, 2)]
    amended = BLUEPRINT.amended(BLUEPRINT.consents().counts)
    amended.learn(answers)
    assert [item.event_id in amended.back for item in answers] == [True, False]
