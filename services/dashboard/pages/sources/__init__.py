"""Whether the senders send and what becomes of it, how to add one, and questions that evidence leaves to people."""

from services.dashboard.pages.kind import Page
from services.dashboard.pages.sources.query import ask

PAGE = Page(
    "sources", "Sources", "/sources", ("lead", "freshness", "tap", "questions", "add"), ask, about_customers=False
)
