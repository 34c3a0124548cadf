"""What a CRM says of an account, whatever it calls it, pure."""

from __future__ import annotations

from collections.abc import Mapping

from services.dashboard.words import TIER_TRAITS

_OWNERS = ("owner", "owner_name", "account_owner", "account_manager", "hubspot_owner_id")
_REVENUES = ("arr", "annual_recurring_revenue", "mrr", "annual_revenue", "annualrevenue", "revenue")
_CURRENCIES = ("currency", "hs_currency", "currencyisocode")
SHOWN = frozenset([*_OWNERS, *TIER_TRAITS, *_REVENUES, *_CURRENCIES, "name"])
"""Traits that stand in the headline."""


def owner_of(traits: Mapping[str, str]) -> str:
    return _first(traits, _OWNERS)


def tier_of(traits: Mapping[str, str]) -> str:
    return _first(traits, TIER_TRAITS)


def revenue_of(traits: Mapping[str, str]) -> str:
    """With its unit, `EUR 64,000 a year`; what is no number is shown as it was told; empty: not told."""
    value = _first(traits, _REVENUES)
    if not value:
        return ""
    try:
        number = f"{float(value):,.0f}"
    except ValueError:
        number = value
    period = "a month" if not _first(traits, tuple(name for name in _REVENUES if name != "mrr")) else "a year"
    return " ".join(filter(None, (_first(traits, _CURRENCIES).upper(), number, period)))


def _first(traits: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((traits[name] for name in names if traits.get(name)), "")
