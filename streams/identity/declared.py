"""What people say of where they belong, or show: company domains, company names, an account's network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from sys import intern
from typing import Literal

from schemas.links import Declared
from schemas.touchpoints import Alias
from streams.identity.company_names import company_name


@dataclass(slots=True, eq=False)
class _Said:
    """A declaration as it is kept."""

    trait: Literal["domain", "name", "network"]
    value: str
    since: datetime
    evidence: str
    source: str


class Declarations:
    """By alias; each value once, with its earliest evidence."""

    def __init__(self) -> None:
        self._said: dict[Alias, tuple[_Said, ...]] = {}
        self._named: dict[str, list[Alias]] = {}

    def knows(self, link: Declared) -> bool:
        """Whether this is known, from evidence at least as early."""
        known = self.known(link)
        return known is not None and not link.outdoes(known)

    def known(self, link: Declared) -> Declared | None:
        """The link with this id, as it is known."""
        for said in self._said.get(link.alias, ()):
            if said.trait == link.trait and said.value == link.value:
                return _link(link.alias, said)
        return None

    def add(self, link: Declared) -> None:
        """Take it in, unless nothing new is learned."""
        if self.knows(link):
            return
        alias = intern(link.alias)
        others = [s for s in self._said.get(alias, ()) if (s.trait, s.value) != (link.trait, link.value)]
        new = _Said(link.trait, intern(link.value), link.since, link.evidence, intern(link.source))
        self._said[alias] = (*others, new)
        if link.trait == "name" and (name := company_name(link.value)):
            called = self._named.setdefault(name, [])
            if alias not in called:
                called.append(alias)

    def retell(self, link: Declared) -> None:
        """Put a link in the place of what was known of it, or, retracted, nothing."""
        rest = [s for s in self._said.pop(link.alias, ()) if (s.trait, s.value) != (link.trait, link.value)]
        if rest:
            self._said[intern(link.alias)] = tuple(rest)
        if not link.retracted:
            self.add(link)

    def names(self) -> Iterable[Alias]:
        """Every alias that declared anything."""
        return self._said

    def has_any(self, aliases: Iterable[Alias]) -> bool:
        """Whether any of these aliases declared anything."""
        return any(name in self._said for name in aliases)

    def of(self, aliases: Iterable[Alias]) -> Iterator[Declared]:
        """Everything these aliases declared."""
        return (_link(name, said) for name in aliases for said in self._said.get(name, ()))

    def values(self, aliases: Iterable[Alias], trait: str) -> list[str]:
        """Every value of a trait, sorted."""
        return sorted({said.value for name in aliases for said in self._said.get(name, ()) if said.trait == trait})

    def dated(self, aliases: Iterable[Alias], trait: str) -> tuple[tuple[datetime, str], ...]:
        """The same with the time of each, earliest first."""
        found: dict[str, datetime] = {}
        for name in aliases:
            for said in self._said.get(name, ()):
                if said.trait == trait:
                    found[said.value] = min(said.since, found.get(said.value, said.since))
        return tuple(sorted((since, value) for value, since in found.items()))

    def at(self, aliases: Iterable[Alias], trait: str, moment: datetime) -> list[str]:
        """What was declared last by then; before anything was, what was declared first."""
        told = self.dated(aliases, trait)
        if not told:
            return []
        until = [since for since, _ in told if since <= moment] or [told[0][0]]
        return [value for since, value in told if since == until[-1]]

    def named(self, name: str) -> list[Alias]:
        """Who declared a company of this name (as `company_name` gives it)."""
        return self._named.get(name, [])


def _link(alias: Alias, said: _Said) -> Declared:
    return Declared(
        alias=alias, trait=said.trait, value=said.value, since=said.since, evidence=said.evidence, source=said.source
    )
