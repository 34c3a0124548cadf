"""How well the feeling of a text is read, on sentences labelled for this project, and what a text costs.

The held-out sentences were never used to change the word lists; figures on the tuning sentences flatter and
stand beside them to show by how much.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import yaml
from pydantic import Field, TypeAdapter
from vader import SentimentIntensityAnalyzer

from benchmarks.figures import Figure, Pace, Say
from schemas.base import Strict
from streams.emotion.cleaning import MAX_CHARS
from streams.emotion.feeling import feeling_of
from streams.emotion.vocabulary import LANGUAGES, Language

Label = Literal["negative", "neutral", "positive"]
Part = Literal["tuning", "held_out"]
#: Sentences that are easily read the wrong way round; of what is over nothing is known.
KindsPart = Literal["kinds", "kinds_held_out"]
Read = Callable[[str], float | None]
"""A text's sentiment; None: not known."""

LABELS: Final[tuple[Label, ...]] = ("negative", "neutral", "positive")
#: From here on a text has a side; signals need STRONG.
SIDED: Final = 0.2
STRONG: Final = 0.5
_DATA = Path(__file__).parents[1] / "tests" / "data" / "sentiment"


class Group(Strict):
    """Labelled texts of one kind."""

    label: Label = Field(alias="is", description="how their writers felt")
    kind: str = Field(description="plain, negation, mixed, courtesy, short, hard or long")
    texts: tuple[str, ...] = Field(description="the texts")


class Kind(Strict):
    """Labelled texts that are easily read the wrong way round."""

    label: Literal["negative", "positive", "unknown"] = Field(alias="is", description="how their writers feel now")
    kind: str = Field(description="what may turn them round")
    texts: tuple[str, ...] = Field(description="the texts")


@dataclass(frozen=True, slots=True)
class Marks:
    """How readings compare with labels. A text that is not known counts as wrong in all but `answered_right`."""

    texts: int
    accuracy: float
    macro_f1: float
    unknown: float
    answered_right: float
    precision: dict[Label, float]
    recall: dict[Label, float]


def labelled(language: Language, part: Part) -> list[tuple[str, Label]]:
    """Texts with their labels."""
    text = (_DATA / f"{language}_{part}.yaml").read_text(encoding="utf-8")
    groups = TypeAdapter(list[Group]).validate_python(yaml.safe_load(text))
    return [(text, group.label) for group in groups for text in group.texts]


def kinds(language: Language, part: KindsPart) -> list[Kind]:
    """Groups of texts that are easily read the wrong way round."""
    text = (_DATA / f"{language}_{part}.yaml").read_text(encoding="utf-8")
    return TypeAdapter(list[Kind]).validate_python(yaml.safe_load(text))


def wrong(groups: Sequence[Kind], read: Read) -> list[tuple[float, str]]:
    """What is read otherwise than its writer feels; no reading is not wrong, and a feeling of what is over is."""
    found = [(read(text), text, group.label) for group in groups for text in group.texts]
    expected = {"unknown": "neutral"}
    return [
        (value, text)
        for value, text, label in found
        if value is not None and _side(value, SIDED) != expected.get(label, label)
    ]


def marks(texts: Sequence[tuple[str, Label]], read: Read) -> Marks:
    """Reads every text. Precision and recall are those of strong readings, which signals come from."""
    found = [(read(text), label) for text, label in texts]
    sides = [(_side(value, SIDED), label) for value, label in found]
    strong = [(_side(value, STRONG), label) for value, label in found]
    answered = [side == label for side, label in sides if side is not None]
    return Marks(
        texts=len(texts),
        accuracy=sum(side == label for side, label in sides) / len(texts),
        macro_f1=sum(_f1(*_rates(sides, label)) for label in LABELS) / len(LABELS),
        unknown=1 - len(answered) / len(texts),
        answered_right=sum(answered) / len(answered) if answered else 0.0,
        precision={label: _rates(strong, label)[0] for label in LABELS},
        recall={label: _rates(strong, label)[1] for label in LABELS},
    )


