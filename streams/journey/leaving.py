"""A touchpoint that is another account's now: which of its copies have to go, and which may not come back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from schemas.touchpoints import AttributedTouchpoint, Withdraw


@dataclass(frozen=True, slots=True)
class Left:
    """With what it left: copies that knew less leave, and those that an older mapping read."""

    knowledge: int
    mapping: int = 1

    def takes(self, item: AttributedTouchpoint) -> bool:
        """Whether a copy that is here has to go; one that was read anew waits for its own withdrawal."""
        return (item.knowledge < self.knowledge and not self.is_of_older_than(item)) or self.is_newer_than(item)

    def is_of_older_than(self, item: AttributedTouchpoint) -> bool:
        """Whether only an older reading of this copy has moved: then this one is in no other account yet."""
        return item.touchpoint.read_anew and item.touchpoint.mapping > self.mapping

    def keeps_out(self, item: AttributedTouchpoint) -> bool:
        """Whether a copy that comes knows nothing that was not known when it left."""
        if item.touchpoint.mapping > self.mapping:
            return item.knowledge < self.knowledge
        return item.knowledge <= self.knowledge or self.is_newer_than(item)

    def is_newer_than(self, item: AttributedTouchpoint) -> bool:
        """Whether an older mapping read this copy: nobody needs it any more."""
        return item.touchpoint.mapping < self.mapping

    def with_(self, other: Left) -> Left:
        """Both hold."""
        return Left(max(self.knowledge, other.knowledge), max(self.mapping, other.mapping))


NOTHING = "a newer mapping makes nothing of the sender's message"
NEVER = Left(-1)
"""It did not leave: takes no copy and keeps none out."""


def outread(copies: Iterable[AttributedTouchpoint], left: Mapping[str, int] | None = None) -> Iterator[Withdraw]:
    """Of copies of the same receipts in several accounts, the withdrawals of those that an older mapping read.

    `left`: event → newest mapping by which it has left an account. What has left by a newer one than a copy that
    stands alone is nobody's: the newer mapping made nothing of the message.
    """
    copies, left = list(copies), left or {}
    newest: dict[tuple[str, object], AttributedTouchpoint] = {}
    for copy in copies:
        best = newest.setdefault(_receipt(copy), copy)
        if copy.touchpoint.mapping > best.touchpoint.mapping:
            newest[_receipt(copy)] = copy
    for copy in copies:
        best = newest[_receipt(copy)]
        mapping = copy.touchpoint.mapping
        if copy.account_id != best.account_id and mapping < best.touchpoint.mapping:
            yield Withdraw(
                account_id=copy.account_id,
                event_id=copy.event_id,
                to_account_id=best.account_id,
                # the newer reading may come to this very account next: only what it already knew is kept out
                knowledge=best.knowledge,
                cause="a newer mapping reads the sender's request otherwise",
                mapping=best.touchpoint.mapping,
            )
        elif mapping == best.touchpoint.mapping < left.get(copy.event_id, 1):
            yield unread(copy.account_id, copy.event_id, left[copy.event_id])


def unread(account_id: str, event_id: str, mapping: int) -> Withdraw:
    """The withdrawal of a touchpoint of which a newer mapping makes nothing."""
    return Withdraw(
        account_id=account_id, event_id=event_id, to_account_id="", knowledge=0, cause=NOTHING, mapping=mapping
    )


def _receipt(copy: AttributedTouchpoint) -> tuple[str, object]:
    return copy.event_id, copy.touchpoint.received_at
