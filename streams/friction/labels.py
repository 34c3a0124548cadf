"""What the words on a control say: whether people use it many times in a row.

`+`, `Next ›`, `Volgende dia (2 van 5)`, `Load 20 more results`, `Increase quantity of Ball valve`, `7` do; `Next step:
payment`, `Add to cart`, `Learn more`, `2024` do not. The words stand in `controls.yaml`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Final
from unicodedata import category, combining, name, normalize

from schemas.documents import lists_in

_LISTS: Final[dict[str, dict[str, list[str]]]] = lists_in(Path(__file__).parent / "controls.yaml")


def _all(kind: str) -> frozenset[str]:
    return frozenset(word for lists in _LISTS.values() for word in lists[kind])


_MOVES, _MORES, _LOADS, _JUMPS = map(_all, ("moves", "mores", "loads", "jumps"))
_LENGTHS, _CHANGES, _AMOUNTS, _NUMBERED = map(_all, ("lengths", "changes", "amounts", "numbered"))
_THINGS, _FILLERS, _ALONE = map(_all, ("things", "fillers", "alone"))
_BESIDE: Final = _THINGS | _FILLERS
_KNOWN: Final = (
    _MOVES | _MORES | _LOADS | _JUMPS | _LENGTHS | _CHANGES | _AMOUNTS | _NUMBERED | _BESIDE
    | frozenset(word for whole in _ALONE for word in whole.split())
)  # fmt: skip
_GUESTS: Final = ("add one", "remove one")
#: Signs on steppers and on keypads; arrows and the like are known by their names in Unicode.
_SIGNS: Final = frozenset("+-−–—＋±<>‹›«»…⌫÷√=.,%*#⌃")
_SIGN_NAMES: Final = ("ARROW", "TRIANGLE", "ANGLE QUOTATION", "ANGLE BRACKET", "PLUS SIGN", "MINUS SIGN", "POINTER")
_ONE_STEP: Final = re.compile(r"[+\-−–]\s?\d{1,2}\b(?![\d\s.,]*\d)")
"""`+ 1 year`, `-5 min`; no telephone number."""
_IS_NAME: Final = re.compile(r"[#._\[\]=:/]\w|\w[_=\[]")
_MAX_CHARS: Final = 60
_MOST_DIGITS: Final = 3
_MAX_LOADING_WORDS: Final = 5


@lru_cache(maxsize=8192)
def is_repeated(label: str) -> bool:
    """Whether a control that is called so is made to be used again and again."""
    shown = _plain(label)[:_MAX_CHARS]
    words = re.findall(r"[^\W\d_]+", shown)
    if not words:
        return bool(shown) and _is_sign(shown)
    if _ONE_STEP.match(shown):
        return True
    if _IS_NAME.search(shown):
        return False
    return " ".join(words) in _ALONE or _steps(words, shown) or _changes(words)


def is_of_known_words(label: str) -> bool:
    """Whether such a control's words are all in the lists, so that they tell nothing of what it is about."""
    return is_repeated(label) and _KNOWN.issuperset(re.findall(r"[^\W\d_]+", _plain(label)))


def says_anything(label: str) -> bool:
    """Whether a label has words at all."""
    return re.search(r"[^\W\d_]", label) is not None


def _plain(label: str) -> str:
    """Lower case, without accents and what makes a sign an emoji."""
    apart = normalize("NFKD", label.strip().lower().replace("ø", "o").replace("æ", "ae").replace("ł", "l"))
    return "".join(char for char in apart if not combining(char) and category(char) not in ("Cf", "Mn"))


def _is_sign(shown: str) -> bool:
    """`+`, `+ 10`, `➕`, `»`, and the keys of a keypad; no year, no number of a telephone, no price."""
    signs = re.sub(r"[\s\d()]", "", shown)
    if sum(char.isdigit() for char in shown) > _MOST_DIGITS:
        return False
    return all(char in _SIGNS or _is_arrow(char) for char in signs)


def _is_arrow(char: str) -> bool:
    called = name(char, "")
    return any(part in called for part in _SIGN_NAMES) and "CIRCLE" not in called


def _steps(words: list[str], shown: str) -> bool:
    """One step on, the next part of a list, some seconds back, or the page of a number."""
    said, has_number = set(words), any(char.isdigit() for char in shown)
    if said & (_MOVES | _MORES) and said <= _MOVES | _MORES | _BESIDE:
        return not said.isdisjoint(_MOVES) or len(said) > 1
    if said & _MORES and said & _LOADS and len(words) <= _MAX_LOADING_WORDS:
        return True
    if has_number and said & _JUMPS and said & _LENGTHS:
        return said <= _JUMPS | _LENGTHS | _BESIDE
    return has_number and bool(said & _NUMBERED) and said <= _NUMBERED | _BESIDE


def _changes(words: list[str]) -> bool:
    """A number one up or down, whatever it is the number of; the verb stands first or, in Dutch and German, last."""
    if " ".join(words[:2]) in _GUESTS:
        return _AMOUNTS.issuperset(words[2:])
    ends = {words[0], *words[-2:]}
    return bool(ends & _CHANGES) and not _AMOUNTS.isdisjoint(words)
