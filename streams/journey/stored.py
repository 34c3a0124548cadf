"""What the store keeps of an account's conclusions, as it was told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from schemas.facts import SignalFact


def signal_of(row: Mapping[str, Any]) -> SignalFact:
    """A stored signal as it was told."""
    closed = aware(row["closed_at"]) if row["is_closed"] else None
    return SignalFact.of({**row, "opened_at": aware(row["opened_at"]), "closed_at": closed})


def aware(value: datetime) -> datetime:
    """The store's times are UTC, whether or not the driver says so."""
    return value if value.tzinfo else value.replace(tzinfo=UTC)
