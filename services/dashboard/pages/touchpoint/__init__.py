"""The tactical map: one touchpoint type in depth, or all types that the filters let through."""

from services.dashboard.pages.kind import SUBJECT, Page
from services.dashboard.pages.touchpoint.query import ask

PAGE = Page(
    "touchpoint",
    "Touchpoint",
    f"/cells/{SUBJECT}",
    ("lead", "trend", "who", "beside", "said", "should"),
    ask,
    under="map",
    tab="One touchpoint",
    standing=("should",),
)
