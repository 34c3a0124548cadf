"""What the page of an account shows."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from services.dashboard import cursors, row_views
from services.dashboard.incidents import incidents
from services.dashboard.not_found import NotFound
from services.dashboard.pages.account.view import AccountPage, drawn
from services.dashboard.ranking_inputs import weigh
from services.dashboard.reader import Reader
from services.dashboard.scope import Scope
from services.dashboard.store import DaysQuery

TOUCHPOINTS = 300
INCIDENTS = 6
CORRECTIONS = 20


async def ask(reader: Reader, scope: Scope) -> AccountPage:
    """Raises StoreUnavailable, NotFound."""
    row = await reader.standing(scope.subject)
    if row is None:
        raise NotFound(f"no account `{scope.subject[:80]}`")
    account_id = str(row["account_id"])
    reach = replace(scope, account=account_id, subject="", before="")
    span = await reader.span(reach, reader.clock())
    after = cursors.decode_time(scope.before) if scope.before else None
    weighed, (days, more), people, hurts, corrections = await asyncio.gather(
        weigh(reader, reach, whom=False),
        reader.store.days(DaysQuery(reach, span.since, TOUCHPOINTS, account_id=account_id, after=after)),
        reader.store.people_of(account_id),
        incidents(reader, reach, span),
        reader.store.corrections(account_id, CORRECTIONS),
    )
    return drawn(
        weighed,
        row,
        [row_views.touchpoint_view(reader.catalogue, each) for each in days],
        cursors.encode_time(*more) if more else "",
        people,
        hurts.incidents[:INCIDENTS],
        tuple(map(row_views.correction_view, corrections)),
    )
