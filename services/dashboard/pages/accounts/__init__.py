"""Who the customers are and where they stand; visitors that are not identified yet apart."""

from services.dashboard.pages.accounts.query import ask
from services.dashboard.pages.kind import Page

PAGE = Page("accounts", "Accounts", "/accounts", ("lead", "accounts"), ask)
