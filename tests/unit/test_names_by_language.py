"""Names and explanations that a blueprint gives per language: read, refused where they are not whole, and kept."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.blueprint import Blueprint, Phase
from schemas.friction_rules import Rule
from streams.friction.compiled import compile_rules
from streams.journey.digests import digest_of
from tests.dashboard_fakes import BLUEPRINT

RULE: dict[str, Any] = {
    "id": "slow",
    "pattern": "burst",
    "when": [{"action": "page_view"}],
    "within_s": 60,
    "severity": {"base": 0.4},
}


def refused(**fields: Any) -> str:
    with pytest.raises(ValidationError) as error:
        Rule.model_validate(RULE | fields)
    return str(error.value)


def test_a_name_is_a_text_or_one_for_each_language() -> None:
    plain = Phase.model_validate({"id": "buy", "name": "Purchase"})
    assert (plain.name, plain.name_in("nl")) == ("Purchase", "Purchase")
    both = Phase.model_validate({"id": "buy", "name": {"en": "Purchase", "nl": "Aankoop"}})
    assert [both.name, *map(both.name_in, ("en", "nl", "fr"))] == ["Purchase", "Purchase", "Aankoop", "Purchase"]
    assert Phase.model_validate(both.model_dump()) == both, "what the store holds of a blueprint reads the same"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ({"nl": "Aankoop"}, "without `en`"),
        ({"en": "Purchase", "dutch": "Aankoop"}, "`name` is given for `dutch`; write languages as"),
        ({"en": "Purchase", "nl": ""}, "`name` in `nl` is no text"),
        ({"en": "Purchase", "nl": 3}, "`name` in `nl` is no text"),
        ({"en": "Purchase", 1: "x"}, "`name` is given for `1`"),
        ({}, "without `en`"),
    ],
)
def test_a_name_that_lacks_a_language_is_refused(name: Any, says: str) -> None:
    with pytest.raises(ValidationError) as error:
        Phase.model_validate({"id": "buy", "name": name})
    assert says in str(error.value)


def test_an_explanation_is_a_text_or_one_for_each_language() -> None:
    words = {"en": "slow on {page} ({times})", "nl": "traag op {page}"}
    both = Rule.model_validate(RULE | {"explanation": words})
    assert (both.explanation, both.explanations) == (words["en"], words)
    (way,) = compile_rules([both])
    assert way.parameters == ("page", "count")
    own = {"id": "b", "instead": {"explanation": "slower on {element}", "count": 3}}
    (other,) = compile_rules([Rule.model_validate(RULE | {"explanation": words, "variants": [own]})])
    assert not other.rule.explanations, "a variant with words of its own has no others"
    assert other.parameters == ("element",)


def test_an_explanation_that_cannot_be_filled_is_refused() -> None:
    assert "names `{customer}`; with pattern `burst` there are {count}" in refused(explanation="{customer} was slow")
    assert "which the English one does not" in refused(explanation={"en": "slow", "nl": "traag op {page}"})
    of = {"pattern": "compound", "of": [[{"polarity": "friction"}]]}
    says = "with pattern `compound` there are {count}, {times}, {waited}, {parts}"
    assert says in refused(**of, explanation="{title} hurt")
    assert "braces" in refused(explanation="slow on {page")


def test_a_translation_judges_nothing_anew() -> None:
    """It changes no row, so no account is computed anew because of it."""
    source = BLUEPRINT.model_dump(mode="json")
    for entry in (source["phases"][0], source["types"][0], source["personas"][0]):
        entry["name"] = {"en": entry["name"], "nl": "Iets"}
    words = source["rules"][0]["explanation"]
    source["rules"][0]["explanation"] = {"en": words, "nl": words}
    translated = Blueprint.model_validate(source)
    assert translated.phases[0].names["nl"] == "Iets"
    assert digest_of(translated) == digest_of(BLUEPRINT)
