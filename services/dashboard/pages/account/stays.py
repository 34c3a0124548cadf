"""The way of an account through the phases, pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.dashboard.catalogue import Catalogue
from services.dashboard.views.accounts import AccountRow, PhaseMove
from services.dashboard.views.figures import Severity

COLUMNS, LEAST = 24, 3
MOST = COLUMNS // LEAST
"""Of the columns of the ribbon a stay has at least three, so that its name can be read; earlier stays are left out."""


@dataclass(frozen=True, slots=True)
class Stay:
    """Some time in one phase. `until` is None where the account is now; `marks`: where in it it hurt, 0 to 1."""

    phase: str
    name: str
    since: datetime
    until: datetime | None
    days: int
    columns: int
    marks: tuple[tuple[float, Severity], ...]


def stays_of(
    catalogue: Catalogue,
    account: AccountRow,
    moves: Sequence[PhaseMove],
    painful: Sequence[tuple[datetime, Severity]],
    as_of: datetime,
) -> tuple[Stay, ...]:
    """The latest, the oldest of them first; `moves`: newest first; `painful`: when it hurt."""
    if account.first_seen_at is None:
        return ()
    accepted = [move for move in reversed(moves) if move.accepted]
    begins = [account.first_seen_at, *(move.at for move in accepted)]
    phases = [accepted[0].from_phase if accepted else account.phase, *(move.to_phase for move in accepted)]
    ends = [*begins[1:], as_of]
    shown = list(zip(phases, begins, ends, strict=True))[-MOST:]
    lengths = [max(0.0, (end - begin).total_seconds()) for _, begin, end in shown]
    return tuple(
        Stay(
            phase=phase,
            name=catalogue.phase_name(phase),
            since=begin,
            until=None if number == len(shown) - 1 else end,
            days=max(0, (end - begin).days),
            columns=columns,
            marks=_marks(painful, begin, end),
        )
        for number, ((phase, begin, end), columns) in enumerate(zip(shown, _columns(lengths), strict=True))
    )


def _columns(lengths: Sequence[float]) -> list[int]:
    """By length, each at least so many; together they are all columns."""
    spare, total = COLUMNS - LEAST * len(lengths), sum(lengths) or 1.0
    shares = [int(spare * length / total) for length in lengths]
    longest = max(range(len(lengths)), key=lambda each: lengths[each])
    shares[longest] += spare - sum(shares)
    return [LEAST + share for share in shares]


def _marks(
    painful: Sequence[tuple[datetime, Severity]], begin: datetime, end: datetime
) -> tuple[tuple[float, Severity], ...]:
    length = (end - begin).total_seconds() or 1.0
    return tuple(((at - begin).total_seconds() / length, kind) for at, kind in painful if begin <= at < end)
