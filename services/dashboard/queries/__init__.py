"""Every statement the dashboard sends, by subject. Values are bound; no text of a request becomes part of one."""

from services.dashboard.queries import accounts, cells, hurts, people, proposals, signals, sources, touchpoints, types

__all__ = ["accounts", "cells", "hurts", "people", "proposals", "signals", "sources", "touchpoints", "types"]
