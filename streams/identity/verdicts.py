"""Decisions by what they are about: of all that were told the last one holds; what is taken back is forgotten."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

from schemas.links import Decision

About = TypeVar("About", bound=Hashable)


class Verdicts(Generic[About]):
    """A decision is told once for all; those on one matter that came before the last are kept beside it."""

    def __init__(self) -> None:
        self._last: dict[About, Decision] = {}
        self._before: dict[About, tuple[Decision, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self._last)

    def __contains__(self, about: About) -> bool:
        return about in self._last

    def last(self, about: About) -> Decision | None:
        """The one that holds."""
        return self._last.get(about)

    def knows(self, about: About, decision: Decision) -> bool:
        """Whether it was told before."""
        return any(known.rank == decision.rank for known in self._all(about))

    def all_of(self, about: About) -> tuple[Decision, ...]:
        """All that were told of it, the one that holds last."""
        return self._all(about)

    def add(self, about: About, decision: Decision) -> bool:
        """Take it in; whether it holds from now on, and did not."""
        return not self.knows(about, decision) and self._keep(about, (*self._all(about), decision))

    def drop(self, about: About, decision: Decision) -> bool:
        """It was never made; whether it held until now."""
        return self._keep(about, [known for known in self._all(about) if known.rank != decision.rank])

    def _in_order(self, told: Iterable[Decision]) -> list[Decision]:
        return sorted(told, key=lambda decision: decision.rank)

    def _all(self, about: About) -> tuple[Decision, ...]:
        last = self._last.get(about)
        return () if last is None else (*self._before.get(about, ()), last)

    def _keep(self, about: About, told: list[Decision] | tuple[Decision, ...]) -> bool:
        """Whether another one holds now, or none any more."""
        before, in_order = self._last.pop(about, None), self._in_order(told)
        self._before.pop(about, None)
        if in_order:
            self._last[about] = in_order[-1]
        if in_order[1:]:
            self._before[about] = tuple(in_order[:-1])
        return self._last.get(about) is not before
