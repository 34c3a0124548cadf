"""Which functions make one value of many rows; ClickHouse says so itself, once a process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_NAMES: Final = "SELECT lower(name) FROM system.functions WHERE is_aggregate"
_COMBINATORS: Final = "SELECT lower(name) FROM system.aggregate_function_combinators ORDER BY length(name) DESC"


@dataclass(frozen=True, slots=True)
class Aggregates:
    """Names in small letters; `combinators` (`sum` + `If`) longest first."""

    names: frozenset[str]
    combinators: tuple[str, ...]

    @classmethod
    def known_to(cls, ask: Callable[[str], str]) -> Aggregates:
        """`ask` runs a query and gives the raw text of its answer."""
        return cls(frozenset(ask(_NAMES).split()), tuple(ask(_COMBINATORS).split()))

    def has(self, name: str) -> bool:
        """Whether the function is one, whatever its combinators."""
        rest = name.lower()
        while rest not in self.names:
            shorter = next((rest.removesuffix(end) for end in self.combinators if rest.endswith(end)), "")
            if not shorter:
                return False
            rest = shorter
        return True
