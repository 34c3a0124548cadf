"""What is no feeling of now: praise up to a turn, a time that is over, and trouble that was only expected.

Which feeling came instead is not known. So such words are taken out, and nothing is put in their place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from streams.emotion.lexicon import JOINT, Lexicon

#: A token that says nothing.
GAP: Final = ","
_YEAR = re.compile(r"(?:19|20)\d\d")
_LONGEST_MARK_WORDS = 4
#: `perfect before the takeover`: a stretch this short has no verb, and none is asked for.
_VERBLESS_WORDS = 2
#: `Until you moved.`: a longer sentence says something of its own.
_FRAGMENT_WORDS = 6
#: How far a word of trouble may stand before `niet meer`.
_ENDED_REACH_WORDS = 2


def of_now(clauses: Sequence[Sequence[str]], lexicon: Lexicon) -> list[list[str]]:
    """The clauses of a sentence without the feelings that are not those of now."""
    found = [list(clause) for clause in clauses]
    for place, clause in enumerate(found):
        for at in range(len(clause)):
            if _turns(clause, at, lexicon):
                _end(found, place, at, lexicon)
        _forget_expected(clause, lexicon)
        _forget_named_year(clause, lexicon)
        _forget_ended_trouble(clause, lexicon)
    return found


def ends_praise(clauses: Sequence[Sequence[str]], lexicon: Lexicon) -> bool:
    """Whether a sentence is no more than a turn, which ends what the one before it says: `Until the last update.`"""
    first, *rest = clauses
    short = not any(rest) and len(first) <= _FRAGMENT_WORDS
    return short and _turns(first, 0, lexicon) and _marked(first, 0, lexicon.until)


def _marked(clause: Sequence[str], at: int, marks: frozenset[str]) -> bool:
    """Whether one of the marks, a word or several, begins at a place."""
    return any(JOINT.join(clause[at : at + size]) in marks for size in range(1, _LONGEST_MARK_WORDS + 1))


def _turns(clause: Sequence[str], at: int, lexicon: Lexicon) -> bool:
    """Whether a turn begins here: `until you moved`, but neither `until now` nor `than before`."""
    if at + 1 == len(clause) or not (_marked(clause, at, lexicon.until | lexicon.before)):
        return False
    return not (_marked(clause, at, lexicon.steady) or at and _marked(clause, at - 1, lexicon.steady))


def _end(clauses: list[list[str]], place: int, at: int, lexicon: Lexicon) -> None:
    """Take out what was felt before the turn at a place of a clause."""
    clause = clauses[place]
    if at == 0 and place == 0:
        for past in clauses[:2]:
            if _is_past(past, lexicon) and lexicon.contrast.isdisjoint(past):
                _forget(past, 0, len(past), lexicon)
        return
    before, end = (clause, at) if at else (clauses[place - 1], len(clauses[place - 1]))
    begin = _behind(before, end, lexicon.contrast)
    stretch, lasting = before[begin:end], _marked(clause, at, lexicon.until)
    if not lasting and not any(map(lexicon.valence, before[_behind(before, end, lexicon.joins) : end])):
        return  # `was friendly and left before dark`: what came before is the leaving alone
    if _is_past(stretch, lexicon):
        _forget(before, begin, end, lexicon)
    elif lasting or len(stretch) <= _VERBLESS_WORDS:
        _forget(before, begin, end, lexicon, sign=1 if lexicon.negators.isdisjoint(stretch) else -1)


def _forget_expected(clause: list[str], lexicon: Lexicon) -> None:
    """`we expected downtime and had none`; not `slower than we expected`, nor `dat had ik niet verwacht`."""
    marks = lexicon.expected if lexicon.unreal.isdisjoint(clause) else lexicon.expected | lexicon.thought
    for at in range(len(clause)):
        if not _marked(clause, at, marks):
            continue
        begin, end = _around(clause, at, lexicon.contrast | lexicon.joins)
        spoken = clause[begin : at + 1 + lexicon.denial_follows]
        if lexicon.negators.isdisjoint(spoken) and lexicon.compares.isdisjoint(spoken):
            _forget(clause, begin, end, lexicon)


def _forget_named_year(clause: list[str], lexicon: Lexicon) -> None:
    """`in 2019 your trainers were superb`, `back in 2019`."""
    for at in range(1, len(clause)):
        if clause[at - 1] == "in" and _YEAR.fullmatch(clause[at]) and _is_past(clause, lexicon):
            _forget(clause, *_around(clause, at, lexicon.contrast), lexicon)


def _forget_ended_trouble(clause: list[str], lexicon: Lexicon) -> None:
    """`crasht niet meer`: the library looks for a negator before the word alone."""
    for at in range(len(clause)):
        if _marked(clause, at, lexicon.ended):
            begin = max(at - _ENDED_REACH_WORDS, _behind(clause, at, lexicon.contrast | lexicon.conjunctions))
            _forget(clause, begin, at, lexicon, sign=-1)


def _is_past(stretch: Sequence[str], lexicon: Lexicon) -> bool:
    return not lexicon.then.isdisjoint(stretch)


def _behind(clause: Sequence[str], end: int, stops: frozenset[str]) -> int:
    """The place behind the last of some words before `end`."""
    return max((place + 1 for place in range(end) if clause[place] in stops), default=0)


def _around(clause: Sequence[str], at: int, stops: frozenset[str]) -> tuple[int, int]:
    """The stretch around a place, between two of some words."""
    end = next((place for place in range(at, len(clause)) if clause[place] in stops), len(clause))
    return _behind(clause, at, stops), end


def _forget(clause: list[str], begin: int, end: int, lexicon: Lexicon, sign: int = 0) -> None:
    """Take out the feelings of a stretch: all, or those of one sign."""
    for place in range(begin, end):
        valence = lexicon.valence(clause[place])
        if valence and valence * sign >= 0 or clause[place] in lexicon.denied and not sign:
            clause[place] = GAP
