"""Where it hurts, whom, since when, who answers for it."""

from services.dashboard.pages.kind import Page
from services.dashboard.pages.today.query import ask

PAGE = Page("today", "Today", "/", ("lead", "figures", "hurts", "now", "worst", "strip"), ask)
