"""How strong the feeling in a text of a known language is.

The scoring is the library's (VADER's rules: boosters, negation, contrast, saturation), for both languages. Before it
counts, a sentence is made ready: phrases become one word, a denied word becomes a word of its own (`does not … work`,
`werkt … niet`), and commas keep a negation within its clause.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import mul

from vader import SentimentIntensityAnalyzer

from streams.emotion.vocabulary import Language, Vocabulary, phrases, valences, vocabulary

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_EDGES = "\"'`.,;:!?()[]{}<>*_~/\\|–—-…“”„‚«»"
_CLAUSE_ENDS = ",;:)–—"
#: Three of them are further than the library looks back for a negator or a booster.
_BARRIER = (",", ",", ",")
_DENIAL_REACH_WORDS = 5
_INFORMATION_SHARE = 0.3
_STRENGTHEN, _WEAKEN = 0.293, -0.293
#: 1.8, one clear word, is ±0.51; the library's own 15 was chosen for tweets, which shout.
_SATURATION = 9.0
_SLANG_LETTERS = 4
#: A text without any feeling word is neutral only when this much of it was understood.
_KNOWN_SHARE, _KNOWN_WORDS = 0.5, 3
_NUMBER = re.compile(r"[\d.,:%/+€$£-]*\d[\d.,:%/+€$£-]*\w?")


@dataclass(frozen=True, slots=True)
class Lexicon:
    """A vocabulary made ready to be looked up in."""

    feelings: SentimentIntensityAnalyzer
    phrases: dict[str, tuple[tuple[str, ...], ...]]
    apart: dict[str, frozenset[str]]
    denied: frozenset[str]
    negators: frozenset[str]
    contrast: frozenset[str]
    presses: frozenset[str]
    requests: frozenset[str]
    conjunctions: frozenset[str]
    denial_follows: bool
    known: frozenset[str]


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
    said = {tuple(phrase.split()): valence for phrase, valence in multiword.items()} | dict(phrases(words.phrases))
    denied = {f"{word}~": valence for word, valence in valences(words.denied).items()}
    plainly = base | dict.fromkeys(words.flat.split(), 0.0) | valences(words.words)
    boosters = dict.fromkeys(words.more.split(), _STRENGTHEN) | dict.fromkeys(words.less.split(), _WEAKEN)
    negators = frozenset(words.negators.split())
    apart = dict(phrases(words.apart))
    scored = plainly | denied | {"~".join(phrase): valence for phrase, valence in (said | apart).items()}
    understood = (words.plain, words.flat, words.negators, words.more, words.less, words.contrast, words.requests)
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
        apart={first: frozenset(b for a, b in apart if a == first) for first, _ in apart},
        denied=frozenset(word[:-1] for word in denied),
        negators=negators,
        contrast=frozenset(words.contrast.split()),
        presses=frozenset(words.presses.split()),
        requests=frozenset(words.requests.split()),
        conjunctions=frozenset(words.conjunctions.split()),
        denial_follows=words.denial_follows,
        known=frozenset(plainly).union((word[:-1] for word in denied), *map(str.split, understood), *said, *apart),
    )


def _by_first_word(said: dict[tuple[str, ...], float]) -> dict[str, tuple[tuple[str, ...], ...]]:
    found: dict[str, list[tuple[str, ...]]] = {}
    for phrase in sorted(said, key=len, reverse=True):
        found.setdefault(phrase[0], []).append(phrase)
    return {first: tuple(longest_first) for first, longest_first in found.items()}


def score(text: str, lexicon: Lexicon) -> float | None:
    """The feeling of a text, -1..1; 0.0 when it asks or hands over and no more; None when it is not understood.

    A sentence counts by its own strength, so that a long polite letter with one furious line is not lukewarm,
    and the last one twice as much as the first: people end on what they came to say.
    """
    said = [_sentence(sentence, lexicon) for sentence in _SENTENCE.split(text) if sentence.strip()]
    felt = [value for value in said if value]
    if not felt:
        return 0.0 if said and 2 * said.count(0.0) >= len(said) else None
    weights = [abs(value) * (1 + place / len(felt)) for place, value in enumerate(felt)]
    return round(sum(map(mul, felt, weights)) / sum(weights), 3)


def known_share(text: str, lexicon: Lexicon) -> float:
    """How much of a text is made of words of this language."""
    words = [word for token in text.split() if (word := _word(token)) and not _NUMBER.fullmatch(word)]
    return sum(word in lexicon.known for word in words) / len(words) if words else 0.0


def _sentence(sentence: str, lexicon: Lexicon) -> float | None:
    clauses = [_together(_joined(clause, lexicon), lexicon) for clause in _clauses(sentence)]
    words = [word for clause in clauses for word in clause]
    ready = [token for clause in clauses for token in (*_denied(clause, lexicon), *_BARRIER)]
    shout = "!" * sentence.count("!")
    found = lexicon.feelings.polarity_scores(f"{' '.join(ready)} {shout}")["compound"]
    asks = sentence.rstrip().endswith("?") and not shout and lexicon.presses.isdisjoint(words)
    if found:
        return found * _INFORMATION_SHARE if asks else found
    neutral = asks or any(word in lexicon.requests or "~" in word for word in words)
    return 0.0 if neutral and not shout and _understood(words, lexicon) else None


def _understood(words: Sequence[str], lexicon: Lexicon) -> bool:
    known = sum("~" in word or word in lexicon.known or _NUMBER.fullmatch(word) is not None for word in words)
    return known + sum(word.count("~") for word in words) >= _KNOWN_WORDS and known >= _KNOWN_SHARE * len(words)


def _clauses(sentence: str) -> Iterator[list[str]]:
    clause: list[str] = []
    for token in sentence.split():
        if word := _word(token):
            clause.append(word)
        elif not token[:1].isalnum() and token not in _EDGES:
            clause.append(token)
        if token[-1] in _CLAUSE_ENDS:
            yield clause
            clause = []
    yield clause


def _word(token: str) -> str:
    return token.strip(_EDGES).replace("’", "'").lower()


def _joined(clause: list[str], lexicon: Lexicon) -> list[str]:
    """The clause with each phrase as one word."""
    found: list[str] = []
    at = 0
    while at < len(clause):
        candidates = lexicon.phrases.get(clause[at], ())
        phrase = next((p for p in candidates if tuple(clause[at : at + len(p)]) == p), None)
        found.append("~".join(phrase) if phrase else clause[at])
        at += len(phrase) if phrase else 1
    return found


def _together(clause: list[str], lexicon: Lexicon) -> list[str]:
    """The clause with the words that belong together though others stand between as one: `loopt … vast`."""
    for at, word in enumerate(clause):
        for second in lexicon.apart.get(word, ()):
            if second in clause[at + 1 :]:
                clause[clause.index(second, at + 1)] = f"{word}~{second}"
                clause[at] = "," if word in lexicon.negators else word
    return clause


def _denied(clause: list[str], lexicon: Lexicon) -> list[str]:
    """The clause with its denied words marked, what was denied with them and the negators gone.

    Words of contrast become the one the library knows.
    """
    ready = ["but" if word in lexicon.contrast else word for word in clause]
    for at, word in enumerate(clause):
        if word in lexicon.denied and (negator := _negator(ready, at, lexicon)) is not None:
            for between in range(min(at, negator), max(at, negator)):
                if lexicon.feelings.lexicon.get(ready[between], 0) > 0:
                    ready[between] = ","
            ready[negator] = ","
            ready[at] = f"{word}~"
    return ready


def _negator(ready: Sequence[str], at: int, lexicon: Lexicon) -> int | None:
    """The place of the nearest word that denies the one at `at`: before it, or behind it where the language does so."""
    reach = [range(at - 1, max(at - 1 - _DENIAL_REACH_WORDS, -1), -1)]
    if lexicon.denial_follows:
        reach.append(range(at + 1, min(at + 1 + _DENIAL_REACH_WORDS, len(ready))))
    for places in reach:
        for place in places:
            if ready[place] in lexicon.negators:
                return place
            if ready[place] in lexicon.conjunctions:
                break
    return None
