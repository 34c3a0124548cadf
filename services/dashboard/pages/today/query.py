"""What Today shows."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

from services.dashboard.incidents import Found, incidents, with_personas
from services.dashboard.pages.today.view import Today, drawn, happening
from services.dashboard.ranking_inputs import weigh
from services.dashboard.reader import Reader
from services.dashboard.scope import Range, Scope

ACCOUNTS = 3
PAINS = 1_000


async def ask(reader: Reader, scope: Scope) -> Today:
    """Raises StoreUnavailable."""
    span = await reader.span(scope, reader.clock())
    by_definition = reader.catalogue.painful_by_definition
    weighed, found, accounts = await asyncio.gather(
        weigh(reader, scope, named=True),
        _happening(reader, scope, span),
        reader.store.hurt_accounts(scope, span, by_definition, ACCOUNTS),
    )
    return drawn(weighed, found, cast("list[Mapping[str, Any]]", accounts))


async def _happening(reader: Reader, scope: Scope, span: Range) -> Found:
    found = await incidents(reader, scope, span, PAINS)
    return await with_personas(reader, found, happening(found))
