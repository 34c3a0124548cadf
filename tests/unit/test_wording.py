"""What the words of a name or a path tell, where no match of the catalogue says more than the action."""

from __future__ import annotations

import pytest

from schemas.complaints import Refused
from streams.journey.blueprints import load, parse
from tests.journeys import touchpoint

WORDS = """
version: 1
phases: [{id: early, name: Early}, {id: late, name: Late, kind: customer}]
initial_phase: early
transitions: [{source: early, target: late}]
decisive: [{match: {action: custom, name: [bought]}, phase: late}]
types:
  - {id: visit, name: Visit, phase: early, match: [{action: page_view}]}
  - {id: search, name: Search, phase: early, match: [{action: page_view, channel: search}]}
  - {id: named, name: Named, phase: early, match: [{action: page_view, page: "/demo-day*"}, {name: [cart of wines]}]}
  - {id: demo, name: Demo, phase: early}
  - {id: basket, name: Basket, phase: late}
  - {id: use, name: Use, phase: late}
words:
  - {type: demo, events: ["demo book*"], pages: [demo*, "*vorführung"], forms: [demo]}
  - {type: basket, events: [cart, voucher*], pages: [cart, "demo cart", "*wagen"]}
  - {type: use, events: [data], otherwise: [applied, viewed, opened]}
"""
BLUEPRINT = parse(WORDS.replace("vorführung", "vorfuhrung"))


def kind(action: str, vendor_type: str, page: str = "", channel: str = "web") -> str:
    found = touchpoint("e", 0, action, vendor_type=vendor_type, page=page, channel=channel)
    return BLUEPRINT.type_of(found).id


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Voucher Applied", "basket"),  # a noun goes before what was done with it
        ("Viewed Cart", "basket"),
        ("CartOpened", "basket"),
        ("cart_opened_2", "basket"),
        ("Something Opened", "use"),
        ("Booked a demo", "demo"),
        ("Demo Cart", "basket"),
        ("Data of Demo booked", "demo"),  # more words decide
        ("cart of wines", "named"),
        ("Discarted", "unmapped"),
        ("Demo", "unmapped"),
        ("", "unmapped"),
    ],
)
def test_names(name: str, found: str) -> None:
    assert kind("custom", f"track:{name}") == found


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("/plan-een-demo", "demo"),
        ("/nl/demo.html", "demo"),
        ("/DEMO", "demo"),
        ("/demos/overview", "demo"),
        ("/demo/cart", "basket"),  # both words, and the one behind
        ("/cart/demo", "basket"),
        ("/einkaufswagen", "basket"),
        ("/produktvorführung", "demo"),
        ("/demo-day-2026", "named"),
        ("/why-you-should-not-book-a-demo", "visit"),
        ("/", "visit"),
        ("/7", "visit"),
    ],
)
def test_pages(page: str, found: str) -> None:
    assert kind("page_view", "page", page) == found


def test_words_go_before_the_channel_and_behind_every_other_condition() -> None:
    assert kind("page_view", "page", "/plan-een-demo", "search") == "demo"
    assert kind("page_view", "page", "/x", "search") == "search"


@pytest.mark.parametrize(
    ("action", "vendor_type", "page", "found"),
    [
        ("form_submitted", "track:Form Submitted", "/plan-een-demo", "demo"),
        ("form_touched", "track:Demo Form Started", "/x", "demo"),
        ("form_submitted", "track:Form Submitted", "/x", "unmapped"),
        ("custom", "contact.propertyChange:cart", "", "unmapped"),  # a property of a CRM is no event's name
        ("click", "track:Cart Clicked", "/cart", "unmapped"),
    ],
)
def test_forms_and_what_is_not_asked(action: str, vendor_type: str, page: str, found: str) -> None:
    assert kind(action, vendor_type, page) == found


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("{type: demo, events: [data]}", "`data` stands twice"),
        ("{type: demo, events: [book* demo]}", "stands twice"),
        ("{type: dmeo, events: [x]}", "unknown touchpoint type `dmeo`"),
        ("{type: demo, events: [Demo]}", "is no phrase"),
        ("{type: demo, pages: [de*mo]}", "is no phrase"),
    ],
)
def test_what_is_wrong_is_refused_and_named(told: str, said: str) -> None:
    with pytest.raises(Refused, match=r"words\.3") as caught:
        parse(f"{WORDS.replace('vorführung', 'vorfuhrung')}  - {told}\n")
    assert said in str(caught.value)


def test_one_word_makes_no_request() -> None:
    """A page called so is looked at; an event needs two words, or a match."""
    requests = ("demo_request", "quote_request", "contract")
    told = [one for one in load().source.words if one.type in requests]
    wordy = [phrase for one in told for phrase in (*one.events, *one.otherwise, *one.pages) if " " not in phrase]
    assert set(wordy) <= {"offerteaanvra*", "prijsaanvra*"}  # compounds of two
