"""The accounts that were hurt most, as every page names them, pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.dashboard.catalogue import Catalogue
from services.dashboard.store import Row
from services.dashboard.words import account_name


@dataclass(frozen=True, slots=True)
class HurtAccount:
    """An account that was hurt, and mostly by what; `share` of what the most hurt one was."""

    id: str
    name: str
    phase_name: str
    segment: str
    because: str
    pain: float
    share: float
    last_at: datetime


def hurt_accounts(catalogue: Catalogue, rows: Sequence[Row]) -> tuple[HurtAccount, ...]:
    """`rows`: the most hurt ones, the worst first."""
    most = max((row["pained"] for row in rows), default=0.0)
    return tuple(_hurt(catalogue, row, most) for row in rows)


def _hurt(catalogue: Catalogue, row: Row, most: float) -> HurtAccount:
    return HurtAccount(
        id=row["account_id"],
        name=account_name(row["account_id"], row["name"]),
        phase_name=catalogue.phase_name(row["phase"]),
        segment=row["segment"],
        because=catalogue.type_name(row["worst_type"]),
        pain=row["pained"],
        share=row["pained"] / most if most else 0.0,
        last_at=row["last_at"],
    )
