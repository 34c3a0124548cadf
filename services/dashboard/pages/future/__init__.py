"""The future state: what is wanted and promised against what is true today, the largest gap first."""

from services.dashboard.pages.future.query import ask
from services.dashboard.pages.kind import Page

PAGE = Page("future", "Future state", "/map/future", ("lead", "gaps"), ask, under="map", tab="Future state")
