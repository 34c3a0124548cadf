"""Whether the senders send, and questions of who is who that evidence leaves to people."""

from services.dashboard.pages.kind import Page
from services.dashboard.pages.sources.query import ask

PAGE = Page("sources", "Sources", "/sources", ("freshness", "questions"), ask, about_customers=False)
