"""A sentence made ready to be counted: its clauses, with phrases as one word and denied words marked.

The library knows neither `does not … work` nor `werkt … niet` nor `loopt … vast`; here each becomes a word of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from streams.emotion.lexicon import JOINT, Lexicon
from streams.emotion.times import GAP

#: The library's own word of contrast.
BUT: Final = "but"
#: The library has a rule of its own for what follows `no`, besides the one for negators: together they turn it twice.
_PLAINLY: Final = {"no": "not"}
_EDGES = "\"'`.,;:!?()[]{}<>*_~/\\|–—-…“”„‚«»"
_CLAUSE_ENDS = ",;:)–—"
_DENIAL_REACH_WORDS = 5
_SUCH_REACH_WORDS = 5
_NOUN_REACH_WORDS = 2
_ARTICLES = ("a", "een")


def clauses_of(sentence: str, lexicon: Lexicon) -> list[list[str]]:
    """A sentence's clauses as lower-case words, phrases and pairs joined."""
    return [_together(_joined(clause, lexicon), lexicon) for clause in _split(sentence)]


def _split(sentence: str) -> Iterator[list[str]]:
    clause: list[str] = []
    for token in sentence.split():
        if word := word_of(token):
            clause.append(word)
        elif not token[:1].isalnum() and token not in _EDGES:
            clause.append(token)
        if token[-1] in _CLAUSE_ENDS:
            yield clause
            clause = []
    yield clause


def word_of(token: str) -> str:
    """A token without the punctuation around it, lower case; empty when it was only that."""
    return token.strip(_EDGES).replace("’", "'").lower()


def _joined(clause: list[str], lexicon: Lexicon) -> list[str]:
    """The clause with each phrase as one word."""
    found: list[str] = []
    at = 0
    while at < len(clause):
        candidates = lexicon.phrases.get(clause[at], ())
        phrase = next((p for p in candidates if tuple(clause[at : at + len(p)]) == p), None)
        found.append(JOINT.join(phrase) if phrase else clause[at])
        at += len(phrase) if phrase else 1
    return found


def _together(clause: list[str], lexicon: Lexicon) -> list[str]:
    """The clause with the words that belong together though others stand between as one: `loopt … vast`."""
    for at, word in enumerate(clause):
        for second in lexicon.apart.get(word, ()):
            if second in clause[at + 1 :]:
                clause[clause.index(second, at + 1)] = f"{word}{JOINT}{second}"
                clause[at] = GAP if word in lexicon.negators else word
    return clause


def made_ready(clause: list[str], lexicon: Lexicon) -> list[str]:
    """The clause as the library can count it: denied words marked, their negators and what they deny gone.

    Words of contrast become the one the library knows; good things hoped for do not count.
    """
    ready = [BUT if word in lexicon.contrast else _PLAINLY.get(word, word) for word in clause]
    _surpassed(ready, lexicon)
    _not_now(ready, lexicon)
    for at, word in enumerate(clause):
        if word in lexicon.denied and (negator := _negator(ready, at, lexicon)) is not None:
            if _is_spent(clause, negator, at, lexicon):
                continue
            _silence(ready, min(at, negator), max(at, negator), lexicon)
            ready[negator] = GAP
            ready[at] = f"{word}{JOINT}"
        elif word in lexicon.wishes:
            _silence(ready, at, len(ready), lexicon)
    return ready


def speaks_of_other_times(clause: Sequence[str], lexicon: Lexicon) -> bool:
    """Whether a clause speaks of a time that is over, or of what was only feared."""
    return not lexicon.past.isdisjoint(clause) or not lexicon.feared.isdisjoint(clause)


def _not_now(ready: list[str], lexicon: Lexicon) -> None:
    """What was felt in a time that is over, up to a contrast, and what was feared, is no feeling of now."""
    if not speaks_of_other_times(ready, lexicon):
        return
    ends = [*(place for place, word in enumerate(ready) if word == BUT), len(ready)]
    for at, word in enumerate(ready):
        compared = at > 0 and ready[at - 1] in lexicon.compares
        if (word in lexicon.past and not compared) or word in lexicon.feared:
            end = next(place for place in ends if place >= at)
            begin = max((place for place in ends if place < at), default=0) if word in lexicon.past else at
            for place in range(begin, end):
                if lexicon.valence(ready[place]):
                    ready[place] = GAP


def _surpassed(ready: list[str], lexicon: Lexicon) -> None:
    """`never had such a quick reply` denies nothing: it was the quickest. Nor does `did not expect such`."""
    for at, word in enumerate(ready):
        pair = JOINT.join(ready[at : at + 2]) if word in lexicon.negators else word
        if word not in lexicon.never and pair not in lexicon.never:
            continue
        for place in range(at + 1, min(at + 1 + _SUCH_REACH_WORDS, len(ready))):
            if ready[place] in lexicon.such or _is_better(ready, place, lexicon):
                ready[at] = GAP
                break


def _is_better(ready: Sequence[str], at: int, lexicon: Lexicon) -> bool:
    """`a smoother`, `een betere`: behind an article."""
    word = ready[at]
    return word.endswith(("er", "ere")) and lexicon.valence(word) > 0 and ready[at - 1] in _ARTICLES


def _is_spent(clause: Sequence[str], negator: int, at: int, lexicon: Lexicon) -> bool:
    """Whether a negator before the word at `at` denies trouble instead: `geen enkele fout gevonden`."""
    denied = clause[negator + 1 : min(negator + 1 + _NOUN_REACH_WORDS, at)]
    return clause[negator] in lexicon.none and any(lexicon.valence(word) < 0 for word in denied)


def _silence(ready: list[str], begin: int, end: int, lexicon: Lexicon) -> None:
    """Take the good feelings out of a stretch."""
    for place in range(begin, end):
        if lexicon.valence(ready[place]) > 0:
            ready[place] = GAP


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
