"""What an event must have to matter to a rule, and what a property says of an element."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.matching import Compare, Match
from streams.friction.controls import is_label, is_made_for_repetition
from streams.friction.labels import is_repeated
from streams.friction.rule_book import RuleBook
from tests.journeys import touchpoint
from tests.unit.test_pattern_edges import rule as patterned

BOUNDED: dict[str, Any] = {"where": (Compare(field="n", at_least=3.0),)}


@pytest.mark.parametrize(
    ("rule", "asks"),
    [
        ({"pattern": "each", "when": (Match(action="click"),), **BOUNDED}, {"n"}),
        # what suffices needs no boundary
        ({"pattern": "each", "when": (Match(action="click"),), "suffices": (Match(action="click"),), **BOUNDED}, set()),
        # a wait ends with events that cross nothing
        ({"pattern": "absence", "opens": (Match(action="click"),), **BOUNDED}, set()),
    ],
)
def test_only_where_nothing_else_counts_an_event_must_have_what_boundaries_are_on(
    rule: dict[str, Any], asks: set[str]
) -> None:
    book = RuleBook([patterned(id="one", **rule).rule], roles={}, targets={}, phases={})
    (watch,) = book.watches(touchpoint("e1", 0, "click"))
    assert watch.asks == asks


@pytest.mark.parametrize(
    ("properties", "is_made_for_it"),
    [({"aria-checked": "mixed"}, True), ({"aria-checked": None}, False), ({"nothing of ours": "switch"}, False)],
)
def test_a_property_without_a_value_says_nothing(properties: dict[str, Any], is_made_for_it: bool) -> None:
    assert is_made_for_repetition(touchpoint("e1", 0, "click", properties=properties)) is is_made_for_it


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("text", True), ("aria-label", True), ("[Amplitude] Element Text", True), ("role", False), ("amount", False)],
)
def test_a_label_is_what_is_written_on_an_element(name: str, is_one: bool) -> None:
    assert is_label(name) is is_one


@pytest.mark.parametrize(
    ("label", "is_one"),
    [
        ("Forøg antal", True),
        ("Næste", True),
        ("\u200bNe\u00adxt", True),
        ("▶\ufe0f", True),
        ("Add one guest", True),
        ("Add one adult", True),
        ("Add one cart", False),
        ("Add one", True),
    ],
)
def test_a_label_is_read_without_accents_and_signs_that_nobody_sees(label: str, is_one: bool) -> None:
    assert is_repeated(label) is is_one
