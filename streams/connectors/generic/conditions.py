"""Conditions as functions. Shapes are globs, not regular expressions: no pattern can run away."""

from __future__ import annotations

from collections.abc import Callable

from schemas.mapping import MAX_WORD_CHARS, Condition, word_of
from streams.connectors.generic.looking import Seen, look

Test = Callable[[Seen], bool]
#: Of a text that is held against a shape; what is longer fits none.
MAX_TEXT_CHARS = 2_000


def all_hold(conditions: tuple[Condition, ...]) -> Test:
    """Whether every one of them holds."""
    tests = [_test(condition) for condition in conditions]
    return lambda seen: all(test(seen) for test in tests)


def any_holds(conditions: tuple[Condition, ...]) -> Test:
    """Whether at least one of them holds."""
    tests = [_test(condition) for condition in conditions]
    return lambda seen: any(test(seen) for test in tests)


def _test(condition: Condition) -> Test:
    find = look(condition.path)
    if condition.exists is not None:
        wanted = condition.exists
        return lambda seen: bool(find(seen)) == wanted
    if condition.matches:
        shape = condition.matches.lower()
        return lambda seen: any(_is_word(one) and has_shape(word_of(one), shape) for one in find(seen))
    words = {word_of(word) for word in (condition.in_ or (condition.equals,))}
    return lambda seen: any(_is_word(one) and word_of(one) in words for one in find(seen))


def _is_word(value: object) -> bool:
    return isinstance(value, str | int | float)


def has_shape(text: str, shape: str) -> bool:
    """Whether a text fits a glob: `*` is any text, `?` one character.

    The leftmost place of each part is as good as any later one, so nothing is ever tried twice: the cost is at most
    the length of the text times that of the shape.
    """
    if len(text) > MAX_TEXT_CHARS or len(shape) > MAX_WORD_CHARS:
        return False
    first, *others = shape.split("*")
    if not others:
        return len(text) == len(first) and _stands(text, first, 0)
    last, end = others[-1], len(text) - len(others[-1])
    if not _stands(text, first, 0) or end < len(first) or not _stands(text, last, end):
        return False
    at = len(first)
    for part in others[:-1]:
        at = _next(text, part, at, end)
        if at < 0:
            return False
    return True


def _next(text: str, part: str, at: int, end: int) -> int:
    """Where the text goes on behind the first `part` from `at`; -1 when there is none before `end`."""
    if "?" not in part:
        found = text.find(part, at, end)
        return found + len(part) if found >= 0 else -1
    return next((place + len(part) for place in range(at, end - len(part) + 1) if _stands(text, part, place)), -1)


def _stands(text: str, part: str, at: int) -> bool:
    if "?" not in part:
        return text.startswith(part, at)
    return len(text) - at >= len(part) and all(wanted in ("?", text[at + n]) for n, wanted in enumerate(part))
