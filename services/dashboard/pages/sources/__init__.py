"""Whether the senders send and what becomes of it, how to add one, and questions that evidence leaves to people."""

from services.dashboard.pages.kind import Page
from services.dashboard.pages.sources.query import ask

PARTS = ("lead", "freshness", "tap", "letters", "questions", "add", "test")
PAGE = Page("sources", "Sources", "/sources", PARTS, ask, about_customers=False)
