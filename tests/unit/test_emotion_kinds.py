"""Praise of a time that is over, feared trouble that did not come, and what was never so: read right, or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.emotion.lexicon import Lexicon, lexicon
from streams.emotion.reading import score
from streams.emotion.vocabulary import LANGUAGES, Language

FOLDER = Path(__file__).parents[1] / "data" / "sentiment"
SIDED = 0.2
WRONG_SIDES = {
    "negative": lambda value: value > -SIDED,
    "positive": lambda value: value < SIDED,
    "unknown": lambda value: abs(value) >= SIDED,
}


def groups(language: Language) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((FOLDER / f"{language}_kinds.yaml").read_text(encoding="utf-8"))
    return found


def wrong(language: Language, read: Lexicon) -> list[tuple[float, str]]:
    """What is read otherwise than its writer feels; no reading is not wrong."""
    told = [(score(text, read), text, group["is"]) for group in groups(language) for text in group["texts"]]
    return [(value, text) for value, text, label in told if value is not None and WRONG_SIDES[label](value)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_they_are_read_right_or_not_at_all(language: Language) -> None:
    assert wrong(language, lexicon(language)) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_felt_now_is_still_read(language: Language) -> None:
    sided = [text for group in groups(language) if group["is"] != "unknown" for text in group["texts"]]
    unread = [text for text in sided if score(text, lexicon(language)) is None]
    assert len(sided) >= 15 and unread == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("rule", "least"), [("past", 9), ("feared", 2), ("never", 2)])
def test_known_bad_without_each_rule(language: Language, rule: str, least: int) -> None:
    deaf = replace(lexicon(language), **{rule: frozenset()})  # type: ignore[arg-type]
    assert len(wrong(language, deaf)) >= least


@pytest.mark.parametrize(
    ("language", "text", "sign"),
    [
        ("en", "We are used to your quick replies and very happy.", 1),
        ("en", "I am afraid the invoice is wrong again.", -1),
        ("en", "I never got a good answer.", -1),
        ("en", "It never gets better.", -1),
        ("nl", "Wij zijn nooit goed geholpen.", -1),
        ("nl", "Ik ben bang dat de factuur alweer fout is.", -1),
        ("nl", "De training was geweldig.", 1),
    ],
)
def test_what_only_looks_alike_is_read_as_before(language: Language, text: str, sign: int) -> None:
    found = score(text, lexicon(language))
    assert found is not None and found * sign > 0
