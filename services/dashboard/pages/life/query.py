"""Whose life can be looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.dashboard.reader import Reader
from services.dashboard.scope import Scope
from services.dashboard.words import account_name

ACCOUNTS = 24


@dataclass(frozen=True, slots=True)
class Life:
    """An account that was hurt, and mostly by what."""

    account_id: str
    name: str
    phase_name: str
    segment: str
    because: str
    pain: float
    share: float
    last_at: datetime


@dataclass(frozen=True, slots=True)
class LifePage:
    """The most hurt accounts."""

    lives: tuple[Life, ...]

    @property
    def is_empty(self) -> bool:
        return not self.lives


async def ask(reader: Reader, scope: Scope) -> LifePage:
    """Raises StoreUnavailable."""
    span = await reader.span(scope, reader.clock())
    found = await reader.store.hurt_accounts(scope, span, reader.catalogue.painful_by_definition, ACCOUNTS)
    rows = found
    most = max((row["pained"] for row in rows), default=0.0)
    catalogue = reader.catalogue
    return LifePage(
        tuple(
            Life(
                row["account_id"],
                account_name(row["account_id"], row["name"]),
                catalogue.phase_name(row["phase"]),
                row["segment"],
                catalogue.type_name(row["worst_type"]),
                row["pained"],
                row["pained"] / most if most else 0.0,
                row["last_at"],
            )
            for row in rows
        )
    )
