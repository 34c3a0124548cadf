"""What a CRM says of an account, whatever it calls it, pure."""

from __future__ import annotations

from collections.abc import Mapping

from services.dashboard.words import MONTHLY_TRAITS, REVENUE_TRAITS, TIER_TRAITS
from streams.incidents.intake import OWNERS

_CURRENCIES = ("currency", "hs_currency", "currencyisocode")
SHOWN = frozenset([*OWNERS, *TIER_TRAITS, *REVENUE_TRAITS, *_CURRENCIES, "name"])
"""Traits that stand in the headline."""


def owner_of(traits: Mapping[str, str]) -> str:
    return _first(traits, OWNERS)


def tier_of(traits: Mapping[str, str]) -> str:
    return _first(traits, TIER_TRAITS)


def revenue_of(traits: Mapping[str, str]) -> str:
    """With its unit, `EUR 64,000 a year`; what is no number is shown as it was told; empty: not told."""
    named = next((name for name in REVENUE_TRAITS if traits.get(name)), "")
    if not named:
        return ""
    value = traits[named]
    try:
        number = f"{float(value):,.0f}"
    except ValueError:
        number = value
    period = "a month" if named in MONTHLY_TRAITS else "a year"
    return " ".join(filter(None, (_first(traits, _CURRENCIES).upper(), number, period)))


def _first(traits: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((traits[name] for name in names if traits.get(name)), "")
