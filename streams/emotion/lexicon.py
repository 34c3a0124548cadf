"""A language's words made ready to be looked up in, and the library that counts them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from vader import SentimentIntensityAnalyzer

from streams.emotion.vocabulary import Language, Vocabulary, phrases, valences, vocabulary

#: A phrase, a pair or a denied word counts as one word, written with this between or behind: `waste~of~time`, `works~`.
JOINT: Final = "~"
_STRENGTHEN, _WEAKEN = 0.293, -0.293
#: 1.8, one clear word, is ±0.51; the library's own 15 was chosen for tweets, which shout.
_SATURATION = 9.0
_SLANG_LETTERS = 4
#: `in 2019`, in both languages.
BEFORE_YEAR: Final = "in"


#: Phrases by their first word, the longest first.
Phrases = dict[str, tuple[tuple[str, ...], ...]]


@dataclass(frozen=True, slots=True)
class Turns:
    """What a sentence says is no feeling of now; `cues` are the words at which one of these may begin."""

    until: Phrases
    before: Phrases
    steady: Phrases
    expected: Phrases
    thought: Phrases
    ended: Phrases
    cues: frozenset[str]
    then: frozenset[str]
    unreal: frozenset[str]
    joins: frozenset[str]
    ends: frozenset[str]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """A vocabulary made ready to be looked up in."""

    feelings: SentimentIntensityAnalyzer
    phrases: Phrases
    apart: dict[str, tuple[str, ...]]
    denied: frozenset[str]
    negators: frozenset[str]
    wishes: frozenset[str]
    contrast: frozenset[str]
    past: frozenset[str]
    feared: frozenset[str]
    turns: Turns
    compares: frozenset[str]
    none: frozenset[str]
    never: frozenset[str]
    such: frozenset[str]
    presses: frozenset[str]
    requests: frozenset[str]
    conjunctions: frozenset[str]
    denial_follows: bool
    known: frozenset[str]

    def valence(self, word: str) -> float:
        """What a word adds by itself; 0 when it has no feeling."""
        return self.feelings.lexicon.get(word, 0.0)

    def strength(self, words: Sequence[str], shout: str = "") -> float:
        """What words made ready come to by the library's rules, -1..1; `shout` is the sentence's `!`."""
        return float(self.feelings.polarity_scores(f"{' '.join(words)} {shout}")["compound"])


@cache
def lexicon(language: Language) -> Lexicon:
    """The lexicon of a language, built at first use (about 20 ms)."""
    words = vocabulary(language)
    general = SentimentIntensityAnalyzer()
    if language == "en":
        return _lexicon(words, _without_slang(general.lexicon), dict(general.multiword))
    signs = {token: valence for token, valence in general.lexicon.items() if not any(map(str.isalnum, token))}
    return _lexicon(words, signs, {})


def _without_slang(general: Mapping[str, float]) -> dict[str, float]:
    """The general lexicon without its short slang: in business `PO`, `FAV` or `SOB` are abbreviations."""
    return {word: valence for word, valence in general.items() if not word.isalpha() or len(word) >= _SLANG_LETTERS}


def _lexicon(words: Vocabulary, base: dict[str, float], multiword: dict[str, float]) -> Lexicon:
    joined = f"{words.past} {words.feared}".split()
    markers = {tuple(word.split(JOINT)): 0.0 for word in joined if JOINT in word}
    said = {tuple(phrase.split()): valence for phrase, valence in multiword.items()} | dict(phrases(words.phrases))
    said = markers | said
    denied = {f"{word}{JOINT}": valence for word, valence in valences(words.denied).items()}
    plainly = base | dict.fromkeys(words.flat.split(), 0.0) | valences(words.words)
    boosters = dict.fromkeys(words.more.split(), _STRENGTHEN) | dict.fromkeys(words.less.split(), _WEAKEN)
    negators = frozenset(words.negators.split())
    apart = dict(phrases(words.apart))
    scored = plainly | denied | {JOINT.join(phrase): valence for phrase, valence in (said | apart).items()}
    understood = (
        words.plain,
        words.flat,
        words.negators,
        words.more,
        words.less,
        words.contrast,
        words.wishes,
        words.requests,
    )
    return Lexicon(
        feelings=SentimentIntensityAnalyzer(
            lexicon={word: valence for word, valence in scored.items() if word not in negators},
            booster=boosters,
            negations=negators,
            multiword={},
            idioms={},
            emoji=words.emoji or None,
            curated=False,
            alpha=_SATURATION,
        ),
        phrases=_by_first_word(said),
        apart={first: tuple(b for a, b in apart if a == first) for first, _ in apart},
        denied=frozenset(word[:-1] for word in denied),
        negators=negators,
        wishes=frozenset(words.wishes.split()),
        contrast=frozenset(words.contrast.split()),
        past=frozenset(words.past.split()),
        feared=frozenset(words.feared.split()),
        turns=_turns(words),
        compares=frozenset(words.compares.split()),
        none=frozenset(words.none.split()),
        never=frozenset(words.never.split()),
        such=frozenset(words.such.split()),
        presses=frozenset(words.presses.split()),
        requests=frozenset(words.requests.split()),
        conjunctions=frozenset(words.conjunctions.split()),
        denial_follows=words.denial_follows,
        known=frozenset(plainly).union((word[:-1] for word in denied), *map(str.split, understood), *said, *apart),
    )


def _turns(words: Vocabulary) -> Turns:
    marks = {name: _marks(getattr(words, name)) for name in ("until", "before", "expected", "thought", "ended")}
    return Turns(
        **marks,
        steady=_marks(words.steady),
        cues=frozenset([BEFORE_YEAR]).union(*marks.values()),
        then=frozenset(words.then.split()),
        unreal=frozenset(words.unreal.split()),
        joins=frozenset(words.joins.split()),
        ends=frozenset(f"{words.joins} {words.contrast}".split()),
    )


def _marks(words: str) -> Phrases:
    return _by_first_word([tuple(word.split(JOINT)) for word in words.split()])


def _by_first_word(said: Iterable[tuple[str, ...]]) -> Phrases:
    found: dict[str, list[tuple[str, ...]]] = {}
    for phrase in sorted(said, key=len, reverse=True):
        found.setdefault(phrase[0], []).append(phrase)
    return {first: tuple(longest_first) for first, longest_first in found.items()}
