"""Every page: a folder here, a line below. The navigation, the live stream and the tests follow this list."""

from __future__ import annotations

from services.dashboard.pages import (
    account,
    accounts,
    blueprint,
    future,
    incidents,
    life,
    map,
    person,
    sources,
    today,
    touchpoint,
)
from services.dashboard.pages.kind import Page

PAGES: tuple[Page, ...] = (
    today.PAGE,
    map.PAGE,
    touchpoint.PAGE,
    blueprint.PAGE,
    future.PAGE,
    life.PAGE,
    incidents.PAGE,
    accounts.PAGE,
    account.PAGE,
    person.PAGE,
    sources.PAGE,
)
BY_ID = {page.id: page for page in PAGES}
