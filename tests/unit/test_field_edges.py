"""What rules group and count by, field by field, and which rules can find anything with what is connected."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from schemas.blueprint import Blueprint
from schemas.matching import Compare, Match
from streams.friction.controls import is_made_for_repetition
from streams.friction.feeds import feedable, unfed
from streams.friction.fields import REFERENCES, reader
from streams.friction.rule_book import RuleBook, told_by
from streams.friction.working_time import WorkingTime
from streams.journey.blueprints import load
from tests.journeys import attributed, touchpoint
from tests.unit.test_pattern_edges import rule as patterned


def told(**properties: Any) -> dict[str, Any]:
    return {"properties": properties}


@pytest.mark.parametrize(
    ("field", "fields", "text"),
    [
        ("visitor", {"session_id": "s", "person": "p"}, "s"),
        ("visitor", {"person": "p"}, "p"),
        ("person", {"session_id": "s", "person": "p"}, "p"),
        ("person", {"session_id": "s", "person": ""}, "s"),
        ("session", {"session_id": "s"}, "s"),
        ("element", {"element": "save"}, "save"),
        ("source", {}, "web"),
        ("page", {"page": "/a", **told(url="https://x.example/a?b=1")}, "/a"),
        ("view", {"page": "/a", **told(url="https://x.example/a?b=1")}, "/a?b=1"),
        ("subject", {"subject": "form:demo"}, "form:demo"),
        ("event", {}, "e1"),
        ("stated_topic", told(topic="Billing", category="x"), "billing"),
        ("stated_topic", told(topic="", category="Tax"), "tax"),
        ("stated_topic", {}, ""),
        ("topic", {"title": "Cannot print invoices", **told(topic="Billing")}, "billing"),
        ("topic", {"title": "Printer", **told(topic="Other")}, "printer"),
        ("topic", {"title": "Printer", **told(topic="404")}, "404"),
        ("ref", {"subject": "ticket:desk:7", **told(quote_id="q")}, "desk:7"),
        ("ref", {"subject": "deal:crm:9"}, "9"),
        ("ref", told(order_id=12), "12"),
        ("ref", told(quote_id="crm:a:5"), "5"),
        ("ref", {}, ""),
        ("case", told(order_id=12), "12"),
        ("case", {"person": "p"}, "p"),
        ("conversation", told(conversation_id="c"), "c"),
        ("conversation", {"person": "p"}, "e1"),
        ("feature", told(name="n", feature="f"), "f"),
        ("feature", told(name="n"), "n"),
        ("error_type", told(type="T", exception="E"), "T"),
        ("error_type", told(exception="E"), "E"),
        ("contact_channel", {"channel": "email", **told(via="Phone")}, "phone"),
        ("contact_channel", {"channel": "email"}, "email"),
        ("plan", told(plan=0), "0"),
        ("plan", told(plan=None), ""),
    ],
)
def test_a_field_is_read_as_text(field: str, fields: dict[str, Any], text: str) -> None:
    assert reader(field)(attributed("e1", 0, **fields)) == text


@pytest.mark.parametrize("name", REFERENCES)
def test_each_kind_of_number_is_a_reference(name: str) -> None:
    assert reader("ref")(attributed("e1", 0, **told(**{name: "5"}))) == "5"


def rule(id_: str, fed_by: tuple[str, ...] = (), **more: Any) -> Any:
    own = {
        "id": id_,
        "fed_by": fed_by,
        "pattern": "each",
        "polarity": "friction",
        "stated": False,
        "of": (),
        "count": 1,
    }
    return SimpleNamespace(**(own | more))


def kind(**more: Any) -> Any:
    return SimpleNamespace(**({"polarity": "", "stated": None, "rules": ()} | more))


@pytest.mark.parametrize(
    ("wanted", "count", "can"),
    [
        (((kind(),),), 1, True),
        (((kind(),),), 3, True),
        (((kind(),),), 4, False),
        (((kind(polarity="delight"),),), 1, True),
        (((kind(polarity="delight"),),), 2, False),
        (((kind(stated=True),),), 1, True),
        (((kind(rules=("hungry",)),),), 1, False),
        (((kind(rules=("hungry", "anything")),),), 1, True),
        (((kind(), kind(rules=("hungry",))),), 1, False),
        (((kind(rules=("hungry",)),), (kind(),)), 1, True),
    ],
)
def test_a_rule_about_signals_needs_rules_that_are_fed(wanted: Any, count: int, can: bool) -> None:
    rules = [
        rule("anything"),
        rule("fed", ("tickets", "clicks"), polarity="delight"),
        rule("said", ("clicks",), stated=True),
        rule("hungry", ("calls",)),
        rule("whole", pattern="compound", of=wanted, count=count),
    ]
    blueprint = cast(Blueprint, SimpleNamespace(rules=rules))
    fed = feedable(blueprint, cast(Any, {"clicks"}))
    assert fed == {"anything": True, "fed": True, "said": True, "hungry": False, "whole": can}
    lines = unfed(blueprint, cast(Any, {"clicks"}), lambda word: ["phone", "phone", str(word)])
    assert lines[0] == "rule `hungry` finds nothing: no configured source feeds it (phone, calls)"
    assert lines[1:] == ([] if can else ["rule `whole` finds nothing: no configured source feeds it (signals)"])


@pytest.mark.parametrize(
    ("fields", "is_made_for_it"),
    [
        ({"element": "+"}, True),
        ({"element": "Next ›"}, True),
        ({"element": "Load 10 more"}, True),
        ({"element": "save"}, False),
        ({"element": ""}, False),
        ({"element": "(3)"}, True),  # a page, or a key of a keypad
        ({"element": "(2026)"}, False),
        ({"title": "more"}, True),
        ({"element": ".swiper-button-next"}, True),
        ({"element": "#qtyPlus"}, True),
        ({"element": "#save-and-next"}, False),
        ({"element": "#next"}, True),
        (told(role="Slider "), True),
        (told(role="button"), False),
        (told(tag="INPUT"), True),
        (told(tag="input", type="submit"), False),
        (told(tag="input", type="checkbox"), True),
        (told(type="button"), False),
        ({"element": "next", **told(tag="button")}, True),
        ({"element": "save", **told(tag="button", text="plus")}, True),
        ({"element": "save", **told(tag="button", class_name="carousel-item")}, True),
        ({"element": "save", **told(tag="button", text=7)}, True),
        ({"element": "save", **told(tag="button", text=2026)}, False),
        ({"element": "save", **{"properties": {"aria-checked": "false"}}}, True),
        (told(contenteditable="true"), True),
        (told(contenteditable="None"), False),
        (told(contenteditable=""), False),
    ],
)
def test_controls_that_are_used_again_and_again(fields: dict[str, Any], is_made_for_it: bool) -> None:
    assert is_made_for_repetition(touchpoint("e1", 0, "click", **fields)) is is_made_for_it


HOURS = cast(WorkingTime, object())


def book() -> RuleBook:
    """A rule of each way of being watched."""
    rules = [
        patterned(id="any", pattern="each", when=(Match(action="click"),)),
        patterned(
            id="paged", pattern="burst", when=(Match(action="click", page="/a"),), unless=(Match(channel="email"),)
        ),
        patterned(id="scored", pattern="each", when=(Match(),), where=(Compare(field="n", at_least=3.0),)),
        patterned(
            id="way",
            pattern="order",
            steps=((Match(action="click"),), (Match(properties={"k": (1,)}),), (Match(action="identify"),)),
        ),
        patterned(id="haste", pattern="advance"),
        patterned(id="whole", pattern="compound"),
        patterned(id="worked", pattern="absence", opens=(Match(action="ticket_created"),), working_time=True),
    ]
    told = [one.rule for one in rules]
    return RuleBook(
        told, roles={"p": "champion"}, targets={"t": {"a": 1.0}, "u": {}}, phases={"f": 2}, hours={"t": HOURS}
    )


def test_a_book_knows_its_rules_by_what_they_watch() -> None:
    made = book()
    assert [way.id for way in made.advances] == ["haste"] and [way.id for way in made.compounds] == ["whole"]
    assert (made.roles, made.phases, made.targets("t"), made.targets("u")) == (
        {"p": "champion"},
        {"f": 2},
        {"a": 1.0},
        {},
    )
    assert made.way("any").id == made.rule("any").id == "any"
    worked, plain = made.way("worked"), made.way("any")
    assert made.hours(worked, "t") is HOURS and made.hours(worked, "u") is None and made.hours(plain, "t") is None


@pytest.mark.parametrize(
    ("fields", "watched"),
    [
        ({"action": "click", "page": "/a"}, ["any", "paged", "scored", "way"]),
        ({"action": "click", "page": "/b"}, ["any", "scored", "way"]),
        ({"action": "page_view", "page": "/a"}, ["scored", "way"]),
        ({"action": "ticket_created"}, ["scored", "way", "worked"]),
    ],
)
def test_an_event_is_shown_to_the_rules_that_it_can_matter_to(fields: dict[str, Any], watched: list[str]) -> None:
    made, seen = book(), touchpoint("e1", 0, **fields)
    found = made.watches(seen)
    assert [watch.rule.id for watch in found] == watched
    assert made.watches(seen) is found, "kinds repeat"
    other = touchpoint("e2", 0, **(fields | {"page": "/elsewhere"}))
    assert [watch.rule.id for watch in made.watches(other)] == [name for name in watched if name != "paged"]


def test_a_watch_asks_only_what_the_kind_of_event_leaves_open() -> None:
    found = {watch.rule.id: watch for watch in book().watches(touchpoint("e1", 0, "click", page="/a", channel="web"))}
    assert [found[name].plain for name in ("any", "paged", "scored")] == [True, True, False]
    assert [found[name].asks for name in ("any", "paged", "scored")] == [frozenset(), frozenset(), frozenset({"n"})]
    assert found["way"].sure_steps == 1 and [bit for bit, _ in found["way"].other_steps] == [2]
    assert [watch.pattern for watch in found.values()] == ["each", "burst", "each", "order"]
    mailed = {
        watch.rule.id: watch for watch in book().watches(touchpoint("e1", 0, "click", page="/a", channel="email"))
    }
    assert not mailed["paged"].plain and mailed["paged"].unless(touchpoint("e1", 0))


@pytest.mark.parametrize(
    ("rule", "action", "asks"),
    [
        ("dead_click", "click", {"dead", "has_effect"}),
        ("negative_words", "survey_answered", {"sentiment"}),
        ("not_found", "page_view", set()),  # a title alone may tell it
        ("page_loop", "page_view", set()),
    ],
)
def test_a_watch_says_what_an_event_must_tell_to_matter(rule: str, action: str, asks: set[str]) -> None:
    watches = load().rulebook.watches(touchpoint("e1", 0, action))
    assert next(watch.asks for watch in watches if watch.rule.id == rule) == asks


def test_a_rule_of_deals_is_not_shown_a_page_view() -> None:
    shown = {
        action: load().rulebook.watches(touchpoint("e1", 0, action)) for action in ("page_view", "deal_stage_changed")
    }
    told = {action: {watch.rule.id for watch in watches} for action, watches in shown.items()}
    assert "deal_regressed" in told["deal_stage_changed"] - told["page_view"]


def test_an_event_tells_its_properties_and_what_is_felt() -> None:
    assert set(told_by(touchpoint("e1", 0, properties={"n": 1}))) == {"n"}
    assert set(told_by(touchpoint("e1", 0, properties={"n": 1}, score=0, score_kind="nps"))) == {"n", "score"}
    assert set(told_by(touchpoint("e1", 0, sentiment=0.0))) == {"sentiment"}
