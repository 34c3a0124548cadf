"""What is no feeling of now: praise up to a turn, a time that is over, and trouble that was only expected.

Which feeling came instead is not known. So such words are taken out, and nothing is put in their place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from streams.emotion.lexicon import BEFORE_YEAR, Lexicon, Phrases, Turns

#: A token that says nothing.
GAP: Final = ","
_YEAR = re.compile(r"(?:19|20)\d\d")
#: `perfect before the takeover`: a stretch this short has no verb, and none is asked for.
_VERBLESS_WORDS = 2
#: How far from its mark a feeling may stand, so that no text is slow.
_REACH_WORDS = 20
#: `Until you moved.`: a longer sentence says something of its own.
_FRAGMENT_WORDS = 6
#: How far a word of trouble may stand before `niet meer`, and how long such words are.
_ENDED_REACH_WORDS = 2


def of_now(clauses: Sequence[Sequence[str]], lexicon: Lexicon) -> list[list[str]]:
    """The clauses of a sentence without the feelings that are not those of now."""
    found = [list(clause) for clause in clauses]
    for place, clause in enumerate(found):
        if lexicon.turns.cues.isdisjoint(clause):
            continue
        turned = False
        for at in range(len(clause) - 1, -1, -1):
            if clause[at] not in lexicon.turns.cues:
                continue
            if not turned and _begins_turn(clause, at, lexicon.turns):
                turned = True  # the last turn ends what stands before the others, too
                _end(found, place, at, lexicon)
            _forget_expected(clause, at, lexicon)
            _forget_named_year(clause, at, lexicon)
            _forget_ended_trouble(clause, at, lexicon)
    return found


def ends_praise(clauses: Sequence[Sequence[str]], lexicon: Lexicon) -> bool:
    """Whether a sentence is no more than a turn, which ends what the one before it says: `Until the last update.`"""
    first, *rest = clauses
    short = not any(rest) and 0 < len(first) <= _FRAGMENT_WORDS
    return short and _marked(first, 0, lexicon.turns.until) and _begins_turn(first, 0, lexicon.turns)


def _marked(clause: Sequence[str], at: int, marks: Phrases) -> bool:
    """Whether one of the marks, a word or several, begins at a place."""
    return any(tuple(clause[at : at + len(mark)]) == mark for mark in marks.get(clause[at], ()))


def _begins_turn(clause: Sequence[str], at: int, turns: Turns) -> bool:
    """Whether a turn begins here: `until you moved`, but neither `until now` nor `than before`."""
    if at + 1 == len(clause) or not (_marked(clause, at, turns.until) or _marked(clause, at, turns.before)):
        return False
    return not (_marked(clause, at, turns.steady) or (at and _marked(clause, at - 1, turns.steady)))


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
    stretch, lasting = before[begin:end], _marked(clause, at, lexicon.turns.until)
    if not lasting and not any(map(lexicon.valence, before[_behind(before, end, lexicon.turns.joins) : end])):
        return  # `was friendly and left before dark`: what came before is the leaving alone
    if _is_past(stretch, lexicon):
        _forget(before, begin, end, lexicon)
    elif lasting or len(stretch) <= _VERBLESS_WORDS:
        _forget(before, begin, end, lexicon, sign=1 if lexicon.negators.isdisjoint(stretch) else -1)


def _forget_expected(clause: list[str], at: int, lexicon: Lexicon) -> None:
    """`we expected downtime and had none`; not `slower than we expected`, nor `dat had ik niet verwacht`."""
    turns = lexicon.turns
    thought = _marked(clause, at, turns.thought) and not turns.unreal.isdisjoint(clause)
    if not thought and not _marked(clause, at, turns.expected):
        return
    begin, end = _around(clause, at, turns.ends)
    spoken = clause[begin : at + 1 + lexicon.denial_follows]
    if lexicon.negators.isdisjoint(spoken) and lexicon.compares.isdisjoint(spoken):
        _forget(clause, begin, end, lexicon)


def _forget_named_year(clause: list[str], at: int, lexicon: Lexicon) -> None:
    """`in 2019 your trainers were superb`."""
    if clause[at] == BEFORE_YEAR and _YEAR.fullmatch("".join(clause[at + 1 : at + 2])) and _is_past(clause, lexicon):
        _forget(clause, *_around(clause, at, lexicon.contrast), lexicon)


def _forget_ended_trouble(clause: list[str], at: int, lexicon: Lexicon) -> None:
    """`crasht niet meer`, `the errors have disappeared`."""
    if not _marked(clause, at, lexicon.turns.ended):
        return
    begin = max(at - _ENDED_REACH_WORDS, _behind(clause, at, lexicon.conjunctions))
    if any(lexicon.valence(word) < 0 for word in clause[begin:at]):
        _forget(clause, begin, at + _ENDED_REACH_WORDS, lexicon, sign=-1)


def _is_past(stretch: Sequence[str], lexicon: Lexicon) -> bool:
    return not lexicon.turns.then.isdisjoint(stretch)


def _behind(clause: Sequence[str], end: int, stops: frozenset[str]) -> int:
    """The place behind the last of some words before `end`, within reach."""
    reach = max(end - _REACH_WORDS, 0)
    return next((place + 1 for place in range(end - 1, reach - 1, -1) if clause[place] in stops), reach)


def _around(clause: Sequence[str], at: int, stops: frozenset[str]) -> tuple[int, int]:
    """The stretch around a place, between two of some words."""
    reach = min(at + _REACH_WORDS, len(clause))
    return _behind(clause, at, stops), next((place for place in range(at, reach) if clause[place] in stops), reach)


def _forget(clause: list[str], begin: int, end: int, lexicon: Lexicon, sign: int = 0) -> None:
    """Take out the feelings of a stretch: all, or those of one sign."""
    for place in range(begin, min(end, len(clause))):
        valence = lexicon.valence(clause[place])
        if (valence and valence * sign >= 0) or (not sign and clause[place] in lexicon.denied):
            clause[place] = GAP
