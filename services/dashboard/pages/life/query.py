"""Whose life can be looked at."""

from __future__ import annotations

from dataclasses import dataclass

from services.dashboard.hurt_accounts import HurtAccount, hurt_accounts
from services.dashboard.reader import Reader
from services.dashboard.scope import Scope

ACCOUNTS = 24


@dataclass(frozen=True, slots=True)
class LifePage:
    """The most hurt accounts."""

    lives: tuple[HurtAccount, ...]

    @property
    def is_empty(self) -> bool:
        return not self.lives


async def ask(reader: Reader, scope: Scope) -> LifePage:
    """Raises StoreUnavailable."""
    span = await reader.span(scope, reader.clock())
    found = await reader.store.hurt_accounts(scope, span, reader.catalogue.painful_by_definition, ACCOUNTS)
    return LifePage(hurt_accounts(reader.catalogue, found))
