"""The first visitor waits no longer than the second: Today is drawn once as soon as the store answers."""

from __future__ import annotations

import asyncio
import logging

from services.dashboard.pages import today
from services.dashboard.scope import Scope
from services.dashboard.shell import USUAL_WINDOW, Pages
from services.dashboard.snapshots import Snapshots

AGAIN_S = 1.0
_log = logging.getLogger(__name__)


async def warmed(snapshots: Snapshots, pages: Pages) -> None:
    """Until it was drawn once, or cancelled: connections, templates and the caches of the store are ready then."""
    scope = Scope(USUAL_WINDOW)
    while True:
        try:
            snapshot = await snapshots.latest(scope, today.PAGE.id)
            if snapshot.found is not None:
                pages.page(today.PAGE, scope, snapshot)
                return
        except Exception:  # a page that cannot be drawn says so to whoever asks for it
            _log.exception("Today could not be drawn ahead of its first visitor")
            return
        await asyncio.sleep(AGAIN_S)
