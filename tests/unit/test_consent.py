"""Consent that is withdrawn later, and given again: from then on, of every source, in any order."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from schemas.touchpoints import AttributedTouchpoint, CleanTouchpoint
from schemas.traffic import TrafficRules
from streams.journey import consent as consent_module
from streams.journey.blueprints import load
from streams.journey.compiled import CompiledBlueprint
from streams.journey.consent import MOST
from streams.journey.fold import fold
from tests.convergence import comparable, last_event, live, visible
from tests.journeys import AS_OF, attributed
from tests.unit.test_ordinary_events import read
from tests.unit.test_traffic import CHROME, blueprint_with

BLUEPRINT = load()
COUNTED = blueprint_with(count=("customer", "declined"))
NO: dict[str, Any] = {"flags": ("declined",)}
YES: dict[str, Any] = {"flags": ("consented",)}
TICKET = {"action": "ticket_created", "source": "zendesk", "vendor": "zendesk", "subject": "ticket:1"}
RECORD = {"action": "crm_record"}


def story(*rows: dict[str, Any]) -> list[AttributedTouchpoint]:
    return [attributed(f"e{n:02}", 60.0 * n, **{"page": "/pricing", **row}) for n, row in enumerate(rows)]


#: What happened, one thing a minute; and what kind each of them is: c customer, d declined, b bot, i internal, t test.
STORIES: dict[str, tuple[str, tuple[dict[str, Any], ...]]] = {
    "nobody says anything": ("cc", ({}, {})),
    "a visit, then no": ("cdd", ({}, NO, {})),
    "no, then yes": ("ddcc", (NO, {}, YES, {})),
    "yes, no, yes, no": ("cdcdd", (YES, NO, YES, NO, {})),
    "no twice, yes once": ("dddcc", (NO, NO, {}, YES, {})),
    "yes with every page says nothing new": ("ccc", (YES, YES, YES)),
    "another person is not meant": ("dccd", (NO, {"person": "p2"}, {"person": "p2"}, {})),
    "two people, each for themselves": ("dcdc", (NO, {"person": "p2"}, {"person": "p2", **NO}, YES)),
    "a ticket of who declined": ("dd", (NO, TICKET)),
    "what an agent answers stays the customer's": ("dc", (NO, {**TICKET, "action": "ticket_replied_by_agent"})),
    "the CRM's record of them stays": ("dc", (NO, RECORD)),
    "a deal without a person stays": ("dc", (NO, {"action": "deal_created", "person": ""})),
    "a change of a deal of theirs stays": ("dc", (NO, {"action": "deal_stage_changed"})),
    "an explicit record declines": ("ccd", ({}, {**RECORD, **NO}, {})),
    "an explicit record agrees again": ("dcc", (NO, {**RECORD, **YES}, {})),
    "a survey of who declined": ("dd", (NO, {"action": "survey_answered", "score": 2, "score_kind": "nps"})),
    "a crawler's no is nobody's": ("bc", ({**NO, "agent_kind": "bot"}, {})),
    "a test's no is nobody's": ("tc", ({"flags": ("test", "declined")}, {})),
    "a staging host's no is nobody's": ("ic", ({**NO, "url_host": "staging.acme.example"}, {})),
    "a crawler with their id stays a crawler": ("db", (NO, {"agent_kind": "bot"})),
    "a test of who declined stays a test": ("dt", (NO, {"flags": ("test",)})),
    "no without a person says nothing of others": ("dc", ({**NO, "person": ""}, {})),
    "an identification of who declined": ("dd", (NO, {"action": "identify", "person_traits": {"title": "CFO"}})),
    "an order of who declined": ("dd", (NO, {"action": "custom", "vendor_type": "track:Order Completed"})),
    "both in one message: no": ("dd", ({"flags": ("declined", "consented")}, {})),
}  # fmt: skip
KINDS = {"c": "customer", "d": "declined", "b": "bot", "i": "internal", "t": "test"}


@pytest.mark.parametrize(("expected", "rows"), STORIES.values(), ids=STORIES)
def test_what_each_is_in_any_order(expected: str, rows: tuple[dict[str, Any], ...]) -> None:
    items = story(*rows)
    whole = fold(items, BLUEPRINT, AS_OF)
    found = [whole.placed[item.event_id].traffic for item in items]
    assert found == [KINDS[letter] for letter in expected]
    for order in permutations(items):
        told, state = live([[item] for item in order], BLUEPRINT, last_event)
        assert (told.placed, told.signals, comparable(state)) == visible(whole)


def test_at_one_moment_the_word_counts_for_what_sorts_after_it() -> None:
    items = [attributed("a", 0), attributed("b", 0, **NO), attributed("c", 0)]
    placed = fold(items, BLUEPRINT, AS_OF).placed
    assert [placed[item.event_id].traffic for item in items] == ["customer", "declined", "declined"]


def test_who_declined_is_not_learned_about_and_keeps_what_was_known() -> None:
    told = story({"action": "identify", "person_traits": {"title": "CFO"}}, NO, {})
    later = story(NO, {"action": "identify", "person_traits": {"title": "CFO"}})
    before = fold(told, BLUEPRINT, AS_OF).profile.persona("p1")
    assert before != "unknown" and fold(later, BLUEPRINT, AS_OF).profile.persona("p1") == "unknown"


def test_counted_they_are_counted_without_who_they_are() -> None:
    """`count: [customer, declined]`: a contact moment of nobody: no persona, no seat, no person reached."""
    items = story({"action": "identify", "person_traits": {"title": "CFO"}}, NO, {})
    found = fold(items, COUNTED, AS_OF)
    assert [p.on_map for p in found.placed.values()] == [False, True, True], "an identification is on no map"
    assert [p.persona for p in found.placed.values()][1:] == ["unknown", "unknown"]
    alone = fold(story(NO, {}), COUNTED, AS_OF)
    assert alone.state.on_map_touchpoints == 2 and not alone.state.people and alone.state.left_out == {"p1": None}


def test_memory_is_bounded_and_who_changes_their_mind_too_often_has_declined() -> None:
    flips = story(*[NO if n % 2 == 0 else YES for n in range(2 * MOST)], {})
    found = fold(flips, BLUEPRINT, AS_OF)
    assert len(found.profile.consents) == MOST
    assert [found.placed[item.event_id].traffic for item in flips[MOST - 1 :]] == ["declined"] * (MOST + 2)


def test_above_the_bound_any_order_converges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consent_module, "MOST", 1)
    items = story(NO, YES, {}, NO, {})
    whole = visible(fold(items, BLUEPRINT, AS_OF))
    for order in permutations(items):
        told, state = live([[item] for item in order], BLUEPRINT, last_event)
        assert (told.placed, told.signals, comparable(state)) == whole


@pytest.mark.parametrize(
    ("preferences", "expected"),
    [
        ({"Advertising": False, "Analytics": False}, ("declined",)),
        ({"Advertising": False, "Analytics": True}, ("consented",)),
        ({"Analytics": "true"}, ("consented",)),
        ({"Analytics": "false"}, ("declined",)),
        ({"Analytics": None}, ("declined",)),
        ({}, ()),
        (None, ()),
        ([], ()),
        ("declined", ()),
    ],
)
def test_what_segments_consent_says(preferences: object, expected: tuple[str, ...]) -> None:
    found: CleanTouchpoint = read(
        {"type": "page", "context": {"consent": {"categoryPreferences": preferences}, "userAgent": CHROME}}
    )
    assert found.flags == expected


def test_settings_and_consent_are_apart() -> None:
    """Whether declined touchpoints count is a setting; that they are declined is not."""
    items = story(NO, {})
    for rules in (TrafficRules(), TrafficRules(count=("customer", "declined"))):
        blueprint = CompiledBlueprint(BLUEPRINT.source.model_copy(update={"traffic": rules}))
        assert {placed.traffic for placed in fold(items, blueprint, AS_OF).placed.values()} == {"declined"}
