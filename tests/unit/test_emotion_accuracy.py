"""The labelled sentences, held out from tuning, keep the reading honest: floors that known-bad readers fall through.

The floors lie a little under what `python -m benchmarks --only emotion` measured, see docs/explanation/emotion.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest
from vader import SentimentIntensityAnalyzer

from benchmarks.emotion import LABELS, Marks, Part, Read, always_neutral, labelled, library_alone, marks, sentiment
from streams.emotion.language import language_of
from streams.emotion.lexicon import Lexicon, lexicon
from streams.emotion.reading import score
from streams.emotion.vocabulary import LANGUAGES, Language

ACCURACY, ANSWERED_RIGHT, MACRO_F1 = 0.65, 0.87, 0.75
PRECISION, RECALL = 0.9, 0.48


def passes(found: Marks) -> bool:
    strong = [(found.precision[label], found.recall[label]) for label in ("negative", "positive")]
    overall = (found.accuracy >= ACCURACY, found.answered_right >= ANSWERED_RIGHT, found.macro_f1 >= MACRO_F1)
    return all(overall) and all(p >= PRECISION and r >= RECALL for p, r in strong)


def reader(lexicon: Lexicon) -> Read:
    return lambda text: score(text, lexicon)


@pytest.mark.parametrize("language", LANGUAGES)
def test_held_out_sentences_are_read_well(language: Language) -> None:
    assert passes(found := marks(labelled(language, "held_out"), sentiment)), found


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_enough_sentences_of_each_label(language: Language) -> None:
    sizes: dict[Part, int] = {"tuning": 200, "held_out": 140}
    for part, least in sizes.items():
        texts = labelled(language, part)
        counts = Counter(label for _, label in texts)
        assert len({text for text, _ in texts}) == len(texts) >= least
        assert min(counts[label] for label in LABELS) >= 0.3 * len(texts)
    assert not {text for text, _ in labelled(language, "tuning")} & {text for text, _ in labelled(language, "held_out")}


@pytest.mark.parametrize("language", LANGUAGES)
def test_known_bad_always_neutral(language: Language) -> None:
    found = marks(labelled(language, "held_out"), always_neutral)
    assert not passes(found)
    assert found.accuracy < ACCURACY


def test_known_bad_the_library_without_our_words() -> None:
    assert not passes(marks(labelled("en", "held_out"), library_alone()))


@pytest.mark.parametrize("language", LANGUAGES)
def test_known_bad_without_negation(language: Language) -> None:
    """A reader that does not hear `not` still finds most feelings, and turns these round."""
    deaf = reader(replace(lexicon(language), negators=frozenset(), feelings=_deaf(lexicon(language))))
    texts = [pair for pair in labelled(language, "tuning") if _negates(pair[0], lexicon(language))]
    hears, ignores = marks(texts, reader(lexicon(language))), marks(texts, deaf)
    assert len(texts) >= 40
    assert ignores.accuracy < hears.accuracy - 0.15


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_language_of_nearly_every_sentence_is_found(language: Language) -> None:
    texts = [text for text, _ in labelled(language, "held_out")]
    assert sum(language_of(text) == language for text in texts) >= 0.95 * len(texts)


def test_every_process_reads_the_same() -> None:
    """Results may not depend on the order a process happens to hash its words in."""
    code = (
        "from benchmarks.emotion import labelled; from streams.emotion.feeling import feeling_of;"
        "print([feeling_of(t) for l in ('en', 'nl') for t, _ in labelled(l, 'held_out')])"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1
    assert b"sentiment=-0." in printed.pop()


def test_half_right_is_half() -> None:
    """The marks themselves: one right, one wrong, one unknown, and one strong reading of two."""
    readings = {"a": -0.9, "b": 0.9, "c": None, "d": -0.3}
    found = marks([("a", "negative"), ("b", "neutral"), ("c", "positive"), ("d", "negative")], readings.__getitem__)
    assert (found.accuracy, found.unknown, round(found.answered_right, 3)) == (0.5, 0.25, 0.667)
    assert (found.precision["negative"], found.recall["negative"]) == (1.0, 0.5)
    assert (found.precision["positive"], found.recall["positive"]) == (0.0, 0.0)


def _negates(text: str, lexicon: Lexicon) -> bool:
    return not lexicon.negators.isdisjoint(text.lower().split())


def _deaf(lexicon: Lexicon) -> SentimentIntensityAnalyzer:
    heard = lexicon.feelings
    return SentimentIntensityAnalyzer(
        lexicon=heard.lexicon,
        booster=heard.booster,
        negations=(),
        multiword={},
        idioms={},
        curated=False,
        alpha=heard.alpha,
    )
