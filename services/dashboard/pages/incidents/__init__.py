"""What went wrong for whom: all that one account met at one thing is one incident, with its evidence inside."""

from services.dashboard.pages.incidents.query import ask
from services.dashboard.pages.kind import Page

PAGE = Page("incidents", "Incidents", "/incidents", ("incidents",), ask)
