"""What a scene writes into: moments with their sender, ids that follow from the seed, and time at a pace. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Literal
from uuid import UUID, uuid5

Sender = Literal["web", "product", "crm", "support"]
Message = dict[str, Any]

_IDS = UUID("0b6f1b0e-52a5-5d1e-9a52-9c6a1b7a3d11")


@dataclass(frozen=True, slots=True)
class Moment:
    """One vendor message. `poison`: it can never become a touchpoint and belongs in the dead letters."""

    occurred_at: datetime
    sender: Sender
    message: Message
    poison: bool = False


class Script:
    """Collects the moments of one story. `pace` stretches (or shrinks) every pause between them."""

    def __init__(self, key: str, rng: Random, *, pace: float = 1.0, first_case: int = 10_001) -> None:
        self.key = key
        self.rng = rng
        self.pace = pace
        self.moments: list[Moment] = []
        self._next = 0
        self._next_case = first_case

    def tell(self, sender: Sender, at: datetime, message: Message, *, poison: bool = False) -> None:
        """One more moment."""
        self.moments.append(Moment(rounded(at), sender, message, poison))

    def number(self) -> int:
        """The next number; the same in every telling of the same story."""
        self._next += 1
        return self._next

    def id(self) -> str:
        """The next message id."""
        return str(uuid5(_IDS, f"{self.key}:{self.number()}"))

    def session(self) -> str:
        """The id of the next visit; no other script has it."""
        return uuid5(_IDS, f"{self.key}:visit:{self.number()}").hex[:16]

    def case(self) -> int:
        """The next ticket's number."""
        self._next_case += 1
        return self._next_case

    def later(self, at: datetime, low_s: float, high_s: float) -> datetime:
        """Some seconds after `at`, at the script's pace, to the millisecond."""
        return rounded(at + timedelta(seconds=self.rng.uniform(low_s, high_s) * self.pace))

    def chance(self, share: float) -> bool:
        """True in `share` of the cases."""
        return self.rng.random() < share


def rounded(at: datetime) -> datetime:
    """Cut to milliseconds, as the vendors' stamps are."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def iso(at: datetime) -> str:
    """`2026-11-02T09:30:00.125Z`."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def epoch_ms(at: datetime) -> int:
    """Milliseconds since 1970."""
    return round(rounded(at).timestamp() * 1000)
