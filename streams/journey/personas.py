"""Persona rules made ready to run: words of titles, and what people do. Immutable after construction."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from typing import Final

from schemas.blueprint import PersonaRule

UNKNOWN_PERSONA: Final = "unknown"
_TITLES_REMEMBERED: Final = 10_000
_ACRONYM_DOT: Final = re.compile(r"(?<=\b\w)\.(?=\w\b)")
_WORD: Final = re.compile(r"\w+")


class PersonaRules:
    """The rules in their order. A rule is named by its index; `len(self)` stands for none."""

    def __init__(self, rules: Sequence[PersonaRule]) -> None:
        self._personas = (*(rule.persona for rule in rules), UNKNOWN_PERSONA)
        self._titles = [
            (n, _Entry.of(text)) for n, rule in enumerate(rules) for text in rule.title_words if text.strip()
        ]
        self._departments = _first_by_value((n, rule.department) for n, rule in enumerate(rules))
        self._roles = _first_by_value((n, rule.role) for n, rule in enumerate(rules))
        self.behaviours = tuple((n, rule.behaviour) for n, rule in enumerate(rules) if rule.behaviour is not None)
        self.by_title = lru_cache(maxsize=_TITLES_REMEMBERED)(self._by_title)
        self.counts_for = lru_cache(maxsize=_TITLES_REMEMBERED)(self._counts_for)

    def __len__(self) -> int:
        return len(self._personas) - 1

    def persona(self, rule: int) -> str:
        """What the rule names; `unknown` for none."""
        return self._personas[rule]

    def by_traits(self, traits: Mapping[str, str]) -> int:
        """The first rule that a person's title, department or CRM role meets."""
        return min(
            self.by_title(traits.get("title", "")),
            self._departments.get(_trimmed(traits.get("department", "")), len(self)),
            # the CRM's field holds several, each ticked
            min(self._roles.get(_trimmed(role), len(self)) for role in traits.get("role", "").split(";")),
        )

    def by_behaviour(self, moments: int, counts: Sequence[int]) -> int:
        """The first rule that a person's contact moments meet; `counts` stand beside `behaviours`."""
        for (rule, behaviour), count in zip(self.behaviours, counts, strict=True):
            if count >= behaviour.at_least and count >= behaviour.share * moments:
                return rule
        return len(self)

    def _by_title(self, title: str) -> int:
        words = words_of(title)
        return next((n for n, entry in self._titles if entry.holds(words)), len(self))

    def _counts_for(self, type_id: str, action: str) -> tuple[int, ...]:
        """Which of `behaviours` a contact moment of that type and action counts for."""
        return tuple(
            place
            for place, (_, behaviour) in enumerate(self.behaviours)
            if type_id in behaviour.type or action in behaviour.action
        )


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of `title_words`: `head of` asks for both words, `*beheerder` for one that ends so."""

    words: frozenset[str]
    globs: tuple[re.Pattern[str], ...]

    @classmethod
    def of(cls, text: str) -> _Entry:
        pieces = text.split()
        globs = tuple(re.compile(translate(_folded(piece))) for piece in pieces if "*" in piece)
        return cls(words_of(" ".join(piece for piece in pieces if "*" not in piece)), globs)

    def holds(self, words: frozenset[str]) -> bool:
        return self.words <= words and all(any(map(glob.match, words)) for glob in self.globs)


def words_of(title: str) -> frozenset[str]:
    """The words of a title without case and accents; `C.F.O.` is `cfo`."""
    return frozenset(_WORD.findall(_ACRONYM_DOT.sub("", _folded(title))))


def _folded(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _first_by_value(rules: Iterable[tuple[int, Sequence[str]]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for n, values in rules:
        for value in filter(str.strip, values):
            found.setdefault(_trimmed(value), n)
    return found


def _trimmed(value: str) -> str:
    return value.strip().casefold()
