"""Which type the words of an event's name, or of a page's path, tell: `Voucher Applied`, `/plan-een-demo`.

Asked where no match of the catalogue says more than the action. Nobody can list the names that sites give their events
and pages, but the words that they are made of are few.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal
from unicodedata import normalize

from schemas.blueprint import TouchpointType, TypeWords
from schemas.touchpoints import CleanTouchpoint
from streams.names import spaced, without_language

Part = Literal["events", "otherwise", "pages", "forms"]
Places = dict[str, int]

_FORMS: Final = frozenset({"form_touched", "form_submitted", "form_failed"})
_TRACKED: Final = "track:"
_ENDING: Final = re.compile(r"\.(?:html?|php|aspx?|jsp|cfm)$")
_LONGEST_SLUG: Final = 4
"""Words of a part of a path: what has more is a sentence, the title of an article that may be about anything."""
_LEAST_STEM: Final = 2
"""Letters of a word beside its star."""


@dataclass(frozen=True, slots=True)
class _Phrase:
    words: tuple[str, ...]
    type: TouchpointType

    def place(self, places: Places) -> int | None:
        """How far back it stands; None where one of its words is missing."""
        found = [places.get(word, -1) for word in self.words]
        return max(found) if min(found) >= 0 else None


class Wording:
    """The phrases of a blueprint, found by their first word."""

    def __init__(self, types: Sequence[TouchpointType], words: Sequence[TypeWords]) -> None:
        named = {kind.id: kind for kind in types}
        self._phrases: dict[tuple[Part, str], list[_Phrase]] = {}
        for told in words:
            for part, listed in self._parts(told):
                for phrase in listed:
                    split = tuple(phrase.split())
                    self._phrases.setdefault((part, split[0]), []).append(_Phrase(split, named[told.type]))
        self._told = lru_cache(maxsize=16_384)(self._best)

    @staticmethod
    def _parts(told: TypeWords) -> Iterator[tuple[Part, tuple[str, ...]]]:
        yield "events", told.events
        yield "otherwise", told.otherwise
        yield "pages", told.pages
        yield "forms", told.forms

    def type_of(self, touchpoint: CleanTouchpoint) -> TouchpointType | None:
        """The type that the words tell; None where they tell none."""
        if not self._phrases:
            return None
        action, name = touchpoint.action, touchpoint.vendor_type
        if action == "page_view":
            return self._told("pages", touchpoint.page.lower(), "")
        if action in _FORMS:
            return self._told("forms", touchpoint.page.lower(), name)
        if action != "custom" or not name.startswith(_TRACKED):
            return None
        return self._told("events", "", name) or self._told("otherwise", "", name)

    def _best(self, part: Part, page: str, name: str) -> TouchpointType | None:
        places = _places(page, name)
        found = [
            ((len(phrase.words), at, sum(map(len, phrase.words)), phrase.type.id), phrase.type)
            for word in places
            for phrase in self._phrases.get((part, word), ())
            if (at := phrase.place(places)) is not None
        ]
        return max(found, key=lambda one: one[0])[1] if found else None


def _places(page: str, name: str) -> Places:
    """Every word, and every beginning and end of one with a star, with the part of the path it stands in last."""
    parts = [re.split(r"[\W_]+", _ENDING.sub("", part)) for part in _plain(without_language(page)).split("/")]
    told = [part for part in parts if len(part) <= _LONGEST_SLUG]
    told.append(re.findall(r"[a-z]+|\d+", _plain(spaced(name.partition(":")[2]))))
    found: Places = {}
    for at, words in enumerate(told):
        for word in filter(None, words):
            found[word] = at
            found.update({f"{word[:end]}*": at for end in range(_LEAST_STEM, len(word) + 1)})
            found.update({f"*{word[start:]}": at for start in range(len(word) - _LEAST_STEM + 1)})
    return found


def _plain(text: str) -> str:
    """Lower case, without accents."""
    return normalize("NFKD", text.lower().replace("ß", "ss")).encode("ascii", "ignore").decode()
