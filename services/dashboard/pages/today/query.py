"""What Today shows."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

from services.dashboard.incidents import incidents
from services.dashboard.pages.today.view import Today, drawn
from services.dashboard.reader import Reader
from services.dashboard.scope import Scope
from services.dashboard.weighing import weigh

ACCOUNTS = 5
PAINS = 1_000


async def ask(reader: Reader, scope: Scope) -> Today:
    """Raises StoreUnavailable."""
    span = await reader.span(scope, reader.clock())
    by_definition = reader.catalogue.painful_by_definition
    weighed, found, accounts = await asyncio.gather(
        weigh(reader, scope),
        incidents(reader, scope, span, PAINS),
        reader.store.hurt_accounts(scope, span, by_definition, ACCOUNTS),
    )
    return drawn(weighed, found, cast("list[Mapping[str, Any]]", accounts))
