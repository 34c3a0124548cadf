"""What is left of each field, value by value. Tokens are stored: the same words must come to the same ones for ever."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.friction_rules import Rule, Severity, Variant
from schemas.keeping import Keep, Keeping
from schemas.matching import Match
from schemas.touchpoints import CleanTouchpoint
from streams.minimising.asked import Asked, asked_by
from streams.minimising.kept import Kept
from streams.minimising.tokens import is_number, letters_of, names_nothing, token_of
from tests.dashboard_fakes import BLUEPRINT
from tests.journeys import touchpoint

ASKED = Asked(pages=("pricing",), titles=("invoice",), names=frozenset({"plan"}), values=frozenset({("plan", "pro")}))


def reduced(keep: Keep, action: str = "page_view", **fields: Any) -> CleanTouchpoint:
    keeping = Keeping(text=keep, title=keep, page=keep, properties=keep)
    return Kept({"web": keeping}, ASKED).reduced(touchpoint("e", 0, action, **fields))


@pytest.mark.parametrize(
    ("kind", "words", "token"),
    [
        ("title", "printer", "[title-kabkm]"),
        ("title", "Printer broken 4711", "[title-alcki-9943]"),
        ("text", "???", "[text-alcmm]"),
        ("page", "Question", "[page-pahlb]"),
    ],
)
def test_words_come_to_the_same_token_as_ever(kind: str, words: str, token: str) -> None:
    assert token_of(kind, words) == token


def test_letters_are_five() -> None:
    assert letters_of("printer") == "kabkm"


@pytest.mark.parametrize(
    ("words", "nothing"), [("Question", True), ("Question 12", False), ("12", False), ("Ann", False)]
)
def test_a_subject_without_words_of_its_own_names_nothing(words: str, nothing: bool) -> None:
    assert names_nothing(words) is nothing


@pytest.mark.parametrize(("value", "is_one"), [("12.5", True), ("-3", True), ("x", False), ("", False)])
def test_a_number_is_what_reads_as_one(value: str, is_one: bool) -> None:
    assert is_number(value) is is_one


@pytest.mark.parametrize(
    ("page", "masked", "dropped"),
    [
        ("/nl/acme/pricing/x1", "/nl/[page-cldnh]/pricing/[page-nbgch-911]", "/nl/pricing"),
        ("/acme-pricing/pricing", "/[page-ondfl-2246]pricing/pricing", "/pricing/pricing"),
        ("/pricing", "/pricing", "/pricing"),
        ("", "", ""),
    ],
)
def test_of_a_page_stays_what_the_blueprint_names(page: str, masked: str, dropped: str) -> None:
    assert (reduced("masked", page=page).page, reduced("dropped", page=page).page) == (masked, dropped)


def test_of_a_title_stays_what_the_blueprint_names() -> None:
    less, gone = (reduced(keep, title="Your Invoice 12", text="hello") for keep in ("masked", "dropped"))
    assert (less.title, less.text) == ("invoice [title-bgfef-4263]", "[text-mcnkp]")
    assert (gone.title, gone.text) == ("invoice", "")


PROPERTIES = {
    "text": "Next", "label": "Acme offer", "plan": "pro", "color": "red", "search": "?q=acme",
    "url": "https://x.nl/?q=acme", "n": 3, "topic": "other", "survey": "12.5",
}  # fmt: skip


def test_properties_are_masked_one_by_one() -> None:
    assert reduced("masked", "click", properties=PROPERTIES).properties == {
        "text": "Next", "label": "[value-jndib-7938]", "plan": "pro", "color": "[value-bfkbp]",
        "search": "?[value-pgjch-5142]", "url": "?[value-pgjch-5142]", "n": 3, "topic": "other", "survey": "12.5",
    }  # fmt: skip


def test_of_dropped_properties_stays_what_is_asked_and_tells_nothing() -> None:
    left = {"text": "Next", "plan": "pro", "topic": "other", "survey": "12.5"}
    assert reduced("dropped", "click", properties=PROPERTIES).properties == left


def test_what_a_survey_asks_stays_apart_by_its_event() -> None:
    said = {"question": "How was Bo?", "comment": "x"}
    assert reduced("dropped", "survey_answered", properties=said).properties == {"question": "[value-pjlld]"}
    assert reduced("dropped", "click", properties=said).properties == {}


def test_what_a_variant_of_a_rule_asks_is_asked() -> None:
    rule = Rule(
        id="two", pattern="each", when=(Match(page="/first*"),), severity=Severity(base=0.5), explanation="x",
        variants=(Variant(id="a", instead={"when": [{"page": "/second*"}]}),),
    )  # fmt: skip
    asked = asked_by(BLUEPRINT.model_copy(update={"rules": (rule,)}))
    assert {"first", "second"} <= set(asked.pages)
