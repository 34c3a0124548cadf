"""A day in the life of one account: where it stands, who is there, what happened, and why we think so."""

from services.dashboard.pages.account.query import ask
from services.dashboard.pages.kind import SUBJECT, Page

PAGE = Page(
    "account",
    "Account",
    f"/accounts/{SUBJECT}",
    ("lead", "way", "days", "beside"),
    ask,
    under="accounts",
    standing=("way",),
)
