"""The words of a language: what `en.yaml` and `nl.yaml` hold."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field

from schemas.base import Strict
from schemas.documents import lists_in

Language = Literal["en", "nl"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


class Vocabulary(Strict):
    """Word lists of one language, lower case, separated by spaces. Valences run from -4 to 4."""

    words: dict[float, str] = Field(description="valence to the words that have it")
    flat: str = Field(description="words other lexicons give a feeling that have none in letters of business")
    denied: dict[float, str] = Field(description="valence to the words that have it when a negator stands near")
    negators: str = Field(description="words that deny what they stand near")
    more: str = Field(description="words that strengthen the feeling after them")
    less: str = Field(description="words that weaken it")
    wishes: str = Field(description="words after which good things are only hoped for")
    contrast: str = Field(description="words after which comes what counts")
    past: str = Field(description="words of a time that is over: how it was then says nothing of how it is")
    feared: str = Field(description="words after which trouble is named that was feared, not had")
    until: str = Field(description="turns: what was well before one of them ended there (several words: with `~`)")
    before: str = Field(description="turns of what is said in the past tense")
    steady: str = Field(description="what begins like a turn and is none: `until~now`, or a time of the day")
    then: str = Field(description="verbs of the past tense")
    expected: str = Field(description="words of a clause that names what was only expected")
    thought: str = Field(description="the same, where one of `unreal` stands in the clause, too")
    unreal: str = Field(description="verbs of what is only thought")
    compares: str = Field(description="words that make an expectation a measure: `than we expected`")
    joins: str = Field(description="words that end an expectation's reach")
    ended: str = Field(description="words behind trouble that is over: `crasht niet~meer`, `is~gone`")
    none: str = Field(description="negators of the noun behind them: with trouble there, no later word is denied")
    never: str = Field(description="words that, before one of `such`, say that nothing was more so")
    such: str = Field(description="see `never`")
    phrases: dict[float, tuple[str, ...]] = Field(description="valence to phrases; they go before their words")
    apart: dict[float, tuple[str, ...]] = Field(
        description="pairs of words that others of the clause may stand between"
    )
    emoji: dict[str, str] = Field({}, description="emoji to the word it stands for")
    presses: str = Field(description="words that make a question a reproach")
    requests: str = Field(
        description="words of asking and handing over: a sentence with one, and no feeling, is neutral"
    )
    conjunctions: str = Field(description="words a denial does not reach across")
    denial_follows: bool = Field(description="whether the negator may stand behind what it denies: `werkt … niet`")
    plain: str = Field(description="words that are understood and carry no feeling")


@cache
def vocabulary(language: Language) -> Vocabulary:
    """The shipped word lists of a language, read once."""
    return Vocabulary.model_validate(lists_in(Path(__file__).parent / f"{language}.yaml"))


def valences(lists: dict[float, str]) -> dict[str, float]:
    """Each word with its valence."""
    return {word: valence for valence, words in lists.items() for word in words.split()}


def phrases(lists: dict[float, tuple[str, ...]]) -> Iterator[tuple[tuple[str, ...], float]]:
    """Each phrase as its words, with its valence."""
    for valence, found in lists.items():
        for phrase in found:
            yield tuple(phrase.split()), valence
