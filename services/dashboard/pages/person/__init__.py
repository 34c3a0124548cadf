"""A day in the life of one person: where they belong, what happened to them, and how we know."""

from services.dashboard.pages.kind import SUBJECT, Page
from services.dashboard.pages.person.query import ask

PAGE = Page(
    "person", "Person", f"/people/{SUBJECT}", ("lead", "days", "beside"), ask, under="accounts", standing=("beside",)
)
