"""Accounts' incidents from stored rows, worked out again only where a row differs from what it was made of."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from schemas.incidents import Desk, Part
from services.dashboard.store import Pains, Row
from streams.incidents.incident import Incident
from streams.incidents.intake import Lens
from streams.incidents.stored import desks_of, falls_of
from streams.incidents.threads import incidents_on

MOST_ACCOUNTS = 2_000


@dataclass(frozen=True, slots=True)
class _Known:
    """What an account's incidents were made of, and they."""

    rows: tuple[Sequence[Row], Sequence[Row], Row]
    falls: Mapping[str, Part]
    found: tuple[Desk, Sequence[Incident]]


class Grouped:
    """Incidents of accounts by all the rows that they come from: what is remembered can be no other than made anew.

    Whoever is not among those asked for lately is forgotten. Safe to use from several threads.
    """

    def __init__(self, lens: Lens, most: int = MOST_ACCOUNTS) -> None:
        self._lens, self._most = lens, most
        self._known: dict[str, _Known] = {}
        self._working = threading.Lock()

    def desks(self, pains: Pains, since: datetime) -> list[tuple[Desk, Sequence[Incident]]]:
        """A desk with its incidents for each account that something hurt since then."""
        signals, touchpoints = _by_account(pains.signals), _by_account(pains.touchpoints)
        found = []
        with self._working:
            for row in pains.accounts:
                account = str(row["account_id"])
                mine = (signals.get(account, ()), touchpoints.get(account, ()), row)
                if (one := self._of(account, mine, since)) is not None:
                    found.append(one)
        return found

    def _of(
        self, account: str, rows: tuple[Sequence[Row], Sequence[Row], Row], since: datetime
    ) -> tuple[Desk, Sequence[Incident]] | None:
        known, falls = self._known.pop(account, None), dict(falls_of(rows[2], since))
        if known is None or not _is_same(known, rows, falls):
            desk = next(iter(desks_of(rows[0], rows[1], [rows[2]], self._lens, since)), None)
            if desk is None:
                return None
            known = _Known(rows, falls, (desk, incidents_on(desk, self._lens)))
        self._known[account] = known
        if len(self._known) > self._most:
            del self._known[next(iter(self._known))]
        return known.found


def _is_same(known: _Known, rows: tuple[Sequence[Row], Sequence[Row], Row], falls: Mapping[str, Part]) -> bool:
    return known.rows == rows and known.falls == falls


def _by_account(rows: Iterable[Row]) -> Mapping[str, Sequence[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[str(row["account_id"])].append(row)
    return found
