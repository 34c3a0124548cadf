"""What went wrong for whom: several signs of one thing as one case, and every moment of friction."""

from services.dashboard.pages.incidents.query import ask
from services.dashboard.pages.kind import Page

PAGE = Page("incidents", "Incidents", "/incidents", ("cases", "feed"), ask)
