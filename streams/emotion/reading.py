"""How strong the feeling in a text of a known language is.

The counting is the library's (VADER's rules: boosters, negation, contrast, saturation), for both languages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from streams.emotion.clauses import BUT, clauses_of, made_ready, speaks_of_other_times, word_of
from streams.emotion.lexicon import JOINT, Lexicon
from streams.emotion.times import GAP, ends_praise, of_now

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_NUMBER = re.compile(r"[\d.,:%/+€$£-]*\d[\d.,:%/+€$£-]*\w?")
#: Sentences that are read one by one; what comes behind is read as one, since each costs as much as several words.
MAX_SENTENCES = 20
#: Between clauses: three of them are further than the library looks back for a negator or a booster.
_BARRIER = (GAP, GAP, GAP)
#: What is left of a feeling named in a question for information: `what happens after a failed import?` is no complaint.
_INFORMATION_SHARE = 0.3
#: A text without any feeling word is neutral only when this much of it was understood.
_KNOWN_SHARE, _KNOWN_WORDS = 0.5, 3


@dataclass(frozen=True, slots=True)
class _Said:
    """What a sentence says; `answers`: it speaks against the one before it in words that are not understood."""

    value: float | None
    answers: bool = False


def score(text: str, lexicon: Lexicon) -> float | None:
    """The feeling of a text, -1..1; 0.0 when it asks or hands over and no more; None when it is not understood.

    A sentence counts by its own strength, so that a long polite letter with one furious line is not lukewarm,
    and the last one twice as much as the first: people end on what they came to say.
    """
    read = [_sentence(sentence, lexicon) for sentence in _SENTENCE.split(text, MAX_SENTENCES) if sentence.strip()]
    said = [None if answer.answers else one.value for one, answer in zip(read, [*read[1:], _Said(None)], strict=True)]
    felt = [value for value in said if value]
    if not felt:
        return 0.0 if said and 2 * said.count(0.0) >= len(said) else None
    weights = [abs(value) * (1 + place / len(felt)) for place, value in enumerate(felt)]
    weighed = sum(value * weight for value, weight in zip(felt, weights, strict=True))
    return round(weighed / sum(weights), 3)


def known_share(text: str, lexicon: Lexicon) -> float:
    """How much of a text is made of words of this language."""
    words = [word for token in text.split() if (word := word_of(token)) and not _NUMBER.fullmatch(word)]
    return sum(word in lexicon.known for word in words) / len(words) if words else 0.0


def _sentence(sentence: str, lexicon: Lexicon) -> _Said:
    clauses = clauses_of(sentence, lexicon)
    words = [word for clause in clauses for word in clause]
    now = of_now(clauses, lexicon)
    ready = [made_ready(clause, lexicon) for clause in now]
    if _trails_off(ready, lexicon):
        return _Said(None, answers=ready[0][:1] == [BUT])
    shout = "!" * sentence.count("!")
    found = lexicon.strength([token for clause in _turned(ready, lexicon) for token in (*clause, *_BARRIER)], shout)
    asks = sentence.rstrip().endswith("?") and not shout and lexicon.presses.isdisjoint(words)
    if found:
        return _Said(found * _INFORMATION_SHARE if asks else found)
    if not asks and ends_praise(clauses, lexicon):
        return _Said(None, answers=True)
    if now != clauses or any(speaks_of_other_times(clause, lexicon) for clause in clauses):
        return _Said(None)
    neutral = asks or any(word in lexicon.requests or JOINT in word for word in words)
    return _Said(0.0 if neutral and not shout and _understood(words, lexicon) else None)


def _trails_off(ready: Sequence[Sequence[str]], lexicon: Lexicon) -> bool:
    """Whether it ends in a clause of contrast that is not understood: what it says against the rest is what counts."""
    last = ready[-1] if ready[-1] else ready[-2] if len(ready) > 1 else ()
    return last[:1] == [BUT] and not any(map(lexicon.valence, last))


def _turned(ready: list[list[str]], lexicon: Lexicon) -> list[list[str]]:
    """The clauses, with the contrast spelled out where the last one feels the opposite: `the first was fine, …`."""
    felt = [place for place, clause in enumerate(ready) if any(map(lexicon.valence, clause))]
    if len(felt) < 2 or any(BUT in clause for clause in ready):
        return ready
    before = [token for place in felt[:-1] for token in (*ready[place], *_BARRIER)]
    if lexicon.strength(before) * lexicon.strength(ready[felt[-1]]) >= 0:
        return ready
    return [*ready[: felt[-1]], [BUT], *ready[felt[-1] :]]


def _understood(words: Sequence[str], lexicon: Lexicon) -> bool:
    known = sum(JOINT in word or word in lexicon.known or _NUMBER.fullmatch(word) is not None for word in words)
    return known + sum(word.count(JOINT) for word in words) >= _KNOWN_WORDS and known >= _KNOWN_SHARE * len(words)
