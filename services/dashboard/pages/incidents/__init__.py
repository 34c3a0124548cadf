"""What went wrong for whom, who takes care of it, and who was told: all that is one issue is one incident."""

from services.dashboard.pages.incidents.query import ask
from services.dashboard.pages.kind import Page

PAGE = Page("incidents", "Incidents", "/incidents", ("lead", "incidents", "alerts"), ask, has_side=True)
