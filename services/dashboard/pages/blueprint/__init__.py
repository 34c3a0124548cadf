"""The blueprint with what is true today laid over it: who stands behind each touchpoint, and what is promised."""

from services.dashboard.pages.blueprint.query import ask
from services.dashboard.pages.kind import SUBJECT, Page

PAGE = Page(
    "blueprint",
    "Blueprint",
    f"/map/blueprint/{SUBJECT}",
    ("lead", "board", "owners"),
    ask,
    under="map",
    tab="Blueprint",
)
