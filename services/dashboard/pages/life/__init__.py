"""A day in the life: whose to open, those who were hurt first."""

from services.dashboard.pages.kind import Page
from services.dashboard.pages.life.query import ask

PAGE = Page("life", "Day in the life", "/map/life", ("lead",), ask, under="map", tab="Day in the life")
