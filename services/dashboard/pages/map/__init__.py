"""The journey map as it is: where it hurts, where it is calm, and where nobody knows."""

from services.dashboard.pages.kind import Page
from services.dashboard.pages.map.query import ask

PAGE = Page("map", "Map", "/map", ("lead", "map", "impact"), ask, tab="Current state")
