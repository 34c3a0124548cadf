"""Can two matches hold on one touchpoint? Decided, not sampled: globs are small automata.

Two types whose matches overlap and weigh the same would be told apart by nothing; the blueprint is refused then.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from fnmatch import translate
from functools import lru_cache

from schemas.matching import Match
from schemas.touchpoints import Scalar
from streams.matching.conditions import folded, plain

_Token = tuple[str, ...] | None  # the characters it takes (empty: any); None stands for `*`
_NONE = ("",)  # a class that takes no character, such as `[b-a]`
_OPEN = {"", "*", "?", "["}  # how a glob begins that does not begin with a character of its own
_COMMON = string.ascii_lowercase + string.digits + " /_-.:"


def overlap(one: Match, other: Match) -> str | None:
    """Conditions under which both hold, in words (empty: on anything); None when they never do together."""
    named: list[str] = []
    for part in (_equal, _named, _with_properties, _globbed):  # the dearest last: most pairs end before it
        words = part(one, other)
        if words is None:
            return None
        named += words
    return ", ".join(named)


_Told = list[str] | None  # conditions in words; None: they exclude each other


def _equal(one: Match, other: Match) -> _Told:
    named = []
    for name in ("action", "vendor", "channel"):
        first, second = getattr(one, name), getattr(other, name)
        if first and second and first != second:
            return None
        named += [f"{name} {first or second}"] if first or second else []
    return named


def _named(one: Match, other: Match) -> _Told:
    """Names against names, and names against a glob over the vendor's name, punctuation left out of both."""
    names, others = ({plain(name): name for name in match.name} for match in (one, other))
    if names and others:
        shared = sorted(names.keys() & others.keys())
        return [f"name `{names[shared[0]]}`"] if shared else None
    for own, glob in ((names, other.vendor_type), (others, one.vendor_type)):
        if own and glob:
            bare = re.sub(r"[^a-z0-9*?]", "", glob.lower().split(":", 1)[-1])
            fitting = [name for key, name in own.items() if common(bare, key) is not None]
            return [f"name `{fitting[0]}`"] if fitting else None
    return [f"name `{name}`" for name in [*names.values(), *others.values()][:1]]


def _globbed(one: Match, other: Match) -> _Told:
    named = []
    for name in ("vendor_type", "page", "title"):
        first, second = getattr(one, name), getattr(other, name)
        shared = common(first.lower() or "*", second.lower() or "*")
        if shared is None:
            return None
        named += [f"{name} `{shared}`"] if first or second else []
    return named


def _with_properties(one: Match, other: Match) -> _Told:
    named = []
    for name in sorted(one.properties.keys() | other.properties.keys()):
        values = _shared_values(one.properties.get(name), other.properties.get(name))
        if not values:
            return None
        named.append(f"{name} {values[0]}")
    return named


def _shared_values(one: tuple[Scalar, ...] | None, other: tuple[Scalar, ...] | None) -> list[Scalar]:
    if one is None or other is None:
        return list(one or other or ())
    accepted = {folded(value) for value in other}
    return [value for value in one if folded(value) in accepted]


@lru_cache(maxsize=4096)
def common(one: str, other: str) -> str | None:
    """A shortest text that both globs match; None when there is none."""
    starts = {one[:1], other[:1]}
    if len(starts) == 2 and not starts & _OPEN:
        return None
    left, right = _tokens(one), _tokens(other)
    texts = {(0, 0): ""}
    waiting = [(0, 0)]
    for at in waiting:  # grows while it runs: breadth first
        i, j = at
        if _may_end(left, i) and _may_end(right, j):
            return texts[at]
        for following, character in _steps(left, right, i, j):
            if following not in texts:
                texts[following] = texts[at] + character
                waiting.append(following)
    return None


def _steps(
    left: tuple[_Token, ...], right: tuple[_Token, ...], i: int, j: int
) -> Iterator[tuple[tuple[int, int], str]]:
    """Where a further character leads, and the character."""
    for to_left, takes_left in _moves(left, i):
        for to_right, takes_right in _moves(right, j):
            character = _shared_character(takes_left, takes_right)
            if character is not None:
                yield (to_left, to_right), character


def _moves(tokens: tuple[_Token, ...], at: int) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(next position, accepted characters) for one character read at a position; `*` may be skipped first."""
    while at < len(tokens):
        token = tokens[at]
        if token is not None:
            yield at + 1, token
            return
        yield at, ()
        at += 1


def _may_end(tokens: tuple[_Token, ...], at: int) -> bool:
    return all(token is None for token in tokens[at:])


def _shared_character(one: tuple[str, ...], other: tuple[str, ...]) -> str | None:
    if _NONE in (one, other):
        return None
    if not one or not other:
        return (one or other or ("x",))[0]
    return next((character for character in one if character in other), None)


@lru_cache(maxsize=1024)
def _tokens(glob: str) -> tuple[_Token, ...]:
    found: list[_Token] = []
    for part in re.findall(r"\[!?+\]?+[^\]]*\]|.", glob, re.DOTALL):
        if part == "*":
            found.append(None)
        elif part == "?":
            found.append(())
        elif len(part) > 1:
            takes = re.compile(translate(part)).match
            found.append(tuple(c for c in dict.fromkeys(_COMMON + string.printable + glob) if takes(c)) or _NONE)
        else:
            found.append((part,))
    return tuple(found)
