"""Which type of the catalogue a touchpoint is: the most specific match that holds decides.

Where it says no more than the action, the words of the event's name or of the page do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, product

from schemas.blueprint import TouchpointType, TypeWords
from schemas.touchpoints import CleanTouchpoint
from streams.matching.conditions import (
    Predicate,
    always,
    compile_kind,
    compile_page,
    compile_properties,
    kind_key,
    specificity,
)
from streams.matching.wording import Wording
from streams.names import without_language

UNMAPPED = TouchpointType(id="unmapped", name="Unmapped", phase="unmapped", importance=1, risk=1)

KINDS_REMEMBERED = 50_000
"""Kinds repeat, pages with an id in them do not: beyond this many the memory starts anew."""

_BEGIN_CHARS = 3


@dataclass(frozen=True, slots=True)
class _Candidate:
    order: tuple[int, ...]
    kind: Predicate
    as_sent: Predicate
    properties: Predicate
    type: TouchpointType

    @property
    def is_bare(self) -> bool:
        """Whether it says nothing of the event but its action and channel."""
        return not any(self.order[:3])

    def weight(self, touchpoint: CleanTouchpoint) -> tuple[object, ...]:
        """What a page is called with its language outweighs what it is called without; ids settle what is left."""
        properties, *others = self.order
        return (properties, self.as_sent(touchpoint), *others, self.type.id)


@dataclass(frozen=True, slots=True)
class _Kind:
    """What is remembered of a kind of event: the type, or the candidates among which its properties decide."""

    settled: TouchpointType | None
    candidates: tuple[_Candidate, ...]


class Recognition:
    """The catalogue's matches, indexed by action, the vendor's name and page, as far as they are plain."""

    def __init__(self, types: Sequence[TouchpointType], words: Sequence[TypeWords] = ()) -> None:
        self._wording = Wording(types, words)
        self._index: dict[tuple[str, str, str], list[_Candidate]] = {}
        for kind in types:
            for match in kind.match:
                tests = (compile_kind(match), compile_page(match), compile_properties(match))
                candidate = _Candidate(specificity(match), *tests, kind)
                place = (match.action, _head(match.vendor_type), _begin(match.page))
                self._index.setdefault(place, []).append(candidate)
        self._kinds: dict[tuple[str, ...], _Kind] = {}

    def type_of(self, touchpoint: CleanTouchpoint) -> TouchpointType:
        """The type, or `unmapped`."""
        key = kind_key(touchpoint)
        kind = self._kinds.get(key)
        if kind is None:
            if len(self._kinds) >= KINDS_REMEMBERED:
                self._kinds.clear()
            kind = self._kinds[key] = self._kind(touchpoint)
        return kind.settled or self._decided(kind.candidates, touchpoint)

    def _kind(self, touchpoint: CleanTouchpoint) -> _Kind:
        """Words are a part of the kind, so only properties leave anything open."""
        candidates = self._looked_up(touchpoint)
        is_open = candidates and candidates[0].properties is not always
        return _Kind(None if is_open else self._decided(candidates, touchpoint), candidates)

    def _decided(self, candidates: tuple[_Candidate, ...], touchpoint: CleanTouchpoint) -> TouchpointType:
        found = next((one for one in candidates if one.properties(touchpoint)), None)
        if found is not None and not found.is_bare:
            return found.type
        return self._wording.type_of(touchpoint) or (found.type if found is not None else UNMAPPED)

    def _looked_up(self, touchpoint: CleanTouchpoint) -> tuple[_Candidate, ...]:
        """Types whose conditions on the kind hold, most specific first."""
        page = touchpoint.page.lower()
        begins = {"", page[:_BEGIN_CHARS], without_language(page)[:_BEGIN_CHARS]}
        places = product({"", touchpoint.action}, {"", _head(touchpoint.vendor_type)}, begins)
        listed = (self._index.get(place, ()) for place in places)
        holding = [candidate for candidate in chain.from_iterable(listed) if candidate.kind(touchpoint)]
        return tuple(sorted(holding, key=lambda candidate: candidate.weight(touchpoint), reverse=True))


def _head(vendor_type: str) -> str:
    """What stands before the first `:` or `.` (`track`, `conversation`); empty for a glob that leaves it open."""
    head = re.match(r"[^:.*?\[]+(?=[:.])", vendor_type)
    return head[0].lower() if head else ""


def _begin(page: str) -> str:
    """The first characters every page of this glob has; empty when it leaves them open."""
    begin = page[:_BEGIN_CHARS].lower()
    return begin if len(begin) == _BEGIN_CHARS and not set("*?[") & set(begin) else ""
