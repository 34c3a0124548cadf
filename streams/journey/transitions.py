"""The graph of allowed moves between phases. Immutable after construction."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from functools import lru_cache

from schemas.blueprint import Blueprint
from schemas.facts import Direction


class Transitions:
    """Which way an account may go from one phase to another."""

    def __init__(self, blueprint: Blueprint) -> None:
        self.order: Mapping[str, int] = {phase.id: index for index, phase in enumerate(blueprint.phases)}
        self.exits = frozenset(phase.id for phase in blueprint.phases if phase.kind == "exit")
        self._edges = _edges(blueprint)
        self.path = lru_cache(maxsize=256)(self._path)

    def allows(self, source: str, target: str) -> bool:
        """Whether one move leads from `source` to `target`."""
        return target in self._edges.get(source, ())

    def direction(self, source: str, target: str) -> Direction:
        """Which way a move goes: forward, backward, exit, re-entry."""
        if target in self.exits:
            return "exit"
        if source in self.exits:
            return "re-entry"
        return "forward" if self.order[target] > self.order[source] else "backward"

    def is_later(self, phase: str, than: str) -> bool:
        """Whether a home phase lies further along the journey; an exit lies nowhere on it."""
        return phase not in self.exits and phase in self.order and self.order[phase] > self.order[than]

    def _path(self, current: str, target: str) -> tuple[str, ...]:
        """The shortest allowed way from `current` to `target`, without `current`; empty when there is none.

        One allowed move; or forward moves only, after the re-entry when `current` is an exit: evidence of a
        later phase walks an account through the phases between, never back first.
        """
        if self.allows(current, target):
            return (target,)
        begins = (phase for phase in self._edges.get(current, ()) if self.direction(current, phase) != "backward")
        ways: deque[tuple[str, ...]] = deque((phase,) for phase in begins if self._leads_on(phase, target))
        while ways:
            way = ways.popleft()
            if way[-1] == target:
                return way
            following = (phase for phase in self._edges[way[-1]] if self.order[phase] > self.order[way[-1]])
            ways.extend((*way, phase) for phase in following if self._leads_on(phase, target))
        return ()

    def _leads_on(self, phase: str, target: str) -> bool:
        return phase not in self.exits and self.order[phase] <= self.order[target]


def _edges(blueprint: Blueprint) -> dict[str, tuple[str, ...]]:
    edges: dict[str, list[str]] = {phase.id: [] for phase in blueprint.phases}
    for transition in blueprint.transitions:
        sources = list(edges) if transition.source == "*" else [transition.source]
        for source in sources:
            if source in edges and source != transition.target and transition.target not in edges[source]:
                edges[source].append(transition.target)
    return {source: tuple(targets) for source, targets in edges.items()}
