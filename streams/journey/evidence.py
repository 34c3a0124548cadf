"""Decisive evidence made ready to find: by action, then by what kind of touchpoint it is, remembered."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.actions import ACTIONS
from schemas.blueprint import Decisive
from schemas.matching import DEAL_ACTIONS, Match
from schemas.touchpoints import CleanTouchpoint
from streams.matching.conditions import Predicate, compile_kind, compile_properties, kind_key

KINDS_REMEMBERED = 50_000

_Pairs = tuple[tuple[Predicate, Decisive], ...]


class EvidenceBook:
    """Which evidence a touchpoint is. Immutable but for what it remembers."""

    def __init__(self, decisive: Sequence[Decisive]) -> None:
        compiled = [(compile_kind(one.match), compile_properties(one.match), one) for one in decisive]
        self._by_action = {
            action: found
            for action in ACTIONS
            if (found := [entry for entry in compiled if _may_be(entry[2].match, action)])
        }
        self._kinds: dict[tuple[str, ...], _Pairs] = {}

    def find(self, touchpoint: CleanTouchpoint, phase: str) -> tuple[Decisive, bool] | None:
        """The first evidence that counts in `phase`; else the first there is, which then does not count."""
        if touchpoint.action not in self._by_action:
            return None
        refused: Decisive | None = None
        for holds, decisive in self._of_kind(touchpoint):
            if holds(touchpoint):
                if not decisive.only_from or phase in decisive.only_from:
                    return decisive, True
                refused = refused or decisive
        return (refused, False) if refused else None

    def _of_kind(self, touchpoint: CleanTouchpoint) -> _Pairs:
        key = kind_key(touchpoint)
        found = self._kinds.get(key)
        if found is None:
            if len(self._kinds) >= KINDS_REMEMBERED:
                self._kinds.clear()
            entries = self._by_action[touchpoint.action]
            found = self._kinds[key] = tuple((holds, one) for is_kind, holds, one in entries if is_kind(touchpoint))
        return found


def _may_be(match: Match, action: str) -> bool:
    return match.action in ("", action) and (action in DEAL_ACTIONS or not match.asks_deal)
