"""What a mapping makes of one message: a touchpoint, nothing that concerns a customer, or a refusal."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from schemas.touchpoints import CleanTouchpoint

Message = dict[str, Any]
"""One message of a vendor, or the envelope around several, decoded."""
_SLUG = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class Mapped:
    """A message we understood. `address` is where it was sent from; it is looked up and dropped.

    `index`: of the message in its request, of which there may be several touchpoints.
    """

    touchpoint: CleanTouchpoint
    address: str = field(default="", repr=False)
    index: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Ignored:
    """A message that is well understood and says nothing of a customer: a ping, a topic nobody asked for.

    `reason` is a label of a metric: a fixed word such as `ping`, never a part of the message. Raises ValueError
    where it cannot be one.
    """

    reason: str

    def __post_init__(self) -> None:
        if not _SLUG.fullmatch(self.reason):
            raise ValueError(f"a reason is a word such as `ping`, not {self.reason[:60]!r}")


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that can never become a touchpoint. `original` is its exact text inside the body."""

    reason: str
    message: str
    original: str
    index: int


Result = Mapped | Ignored | Refused