def _side(value: float | None, bound: float) -> Label | None:
    if value is None:
        return None
    return "negative" if value <= -bound else "positive" if value >= bound else "neutral"


def _rates(pairs: Sequence[tuple[Label | None, Label]], label: Label) -> tuple[float, float]:
    """Precision and recall of one label; 0 where nothing was called so."""
    right = sum(side == label == truth for side, truth in pairs)
    called, there = sum(side == label for side, _ in pairs), sum(truth == label for _, truth in pairs)
    return right / called if called else 0.0, right / there if there else 0.0


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def sentiment(text: str) -> float | None:
    """What the project reads."""
    return feeling_of(text).sentiment


def always_neutral(text: str) -> float | None:
    """The trivial baseline."""
    return 0.0


def library_alone() -> Read:
    """The library as it comes: English, its own word list, every language taken for English."""
    feelings = SentimentIntensityAnalyzer()
    return lambda text: feelings.polarity_scores(text)["compound"]


def run(pace: Pace, say: Say) -> list[Figure]:
    """Both languages, held out and tuning, beside the baselines."""
    figures: list[Figure] = []
    for language in LANGUAGES:
        held_out = labelled(language, "held_out")
        readers: dict[str, tuple[Sequence[tuple[str, Label]], Read]] = {
            "held out": (held_out, sentiment),
            "tuning (flatters)": (labelled(language, "tuning"), sentiment),
            "held out, always neutral": (held_out, always_neutral),
            "held out, library alone": (held_out, library_alone()),
        }
        for name, (texts, read) in readers.items():
            figures += _rows(f"emotion, {language}, {name}", marks(texts, read))
        known = sum(feeling_of(text).language == language for text, _ in held_out) / len(held_out)
        figures.append(Figure(f"emotion, {language}, held out", "language found", f"{known:.0%}"))
        figures += _kinds(language)
        figures += _costs(language, [text for text, _ in held_out], pace)
        say(f"  {language}: {marks(held_out, sentiment).accuracy:.0%} right of {len(held_out)} held out")
    return figures


def _rows(part: str, found: Marks) -> list[Figure]:
    rows = {
        "texts": f"{found.texts}",
        "right": f"{found.accuracy:.0%}",
        "macro F1": f"{found.macro_f1:.2f}",
        "does not know": f"{found.unknown:.0%}",
        "right where it answers": f"{found.answered_right:.0%}",
        "≤ -0.5 precision / recall": f"{found.precision['negative']:.2f} / {found.recall['negative']:.2f}",
        "≥ 0.5 precision / recall": f"{found.precision['positive']:.2f} / {found.recall['positive']:.2f}",
    }
    return [Figure(part, what, value) for what, value in rows.items()]


def _kinds(language: Language) -> list[Figure]:
    names: dict[KindsPart, str] = {"kinds_held_out": "kinds, held out", "kinds": "kinds, tuning (flatters)"}
    figures: list[Figure] = []
    for part, name in names.items():
        groups = kinds(language, part)
        texts = [text for group in groups for text in group.texts]
        rows = {
            "texts": len(texts),
            "read wrongly": len(wrong(groups, sentiment)),
            "does not know": [sentiment(text) for text in texts].count(None),
        }
        figures += [Figure(f"emotion, {language}, {name}", what, f"{value}") for what, value in rows.items()]
    return figures


def _costs(language: Language, texts: Sequence[str], pace: Pace) -> list[Figure]:
    longest = (" ".join(texts) * 2)[:MAX_CHARS]
    each_us = _best_us(texts, pace.repeats) / len(texts)
    return [
        Figure(f"emotion, {language}", "CPU of a text, mean of the held out, µs", f"{each_us:.0f}", "≤ 1000"),
        Figure(f"emotion, {language}", "CPU of the longest text, µs", f"{_best_us([longest], 20):.0f}", "≤ 1000"),
    ]


def _best_us(texts: Sequence[str], repeats: int) -> float:
    def once() -> float:
        began = time.process_time()
        for text in texts:
            feeling_of(text)
        return time.process_time() - began

    return min(once() for _ in range(repeats + 1)) * 1e6
