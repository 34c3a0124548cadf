"""Every page: a folder here, a line below. The navigation, the live stream and the tests follow this list."""

from __future__ import annotations

from services.dashboard.pages import account, accounts, incidents, map, person, sources, today
from services.dashboard.pages.kind import Page

PAGES: tuple[Page, ...] = (
    today.PAGE,
    map.PAGE,
    incidents.PAGE,
    accounts.PAGE,
    account.PAGE,
    person.PAGE,
    sources.PAGE,
)
BY_ID = {page.id: page for page in PAGES}
