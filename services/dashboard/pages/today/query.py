"""What Today shows."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

from services.dashboard.happening import happenings
from services.dashboard.pages.today.view import Today, drawn
from services.dashboard.reader import Reader
from services.dashboard.scope import Scope
from services.dashboard.store import SignalQuery
from services.dashboard.weighing import weigh

ACCOUNTS = 5
HAPPENING = 5
SIGNALS = 60


async def ask(reader: Reader, scope: Scope) -> Today:
    """Raises StoreUnavailable."""
    span = await reader.span(scope, reader.clock())
    feed = SignalQuery(since=span.since, without=reader.catalogue.derived_rules, limit=SIGNALS, scope=scope)
    by_definition = reader.catalogue.painful_by_definition
    weighed, signals, accounts = await asyncio.gather(
        weigh(reader, scope),
        reader.signals(feed),
        reader.store.hurt_accounts(scope, span, by_definition, ACCOUNTS),
    )
    rows = cast("list[Mapping[str, Any]]", accounts)
    return drawn(weighed, happenings(signals, HAPPENING), rows)
